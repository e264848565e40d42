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

op_app = typer.Typer(
    help="Write and check operators of your own.",
    no_args_is_help=True,
    epilog="Example: hwflow op new HalfWave",
)
app.add_typer(op_app, name="op")

Model = Annotated[
    Path,
    typer.Argument(
        help="QONNX (.onnx), Keras (.h5, .keras, .json, SavedModel) or TFLite model.",
        show_default=False,
    ),
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", "-w", help="Weights (.h5) of a Keras .json.")
]
TrustOption = Annotated[bool, typer.Option("--trust", help="Run code that a Keras file asks for.")]
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
PluginOption = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Python file or package with operators; its code runs."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _compile(
    model: Path,
    board: str | None,
    config: Path | None,
    io: str | None,
    backend: str | None,
    plugins: list[Path] | None,
    weights: Path | None,
    trust: bool,
) -> Design:
    from hwflow.compiler import compile as compile_model

    return compile_model(
        model, board=board, config=config, io_type=io, backend=backend, plugins=plugins or (),
        weights=weights, trust=trust,
    )  # fmt: skip


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
        design = _compile(model, board, config, io_type, backend, plugin, weights, trust)
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
        _compile(model, board, config, io_type, backend, plugin, weights, trust), json=json
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

    design = _compile(model, None, config, None, None, plugin, weights, trust)
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
        design = _compile(model, board, config, io_type, backend, plugin, weights, trust)
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

    design = _compile(model, board, config, io_type, backend, plugin, weights, trust)
    show.estimate(design, design.estimate(), json=json)


@app.command(
    epilog="Example: hwflow ensemble a.onnx b.onnx -o both.onnx --label && hwflow build both.onnx"
)
def ensemble(
    models: Annotated[list[Path], typer.Argument(help="QONNX models (.onnx).", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the merged model.")],
    vote: Annotated[str, typer.Option("--vote", help="mean or sum of the outputs.")] = "mean",
    label: Annotated[bool, typer.Option("--label", help="Return the class of the vote.")] = False,
    json: JsonOption = False,
) -> None:
    """Merge networks that share their inputs into one model that votes."""
    from hwflow import show
    from hwflow.frontends.ensemble import ensemble as merge
    from hwflow.frontends.ensemble import save_model

    model = merge(models, vote=vote, label=label)
    show.merged(model, save_model(model, out), json=json)


@app.command(epilog="Example: hwflow convert model.onnx -o model.qonnx.onnx")
def convert(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the QONNX model.")],
    plugin: PluginOption = None,
    weights: WeightsOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Write a model of any format as one QONNX file, names kept."""
    from hwflow import show
    from hwflow.frontends.convert import convert as write
    from hwflow.plugins import load_plugins

    with load_plugins(plugin or ()).active():
        show.merged(write(model, out, weights=weights, trust=trust), out, json=json)


@app.command(
    epilog="Example: hwflow quantize float.onnx --data calib.npz --bits w=4,a=8,fc.w=6 "
    "--per-channel -o model.qonnx.onnx"
)
def quantize(
    model: Annotated[Path, typer.Argument(help="Float model (.onnx).", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", "-d", help=".npz to calibrate with, labels as y.")
    ],
    bits: Annotated[
        str, typer.Option("--bits", help="Of weights, activations, single layers.")
    ] = "w=8,a=8",
    per_channel: Annotated[
        bool, typer.Option("--per-channel", help="A weight scale for each output channel.")
    ] = False,
    scale: Annotated[str, typer.Option("--scale", help="float or pow2.")] = "float",
    method: Annotated[
        str, typer.Option("--method", help="Ranges by minmax, percentile, mse or entropy.")
    ] = "mse",
    equalize: Annotated[
        bool, typer.Option("--equalize", help="Equalise the channels of neighbouring layers.")
    ] = False,
    bias_correction: Annotated[
        bool, typer.Option("--bias-correction", help="Of layers wider than 8 bits, too.")
    ] = False,
    asymmetric: Annotated[
        bool, typer.Option("--asymmetric", help="Zero points for activations of both signs.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="QONNX model to write.")] = None,
    json: JsonOption = False,
) -> None:
    """Quantise a float model after training, and measure what it cost."""
    from hwflow import show, show_quantize
    from hwflow.ptq import quantize as quantize_model

    path = out or Path(f"{model.stem}.qonnx.onnx")
    with show.progress(quiet=json) as progress:
        found = quantize_model(
            model, data, bits, per_channel=per_channel, scale=scale, method=method,
            equalize=equalize, bias_correction=bias_correction, asymmetric=asymmetric,
            progress=progress,
        )  # fmt: skip
    show_quantize.quantized(found, found.save(path), json=json)


@app.command(epilog="Example: hwflow boards pynq-z2")
def boards(
    name: Annotated[str | None, typer.Argument(help="One board, with its sources.")] = None,
    json: JsonOption = False,
) -> None:
    """List the boards, or show one."""
    from hwflow import show_catalog

    show_catalog.boards(name, json=json)


@app.command(epilog="Example: hwflow ops --plugin my_operator.py")
def ops(plugin: PluginOption = None, json: JsonOption = False) -> None:
    """List the operators, the ONNX operators they take, and their settings."""
    from hwflow import show_catalog
    from hwflow.plugins import load_plugins

    show_catalog.operators(load_plugins(plugin or (), installed=False), json=json)


@app.command(epilog="Example: hwflow doctor")
def doctor(json: JsonOption = False) -> None:
    """Show what is installed, which tools are found, and their versions."""
    from hwflow import show_catalog

    raise typer.Exit(show_catalog.doctor(json=json))


@op_app.command("new", epilog="Example: hwflow op new HalfWave --out my_operators")
def new(
    name: Annotated[str, typer.Argument(help="Name of the operator's class.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder.")] = Path(),
    json: JsonOption = False,
) -> None:
    """Write an operator to start from: Python, template and test."""
    from hwflow import show_operator
    from hwflow.workbench.skeleton import write_skeleton

    show_operator.skeleton(name, write_skeleton(name, out), json=json)


@op_app.command(epilog="Example: hwflow op check HalfWave --plugin half_wave.py")
def check(
    name: Annotated[str, typer.Argument(help="Operator.", show_default=False)],
    plugin: PluginOption = None,
    io_type: Annotated[str | None, typer.Option("--io-type", help="One instead of both.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", help="One instead of both.")] = None,
    samples: Annotated[int, typer.Option(min=3, max=100_000, help="Inputs per example.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of the random inputs.")] = 0,
    json: JsonOption = False,
) -> None:
    """Compare an operator's Python with its ONNX function and with compiled C++.

    Exit status: 0 when every bit agrees, 1 when not, 2 on errors in the input.
    """
    from hwflow import show, show_operator
    from hwflow.plugins import load_plugins
    from hwflow.workbench.check import check_operator

    with show.progress(quiet=json) as progress:
        found = check_operator(
            name,
            load_plugins(plugin or ()),
            io_type=io_type,
            backend=backend,
            samples=samples,
            seed=seed,
            progress=progress,
        )
    show_operator.check(found, json=json)
    raise typer.Exit(0 if found.holds else 1)


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
