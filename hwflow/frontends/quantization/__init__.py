"""Post-training quantisation: a float model and some data become a QONNX model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow import frontends
from hwflow.core.errors import CompileError
from hwflow.frontends.ensemble import save_model
from hwflow.frontends.quantization.cost import Cost, LayerCost, layer_sqnr, output_costs
from hwflow.frontends.quantization.equalization import equalize as equalize_layers
from hwflow.frontends.quantization.insertion import insert_quantizer
from hwflow.frontends.quantization.layers import array_of, layers_of
from hwflow.frontends.quantization.places import Place, find_places
from hwflow.frontends.quantization.ports import quantize_inputs
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import clone, sampled, values_of
from hwflow.frontends.quantization.samples import FEWEST, split
from hwflow.frontends.quantization.scales import activation_scales
from hwflow.frontends.quantization.settings import Settings, make_settings, unknown_names
from hwflow.frontends.quantization.trial import refusals
from hwflow.frontends.quantization.weights import quantize_weights, round_weights
from hwflow.ir.qonnx.model import QonnxModel, origin

__all__ = ["Quantized", "quantize"]

Array = npt.NDArray[Any]
Progress = Callable[[str, float], None]
Parts = tuple[Mapping[str, Array], Mapping[str, Array]]

ELEMENTS = 2**16
"""Elements of each activation that its scale is chosen with, and the extremes of all."""


def _silent(stage: str, done: float) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, eq=False)
class Quantized:
    """A float model's quantised form.

    Attributes:
        model: the model at the QONNX level; ``hwflow.compile`` takes it.
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
        method: method of choosing the range of activations: minmax, percentile, mse or entropy.
        equalize: cross-layer equalisation before.
        bias_correction: correct all biases for the mean error.
        asymmetric: zero points for activations of both signs.
        progress: called as stages go on.

    Raises:
        CompileError: the model cannot be read, is quantised already, or does not fit the data; the
            settings cannot be used; or ``compile`` would refuse the result, with its findings.
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
    return _quantized(
        before,
        calibration=calibration,
        held_out=held_out,
        labels=labels,
        settings=settings,
        progress=progress,
    )


def _example(data: Any) -> Any:
    """Return a sample of a data array, from which a torch module can be exported."""
    return data[:1] if isinstance(data, np.ndarray) else None


def _quantized(
    before: QonnxModel,
    *,
    calibration: Mapping[str, Array],
    held_out: Mapping[str, Array],
    labels: Array | None,
    settings: Settings,
    progress: Progress,
) -> Quantized:
    """Quantise a prepared model; see ``quantize``."""
    reference = clone(before)
    _check_names(before, find_places(before, outputs=True)[0], settings)
    parts = (calibration, held_out)
    outputs = _quantizes_outputs(before, parts, settings)
    if settings.equalize:
        equalize_layers(before)
    after, bits, compensated = _worked_out(before, parts, settings, outputs, progress)
    found = refusals(after)
    if found and not outputs:  # exact numbers were too wide, which the rough ones did not show
        after, bits, compensated = _worked_out(before, parts, settings, True, progress)
        found = refusals(after)
    if found:
        raise CompileError(found)
    progress("measure", 0.0)
    cost = Cost(
        _layer_costs(
            before,
            after,
            data=held_out,
            settings=settings,
            input_bits=bits,
            compensated=compensated,
        ),
        output_costs(reference, after, held_out, labels),
        len(next(iter(calibration.values()))),
        len(next(iter(held_out.values()))),
    )
    progress("measure", 1.0)
    return Quantized(after, cost)


def _worked_out(
    before: QonnxModel, parts: Parts, settings: Settings, outputs: bool, progress: Progress
) -> tuple[QonnxModel, dict[str, int], frozenset[str]]:
    """Return a quantised model, the bits at each layer's input, and the layers compensated.

    Args:
        before: the float model.
        parts: calibration data, held-out data.
        settings: how to quantise.
        outputs: quantise outputs that are curves of integers, too.
        progress: called as stages go on.
    """
    progress("calibrate", 0.0)
    after = _with_activations(before, parts, settings, outputs=outputs)
    progress("calibrate", 1.0)
    bits = _input_bits(after)
    compensated = quantize_weights(
        before,
        after,
        parts[0],
        settings=settings,
        input_bits=bits,
        progress=lambda done: progress("weights", done),
    )
    return after, bits, compensated


def _with_activations(
    before: QonnxModel, parts: Parts, settings: Settings, *, outputs: bool, most: int = 0
) -> QonnxModel:
    """Return a float model with quantised inputs and activations.

    Args:
        before: the float model.
        parts: calibration data, held-out data.
        settings: bits and method.
        outputs: quantise outputs that are curves of integers, too.
        most: samples that scales are chosen with; 0 for all calibration data.
    """
    places, ties = find_places(before, outputs=outputs)
    names = [p.value.name or "" for p in places]
    data = {name: array[:most] if most else array for name, array in parts[0].items()}
    samples = len(next(iter(data.values())))
    values = sampled(values_of(before, data, names), ELEMENTS, samples)
    formats = activation_scales(ties, values, settings)
    after = clone(before)
    for place in find_places(after, outputs=outputs)[0]:
        form, step = formats[place.value.name or ""]
        insert_quantizer(after, place.value, place.uses, form, step, outward=place.outward)
    quantize_inputs(after, parts)
    return after


def _quantizes_outputs(before: QonnxModel, parts: Parts, settings: Settings) -> bool:
    """Return whether curves at outputs have to be quantised, from a rough quantisation.

    Raises:
        CompileError: what ``build`` would refuse, whatever the numbers.
    """
    rough = replace(settings, method="minmax")
    for outputs in (False, True):
        trial = _with_activations(before, parts, rough, outputs=outputs, most=FEWEST)
        round_weights(trial, rough)
        found = refusals(trial)
        if not found:
            return outputs
    raise CompileError(found)


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
    before: QonnxModel, after: QonnxModel, *, data: Mapping[str, Array], settings: Settings,
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
