"""Verbs that make models: ``ensemble``, ``convert`` and ``quantize``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.groups import with_groups
from hwflow.cli.options import JsonOption, Model, ReadingOptions


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
    from hwflow.cli.show.design import print_model
    from hwflow.frontends.ensemble import ensemble as merge
    from hwflow.frontends.ensemble import save_model

    model = merge(models, vote=vote, label=label)
    print_model(model, save_model(model, out), json=json)


@app.command(epilog="Example: hwflow convert model.onnx -o model.qonnx.onnx")
@with_groups
def convert(
    model: Model,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the QONNX model.")],
    reading: ReadingOptions,
    json: JsonOption = False,
) -> None:
    """Write a model of any format as one QONNX file, names kept."""
    from hwflow.cli.show.design import print_model
    from hwflow.custom.plugins import load_plugins
    from hwflow.frontends.conversion import convert as write

    with load_plugins(reading.plugins).active():
        print_model(write(model, out, weights=reading.weights, trust=reading.trust), out, json=json)


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """How scales are found and errors made up for, by the names that ``quantize`` takes."""

    per_channel: Annotated[
        bool, typer.Option("--per-channel", help="A weight scale for each output channel.")
    ] = False
    scale: Annotated[str, typer.Option("--scale", help="float or pow2.")] = "float"
    method: Annotated[
        str, typer.Option("--method", help="Ranges by minmax, percentile, mse or entropy.")
    ] = "mse"
    equalize: Annotated[
        bool, typer.Option("--equalize", help="Equalise the channels of neighbouring layers.")
    ] = False
    bias_correction: Annotated[
        bool, typer.Option("--bias-correction", help="Of layers wider than 8 bits, too.")
    ] = False
    asymmetric: Annotated[
        bool, typer.Option("--asymmetric", help="Zero points for activations of both signs.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions(MethodOptions):
    """The same, and what ``explore`` always does."""

    independent: Annotated[
        bool, typer.Option("--independent", help="No layer's weights by other layers' bits.")
    ] = False


@app.command(
    epilog="Example: hwflow quantize float.onnx --data calib.npz --bits w=4,a=8,fc.w=6 "
    "--per-channel -o model.qonnx.onnx"
)
@with_groups
def quantize(
    model: Annotated[
        Path,
        typer.Argument(
            help="Model, float or quantised: ONNX (.onnx), Keras (.h5, .keras, SavedModel), or "
            "FILE.py:FUNCTION.",
            show_default=False,
        ),
    ],
    *,
    data: Annotated[
        Path, typer.Option("--data", "-d", help=".npz or FILE.py:FUNCTION, labels as y.")
    ],
    bits: Annotated[
        str, typer.Option("--bits", help="Of weights, activations, single layers.")
    ] = "w=8,a=8",
    how: QuantizeOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="QONNX model to write.")] = None,
    json: JsonOption = False,
) -> None:
    """Quantise a model after training, or take bits off a quantised one; measure what it cost."""
    from hwflow.cli import terminal
    from hwflow.cli.show.quantization import print_quantization
    from hwflow.frontends.quantization import quantize as quantize_model

    path = out or Path(f"{model.stem}.qonnx.onnx")
    with terminal.stage_progress(quiet=json) as progress:
        found = quantize_model(model, data, bits, **asdict(how), progress=progress)
    print_quantization(found, found.save(path), json=json)
