"""What the command line prints of post-training quantisation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.frontends.quantization import Quantized


def print_quantization(found: Quantized, path: Path, *, json: bool) -> None:
    """Print what quantisation cost, per layer and in all."""
    cost = found.cost
    if json:
        print_json({"model": str(path), "source": found.model.source, **cost.to_dict()})
        return
    title = f"{found.model.source}, {cost.held_out} held-out samples"
    figures = (">weight bits", ">input bits", ">weight scales", ">SQNR dB")
    shown = table(("layer", "operator", *figures), title=title)
    for layer in cost.layers:
        numbers = (layer.weight_bits, layer.input_bits, layer.scales)
        shown.add_row(
            escape(layer.name), layer.operator, *map(str, numbers), _decibel(layer.sqnr_db)
        )
    console.print(shown)
    for output in cost.outputs:
        parts = [f"SQNR {_decibel(output.sqnr_db)} dB"]
        if output.agreement is not None:
            parts.append(f"same class as the {cost.reference} model {output.agreement:.2%}")
        if output.accuracy is not None and output.float_accuracy is not None:
            parts.append(
                f"accuracy {output.accuracy:.2%}, {cost.reference} {output.float_accuracy:.2%}"
            )
        console.print(escape(f"{output.name}: {'; '.join(parts)}"), soft_wrap=True)
    console.print(escape(f"{path}: calibrated on {cost.calibration} samples"), soft_wrap=True)


def _decibel(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}"
