"""The command line: one short function per verb, no logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hwflow.design import Design

app = typer.Typer(
    name="hwflow",
    help="From quantisation-aware trained models to verified, estimated HLS projects.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich for it would double the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: hwflow build examples/digits_mlp.onnx --board pynq-z2 "
    "--data examples/digits.npz",
)

Model = Annotated[Path, typer.Argument(help="QONNX model (.onnx).", show_default=False)]
BoardOption = Annotated[
    str | None, typer.Option("--board", "-b", help="Board profile: a name, or a .toml file.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", "-d", help=".npz with the inputs (by name, or x) and labels (y)."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings (hwflow.toml).")
]
IoOption = Annotated[str | None, typer.Option("--io-type", help="io_parallel or io_stream.")]
BackendOption = Annotated[str | None, typer.Option("--backend", help="Vitis or Vivado.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _compile(
    model: Path, board: str | None, config: Path | None, io: str | None, backend: str | None
) -> Design:
    from hwflow.design import compile as compile_model

    return compile_model(model, board=board, config=config, io_type=io, backend=backend)


@app.command(epilog="Example: hwflow build model.onnx --board pynq-z2 --data test.npz -o build/net")
def build(
    model: Model,
    board: BoardOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Output folder.")] = None,
    io_type: IoOption = None,
    backend: BackendOption = None,
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
        design = _compile(model, board, config, io_type, backend)
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
    json: JsonOption = False,
) -> None:
    """Show the hardware layers with their types, or everything that is not supported."""
    from hwflow import show

    show.inspect(_compile(model, board, config, io_type, backend), json=json)


@app.command(epilog="Example: hwflow simulate model.onnx --data test.npz -o outputs.npz")
def simulate(
    model: Model,
    data: DataOption = None,
    config: ConfigOption = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Save outputs (.npz).")] = None,
    layers: Annotated[bool, typer.Option(help="Save every layer's values too.")] = False,
    json: JsonOption = False,
) -> None:
    """Run data through the hardware bit for bit, with saturation and wrap counters."""
    from hwflow import show

    design = _compile(model, None, config, None, None)
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
    json: JsonOption = False,
) -> None:
    """Compare simulation, compiled C++ and the trained model; write nothing.

    Exit status: 0 when every bit agrees, 1 when verification fails, 2 on errors in the input.
    """
    from hwflow import show

    with show.progress(quiet=json) as progress:
        design = _compile(model, board, config, io_type, backend)
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
    json: JsonOption = False,
) -> None:
    """Estimate resources and timing per layer, and whether the board holds it."""
    from hwflow import show

    design = _compile(model, board, config, io_type, backend)
    show.estimate(design, design.estimate(), json=json)


@app.command(epilog="Example: hwflow boards pynq-z2")
def boards(
    name: Annotated[str | None, typer.Argument(help="One board, with its sources.")] = None,
    json: JsonOption = False,
) -> None:
    """List the boards, or show one."""
    from hwflow import show_catalog

    show_catalog.boards(name, json=json)


@app.command(epilog="Example: hwflow ops --json")
def ops(json: JsonOption = False) -> None:
    """List the operators, the ONNX operators they take, and their settings."""
    from hwflow import show_catalog

    show_catalog.operators(json=json)


@app.command(epilog="Example: hwflow doctor")
def doctor(json: JsonOption = False) -> None:
    """Show what is installed, which tools are found, and their versions."""
    from hwflow import show_catalog

    raise typer.Exit(show_catalog.doctor(json=json))


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; user errors end with status 2 and no traceback."""
    try:
        app(arguments)
    except Exception as error:
        from hwflow.errors import HwflowError

        if not isinstance(error, HwflowError):
            raise
        from hwflow import show

        show.error(error, json="--json" in (arguments or sys.argv))
        sys.exit(2)
