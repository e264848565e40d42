"""Verbs on one design: build, inspect, simulate, verify, estimate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.options import (
    BackendOption,
    BoardOption,
    ConfigOption,
    DataOption,
    IoOption,
    JsonOption,
    Model,
    PluginOption,
    TrustOption,
    WeightsOption,
    compile_design,
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
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Compile, verify against C++, estimate, and write project and report.

    Exit status: 0 when every bit agrees, 1 when verification fails, 2 on errors in the input.
    """
    from hwflow import show
    from hwflow.codegen.project import check_folder

    folder = out or Path("build") / model.stem
    check_folder(folder)
    with show.progress(quiet=json) as progress:
        progress("compile", 0.0)
        design = compile_design(model, board, config, io_type, backend, plugin, weights, trust)
        progress("compile", 1.0)
        verification = design.verify(
            data, progress=progress, reproducer=folder.with_name(f"{folder.name}-reproducer.npz")
        )
        progress("write", 0.0)
        design.write(folder, verification)
        progress("write", 1.0)
    show.build(design, verification, folder, json=json)
    raise typer.Exit(show.status(verification))


@app.command(epilog="Example: hwflow inspect model.onnx --json")
def inspect(
    model: Model,
    board: BoardOption = None,
    config: ConfigOption = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Show the hardware layers with their types, or everything that is not supported."""
    from hwflow import show

    show.inspect(
        compile_design(model, board, config, io_type, backend, plugin, weights, trust), json=json
    )


@app.command(epilog="Example: hwflow simulate model.onnx --data test.npz -o outputs.npz")
def simulate(
    model: Model,
    data: DataOption = None,
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Save outputs (.npz).")] = None,
    layers: Annotated[bool, typer.Option(help="Save every layer's values too.")] = False,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Run data through the hardware bit for bit, with saturation and wrap counters."""
    from hwflow import show

    design = compile_design(model, None, config, None, None, plugin, weights, trust)
    with show.progress(quiet=json) as progress:
        progress("simulate", 0.0)
        simulation = design.simulate(data, keep_layers=layers)
        progress("simulate", 1.0)
    if out is not None:
        show.save_simulation(simulation, out)
    show.simulation(design, simulation, json=json)


@app.command(epilog="Example: hwflow verify model.onnx --data test.npz --io-type io_stream")
def verify(
    model: Model,
    board: BoardOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Compare simulation, compiled C++ and the trained model; write nothing.

    Exit status: 0 when every bit agrees, 1 when verification fails, 2 on errors in the input.
    """
    from hwflow import show

    with show.progress(quiet=json) as progress:
        design = compile_design(model, board, config, io_type, backend, plugin, weights, trust)
        reproducer = Path(f"{model.stem}-reproducer.npz")
        verification = design.verify(data, progress=progress, reproducer=reproducer)
    show.verification(design, verification, json=json)
    raise typer.Exit(show.status(verification))


@app.command(epilog="Example: hwflow estimate model.onnx --board zcu104 --json")
def estimate(
    model: Model,
    board: BoardOption = None,
    config: ConfigOption = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Estimate resources and timing per layer, and whether the board holds it."""
    from hwflow import show

    design = compile_design(model, board, config, io_type, backend, plugin, weights, trust)
    show.estimate(design, design.estimate(), json=json)
