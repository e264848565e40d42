"""Verbs on one design: build, inspect, simulate, verify, estimate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli import limits
from hwflow.cli.app import app
from hwflow.cli.options import (
    BackendOption,
    BoardOption,
    ClockOption,
    ConfigOption,
    DataOption,
    FloatOption,
    IoOption,
    JsonOption,
    Model,
    ModelOrProject,
    PluginOption,
    ReuseOption,
    StrategyOption,
    StreamOption,
    TrustOption,
    TypeDataOption,
    WeightsOption,
    compile_design,
    target_of,
)


@app.command(epilog="Example: hwflow build model.onnx --board pynq-z2 --data test.npz -o build/net")
def build(
    model: Model,
    board: BoardOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Output folder.")] = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    clock: ClockOption = None,
    strategy: StrategyOption = None,
    reuse_factor: ReuseOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Compile, verify against C++, estimate, and write project and report.

    Exit status: 0 when every bit agrees, 1 when verification fails, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show import design as show
    from hwflow.cli.show import verification as show_verify
    from hwflow.codegen.project import check_folder

    target = target_of(board, io_type, backend, clock, strategy, reuse_factor)
    folder = out or Path("build") / model.stem
    check_folder(folder)
    with terminal.stage_progress(quiet=json) as progress:
        progress("compile", 0.0)
        design = compile_design(model, config, plugin, weights, trust, data, **target)
        progress("compile", 1.0)
        verification = design.verify(
            data, progress=progress, reproducer=folder.with_name(f"{folder.name}-reproducer.npz")
        )
        progress("write", 0.0)
        design.write(folder, verification)
        progress("write", 1.0)
    show.build(design, verification, folder, json=json)
    raise typer.Exit(show_verify.status(verification))


@app.command(epilog="Example: hwflow inspect model.onnx --json")
def inspect(
    model: Model,
    board: BoardOption = None,
    data: TypeDataOption = None,
    config: ConfigOption = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    clock: ClockOption = None,
    strategy: StrategyOption = None,
    reuse_factor: ReuseOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Show the hardware layers with their types, or everything that is not supported."""
    from hwflow.cli.show import design as show

    target = target_of(board, io_type, backend, clock, strategy, reuse_factor)
    show.inspect(compile_design(model, config, plugin, weights, trust, data, **target), json=json)


@app.command(epilog="Example: hwflow simulate build/net --data jets.npy --threads 2 -o outputs.npz")
def simulate(
    path: ModelOrProject,
    data: StreamOption = None,
    engine: Annotated[
        str | None,
        typer.Option(help="golden, numpy or torch: the same bits; numpy counts what gets lost."),
    ] = None,
    device: Annotated[str, typer.Option(help="Of torch: cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int, typer.Option(min=0, help="0 for one per core.")] = 0,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples at once, instead of what suits the model.")
    ] = None,
    config: ConfigOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save outputs (.npz; .npy for one).")
    ] = None,
    layers: Annotated[bool, typer.Option(help="Save every layer's values too.")] = False,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Run data of any size through the hardware, bit for bit, in constant memory."""
    from hwflow.cli import terminal
    from hwflow.cli.show import simulation as show_simulate
    from hwflow.project.simulation import simulate_path

    with terminal.sample_progress(quiet=json) as progress:
        found = simulate_path(
            path, data, engine=engine, device=device, threads=threads, batch=batch, out=out,
            layers=layers, plugins=plugin or (), progress=progress,
            config=config, weights=weights, trust=trust,
        )  # fmt: skip
    show_simulate.simulated(found, out, json=json)


@app.command(
    epilog="Example: hwflow verify build/net --data test.npz --min-accuracy 95% --max-lut 70% "
    "--junit hwflow.xml"
)
def verify(
    path: ModelOrProject,
    board: BoardOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    clock: ClockOption = None,
    strategy: StrategyOption = None,
    reuse_factor: ReuseOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    float_model: FloatOption = None,
    min_accuracy: limits.MinAccuracy = None,
    max_drop: limits.MaxDrop = None,
    min_agreement: limits.MinAgreement = None,
    lossless: limits.Lossless = False,
    exact: limits.Exact = False,
    min_coverage: limits.MinCoverage = None,
    max_saturation: limits.MaxSaturation = None,
    max_lut: limits.MaxLut = None,
    max_ff: limits.MaxFf = None,
    max_dsp: limits.MaxDsp = None,
    max_bram: limits.MaxBram = None,
    max_uram: limits.MaxUram = None,
    max_latency_us: limits.MaxLatency = None,
    max_ii: limits.MaxIi = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    summary: Annotated[
        Path | None, typer.Option(help="Write Markdown; $GITHUB_STEP_SUMMARY is appended to.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a model, or a written project, bit by bit and against limits.

    Exit status: 0 when every check passes, 1 when one fails, 2 on errors in the input or when a
    limit cannot be evaluated.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show import verification as show_verify
    from hwflow.project import verification as verified

    target = target_of(board, io_type, backend, clock, strategy, reuse_factor)
    with (
        verified.errors_written(path, junit=junit, summary=summary),
        terminal.stage_progress(quiet=json) as progress,
    ):
        found = verified.verify_path(
            path, data, plugins=plugin or (), float_model=float_model, progress=progress,
            reproducer=Path(f"{path.stem}-reproducer.npz"),
            limits={
                "min_accuracy": min_accuracy, "max_drop": max_drop, "min_agreement": min_agreement,
                "lossless": lossless, "exact": exact, "min_coverage": min_coverage,
                "max_saturation": max_saturation, "max_lut": max_lut, "max_ff": max_ff,
                "max_dsp": max_dsp, "max_bram": max_bram, "max_uram": max_uram,
                "max_latency_us": max_latency_us, "max_ii": max_ii,
            },
            config=config, weights=weights, trust=trust, **target,
        )  # fmt: skip
        verified.write_outcome(found, junit=junit, summary=summary)
    show_verify.verified(found, json=json)
    raise typer.Exit(0 if found.passed else 1)


@app.command(epilog="Example: hwflow estimate model.onnx --board zcu104 --json")
def estimate(
    model: Model,
    board: BoardOption = None,
    data: TypeDataOption = None,
    config: ConfigOption = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    clock: ClockOption = None,
    strategy: StrategyOption = None,
    reuse_factor: ReuseOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Estimate resources and timing per layer, and whether the board holds it."""
    from hwflow.cli.show import design as show

    target = target_of(board, io_type, backend, clock, strategy, reuse_factor)
    design = compile_design(model, config, plugin, weights, trust, data, **target)
    show.estimate(design, design.estimate(), json=json)


@app.command(epilog="Example: hwflow vectors model.onnx --data test.npz --samples 10 -o vectors")
def vectors(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    data: DataOption = None,
    samples: Annotated[int, typer.Option(min=1, help="The first of the data; at most.")] = 100,
    cover: Annotated[
        bool,
        typer.Option(help="The fewest found, of data and made-up samples, that reach the most."),
    ] = False,
    formats: Annotated[
        str, typer.Option("--format", help="Some of dat, npy and hex.")
    ] = "dat,npy,hex",
    config: ConfigOption = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Write stimuli and expected results for C++, Python and RTL test benches."""
    from hwflow.cli.show import vectors as show_vectors
    from hwflow.codegen.project import Project, check_folder

    check_folder(out)
    design = compile_design(
        model, config, plugin, weights, trust, data, io_type=io_type, backend=backend
    )
    found = design.vectors(data, samples=samples, cover=cover)
    files = found.files(formats.split(","))
    show_vectors.vectors(found, Project(found.design, files).write(out), json=json)
