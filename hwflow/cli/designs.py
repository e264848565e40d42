"""Verbs on one design: build, inspect, simulate, verify, estimate, fifo, vectors."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.groups import with_groups
from hwflow.cli.limits import LimitOptions
from hwflow.cli.options import (
    BackendOptions,
    BoardOption,
    BoardsOptions,
    ConfigOption,
    DataOption,
    DesignOptions,
    FloatOption,
    JsonOption,
    Model,
    ModelOrProject,
    ReadingOptions,
    StreamOption,
    TargetOptions,
    board_names,
    compile_design,
)
from hwflow.cli.places import PlaceOptions
from hwflow.core.assignments import parse_assignment


@app.command(epilog="Example: hwflow build model.onnx --board pynq-z2 --data test.npz -o build/net")
@with_groups
def build(
    model: Model,
    *,
    board: BoardOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Output folder.")] = None,
    target: TargetOptions,
    reading: ReadingOptions,
    json: JsonOption = False,
) -> None:
    """Compile, verify against C++, estimate, and write project and report.

    Exit status: 0 when every bit agrees, 1 when verification fails, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.design import print_build
    from hwflow.cli.show.verification import exit_status
    from hwflow.codegen.project import check_folder
    from hwflow.project.buildable import require_buildable

    folder = out or Path("build") / model.stem
    check_folder(folder)
    with terminal.stage_progress(quiet=json) as progress:
        progress("compile", 0.0)
        design = compile_design(
            model, reading=reading, config=config, data=data, board=board, **target.settings
        )
        progress("compile", 1.0)
        require_buildable(design)
        verification = design.verify(
            data, progress=progress, reproducer=folder.with_name(f"{folder.name}-reproducer.npz")
        )
        progress("write", 0.0)
        design.write(folder, verification)
        progress("write", 1.0)
    print_build(design, verification, folder, plugins=reading.plugins, json=json)
    raise typer.Exit(exit_status(verification))


@app.command(epilog="Example: hwflow inspect model.onnx --json")
@with_groups
def inspect(model: Model, *, options: DesignOptions, json: JsonOption = False) -> None:
    """Show the hardware layers with their types, or everything that is not supported."""
    from hwflow.cli.show.design import print_layers

    print_layers(options.compile(model), json=json)


@app.command(epilog="Example: hwflow simulate build/net --data jets.npy --threads 2 -o outputs.npz")
@with_groups
def simulate(
    path: ModelOrProject,
    *,
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
    place: PlaceOptions,
    reading: ReadingOptions,
    json: JsonOption = False,
) -> None:
    """Run data of any size through the hardware, bit for bit, in constant memory."""
    from hwflow.core.threads import one_thread

    if place.several:
        if threads:
            raise typer.BadParameter("are of one process", param_hint="'--threads'")
        one_thread()
    from hwflow.cli import terminal
    from hwflow.cli.show.simulation import print_simulation
    from hwflow.project.simulation import simulate_path

    with terminal.sample_progress(quiet=json) as progress:
        found = simulate_path(
            path, data, engine=engine, device=device, threads=threads, batch=batch, out=out,
            layers=layers, plugins=reading.plugins, progress=progress,
            config=config, weights=reading.weights, trust=reading.trust, **place.settings,
        )  # fmt: skip
    print_simulation(found, out, json=json)


@app.command(
    epilog="Example: hwflow verify build/net --data test.npz --min-accuracy 95% --max-lut 70% "
    "--junit hwflow.xml"
)
@with_groups
def verify(
    path: ModelOrProject,
    *,
    board: BoardOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    target: TargetOptions,
    reading: ReadingOptions,
    float_model: FloatOption = None,
    limits: LimitOptions,
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
    from hwflow.cli.show.verification import print_checks
    from hwflow.project.verification import errors_written, verify_path, write_outcome

    with (
        errors_written(path, junit=junit, summary=summary),
        terminal.stage_progress(quiet=json) as progress,
    ):
        found = verify_path(
            path, data, plugins=reading.plugins, float_model=float_model, progress=progress,
            reproducer=Path(f"{path.stem}-reproducer.npz"),
            limits=asdict(limits),
            config=config, weights=reading.weights, trust=reading.trust, board=board,
            **target.settings,
        )  # fmt: skip
        write_outcome(found, junit=junit, summary=summary)
    print_checks(found, json=json)
    raise typer.Exit(0 if found.passed else 1)


@app.command(epilog="Example: hwflow estimate model.onnx --board pynq-z2,zcu104,ulx3s-85f")
@with_groups
def estimate(
    model: Model,
    *,
    options: BoardsOptions,
    baseline: Annotated[
        bool,
        typer.Option("--baseline", help="Time the network on this machine, float32 and int8."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Estimate resources and timing per layer, and whether the board holds it.

    Several boards are compared in one table, each with its part and its clock.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.baseline import measured
    from hwflow.cli.show.boards import print_on_boards
    from hwflow.cli.show.design import print_estimate
    from hwflow.project.advice.boards import on_boards
    from hwflow.project.candidates import load_boards

    names = board_names(options.board)
    several = load_boards(names) if len(names) > 1 else ()
    design = replace(options, board=names[0] if names else None).compile(model)
    if not several:
        timed = measured(design, options.data, json=json) if baseline else None
        print_estimate(design, design.estimate(), timed, json=json)
        return
    if baseline:
        raise typer.BadParameter("is for one board", param_hint="'--baseline'")
    with terminal.stage_progress(quiet=json) as progress:
        found = on_boards(design, several, progress)
    print_on_boards(design, found, json=json)


@app.command(epilog="Example: hwflow fifo model.onnx --depth conv1=16")
@with_groups
def fifo(
    path: ModelOrProject,
    *,
    depth: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=N: what becomes of it with another depth, of a FIFO or of a layer's.",
            parser=parse_assignment,
            metavar="NAME=N",
        ),
    ] = None,
    options: DesignOptions,
    json: JsonOption = False,
) -> None:
    """Show how deep the FIFOs of a streamed design are, why, and that it cannot lock.

    A model is taken with io_stream. Exit status: 0, 1 when depths to try lock the design, 2 on
    errors in the input.
    """
    from hwflow.cli.show.fifos import print_fifos
    from hwflow.project.fifos import fifos_of

    asked: dict[str, int] = dict(depth or ())  # type: ignore[arg-type]  # what the parser gives
    design, found, tried = fifos_of(
        path, asked, plugins=options.plugins, trust=options.trust, weights=options.weights,
        config=options.config, data=options.data, board=options.board, **options.settings,
    )  # fmt: skip
    print_fifos(design, found, tried, json=json)
    raise typer.Exit(1 if tried.locks else 0)


@app.command(epilog="Example: hwflow vectors model.onnx --data test.npz --samples 10 -o vectors")
@with_groups
def vectors(
    model: Model,
    *,
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
    target: BackendOptions,
    reading: ReadingOptions,
    json: JsonOption = False,
) -> None:
    """Write stimuli and expected results for C++, Python and RTL test benches."""
    from hwflow.cli.show.vectors import print_vectors
    from hwflow.codegen.project import Project, check_folder

    check_folder(out)
    design = compile_design(
        model,
        reading=reading,
        config=config,
        data=data,
        io_type=target.io_type,
        backend=target.backend,
    )
    found = design.vectors(data, samples=samples, cover=cover)
    files = found.files(formats.split(","))
    print_vectors(found, Project(found.design, files).write(out), json=json)
