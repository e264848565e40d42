"""Post-training quantisation: a float model and some data become a QONNX model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow import frontends
from hwflow.errors import CompileError
from hwflow.frontends.ensemble import save_model
from hwflow.ir.qonnx import QonnxModel, origin
from hwflow.ptq.equalize import equalize as equalize_layers
from hwflow.ptq.insert import insert_quantizer
from hwflow.ptq.layers import array_of, layers_of
from hwflow.ptq.measure import Cost, LayerCost, layer_sqnr, output_costs
from hwflow.ptq.places import Place, find_places
from hwflow.ptq.prepare import prepare
from hwflow.ptq.runs import clone, sampled, values_of
from hwflow.ptq.samples import split
from hwflow.ptq.scales import activation_scales
from hwflow.ptq.settings import Settings, make_settings, unknown_names
from hwflow.ptq.weights import quantize_weights

__all__ = ["Quantized", "quantize"]

Array = npt.NDArray[Any]
Progress = Callable[[str, float], None]

ELEMENTS = 2**16
"""Elements of each activation that its scale is chosen with, and the extremes of all."""


def _silent(stage: str, done: float) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, eq=False)
class Quantized:
    """A float model's quantised form.

    Attributes:
        model: at the QONNX level; ``hwflow.compile`` takes it.
        cost: what it lost against the float model, on held-out data.
    """

    model: QonnxModel
    cost: Cost

    def __repr__(self) -> str:
        """Return the model, and what the quantisation lost, in a few lines."""
        lines = [f"Quantized: {self.model.source}, {self.cost.held_out:,} held-out samples"]
        for output in self.cost.outputs:
            noise = "no noise" if output.sqnr_db is None else f"SQNR {output.sqnr_db:.1f} dB"
            lines.append(f"  {output.name}: {noise}")
        return "\n".join(lines)

    def save(self, path: str | Path) -> Path:
        """Write the model as a QONNX file, whole or not at all.

        Raises:
            CompileError: HW552, the file cannot be written.
        """
        return save_model(self.model, Path(path))


def quantize(
    source: Any, data: Any, bits: str | Mapping[str, int] = "w=8,a=8", *, example: Any = None,
    per_channel: bool = False, scale: str = "float", method: str = "mse", equalize: bool = False,
    bias_correction: bool = False, asymmetric: bool = False, progress: Progress = _silent,
) -> Quantized:  # fmt: skip
    """Quantise a float model with calibration data.

    Args:
        source: what ``load`` takes, in floating point.
        data: an array for a single input, arrays by input name (labels as ``y``), or the path of a
            data file. A fifth, drawn at random, is held out to measure the cost.
        bits: ``w`` of weights, ``a`` of activations, ``NAME.w`` and ``NAME.a`` of one layer.
        example: an input, for a live torch module; a sample of ``data`` unless given.
        per_channel: one weight scale for each output channel.
        scale: ``float``, or ``pow2`` for powers of two.
        method: of choosing the range of activations: minmax, percentile, mse or entropy.
        equalize: cross-layer equalisation before.
        bias_correction: correct all biases for the mean error.
        asymmetric: zero points for activations of both signs.
        progress: called as stages go on.

    Raises:
        CompileError: the model cannot be read, is quantised already, or does not fit the data; the
            settings cannot be used.
    """
    settings = make_settings(
        bits, scale=scale, method=method, per_channel=per_channel, equalize=equalize,
        bias_correction=bias_correction, asymmetric=asymmetric,
    )  # fmt: skip
    progress("load", 0.0)
    model = frontends.load(source, _example(data) if example is None else example)
    before = prepare(model)
    calibration, held_out, labels = split(before, data)
    progress("load", 1.0)
    return _quantized(before, calibration, held_out, labels, settings, progress)


def _example(data: Any) -> Any:
    """Return a sample of a data array, from which a torch module can be exported."""
    return data[:1] if isinstance(data, np.ndarray) else None


def _quantized(
    before: QonnxModel,
    calibration: Mapping[str, Array],
    held_out: Mapping[str, Array],
    labels: Array | None,
    settings: Settings,
    progress: Progress,
) -> Quantized:
    """Quantise a prepared model; see ``quantize``."""
    reference = clone(before)
    places, ties = find_places(before)
    _check_names(before, places, settings)
    if settings.equalize:
        equalize_layers(before)
    progress("calibrate", 0.0)
    names = [p.value.name or "" for p in places]
    samples = len(next(iter(calibration.values())))
    values = sampled(values_of(before, calibration, names), ELEMENTS, samples)
    formats = activation_scales(ties, values, settings)
    progress("calibrate", 1.0)
    after = clone(before)
    for place in find_places(after)[0]:
        form, step = formats[place.value.name or ""]
        insert_quantizer(after, place.value, place.uses, form, step)
    bits = _input_bits(after)
    compensated = quantize_weights(
        before, after, calibration, settings, bits, lambda done: progress("weights", done)
    )
    progress("measure", 0.0)
    cost = Cost(
        _layer_costs(before, after, held_out, settings, bits, compensated),
        output_costs(reference, after, held_out, labels),
        samples,
        len(next(iter(held_out.values()))),
    )
    progress("measure", 1.0)
    return Quantized(after, cost)


def _check_names(model: QonnxModel, places: Iterable[Place], settings: Settings) -> None:
    """Refuse settings of layers that are not there.

    Raises:
        CompileError: HW312, for each of them.
    """
    weights = {layer.name for layer in layers_of(model)}
    findings = list(unknown_names(settings, weights, {n for p in places for n in p.names}))
    if findings:
        raise CompileError(findings)


def _input_bits(model: QonnxModel) -> dict[str, int]:
    """Return the bits of the activations of each layer, by the name of its node."""
    found = {}
    for layer in layers_of(model):
        value = layer.node.inputs[0]
        while value is not None and (producer := value.producer()) is not None:
            if producer.op_type == "Quant":
                bits = producer.inputs[3]
                assert bits is not None
                found[layer.node.name or ""] = int(array_of(bits))
                break
            value = producer.inputs[0]
    return found


def _layer_costs(
    before: QonnxModel, after: QonnxModel, data: Mapping[str, Array], settings: Settings,
    input_bits: Mapping[str, int], compensated: frozenset[str],
) -> tuple[LayerCost, ...]:  # fmt: skip
    """Return what each layer lost."""
    layers = list(layers_of(before))
    ratios = layer_sqnr(before, after, data, [layer.output.name or "" for layer in layers])
    return tuple(
        LayerCost(
            name=origin(layer.node),
            operator=layer.node.op_type,
            weight_bits=settings.weight(frozenset({layer.name})),
            input_bits=input_bits[layer.node.name or ""],
            scales=layer.matrix().shape[0] * layer.matrix().shape[1] if settings.per_channel else 1,
            compensated=(layer.node.name or "") in compensated,
            sqnr_db=ratio,
        )
        for layer, ratio in zip(layers, ratios, strict=True)
    )
