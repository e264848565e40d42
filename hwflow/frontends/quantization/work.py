"""A prepared float model becomes a quantised one: activations first, then the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from hwflow.core.errors import CompileError
from hwflow.frontends.quantization.insertion import insert_quantizer
from hwflow.frontends.quantization.known import Known
from hwflow.frontends.quantization.layers import array_of, layers_of
from hwflow.frontends.quantization.places import find_places
from hwflow.frontends.quantization.ports import quantize_inputs
from hwflow.frontends.quantization.runs import clone, sampled, values_of
from hwflow.frontends.quantization.samples import FEWEST
from hwflow.frontends.quantization.scales import activation_scales
from hwflow.frontends.quantization.settings import Settings
from hwflow.frontends.quantization.trial import refusals
from hwflow.frontends.quantization.weights import quantize_weights, round_weights
from hwflow.ir.qonnx.model import QonnxModel

Array = npt.NDArray[Any]
Progress = Callable[[str, float], None]
Parts = tuple[Mapping[str, Array], Mapping[str, Array]]

ELEMENTS = 2**16
"""Elements of each activation that its scale is chosen with, and the extremes of all."""


def silent(stage: str, done: float) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, eq=False)
class Worked:
    """A quantised model with what is asked of it later.

    Attributes:
        model: at the QONNX level.
        input_bits: bits of the activations of each layer, by the name of its node.
        compensated: nodes whose rounding errors were made up for with the data.
    """

    model: QonnxModel
    input_bits: Mapping[str, int]
    compensated: frozenset[str]


def work_out(
    before: QonnxModel,
    parts: Parts,
    settings: Settings,
    *,
    outputs: bool,
    progress: Progress = silent,
    known: Known | None = None,
) -> Worked:
    """Return a quantised model.

    Args:
        before: the float model.
        parts: calibration data, held-out data.
        settings: how to quantise.
        outputs: quantise outputs that are curves of integers, too.
        progress: called as stages go on.
        known: results of other quantisations of this model with this data and method.
    """
    progress("calibrate", 0.0)
    after = _with_activations(before, parts, settings, outputs=outputs, known=known)
    progress("calibrate", 1.0)
    bits = input_bits(after)
    compensated = quantize_weights(
        before,
        after,
        parts[0],
        settings=settings,
        input_bits=bits,
        progress=lambda done: progress("weights", done),
        known=known,
    )
    return Worked(after, bits, compensated)


def _with_activations(
    before: QonnxModel,
    parts: Parts,
    settings: Settings,
    *,
    outputs: bool,
    most: int = 0,
    known: Known | None = None,
) -> QonnxModel:
    """Return a float model with quantised inputs and activations.

    Args:
        before: the float model.
        parts: calibration data, held-out data.
        settings: bits and method.
        outputs: quantise outputs that are curves of integers, too.
        most: samples that scales are chosen with; 0 for all calibration data.
        known: results of other quantisations with all calibration data.
    """
    known = known or Known()
    places, ties = find_places(before, outputs=outputs)
    if outputs not in known.values:
        names = [p.value.name or "" for p in places]
        data = {name: array[:most] if most else array for name, array in parts[0].items()}
        samples = len(next(iter(data.values())))
        known.values[outputs] = sampled(values_of(before, data, names), ELEMENTS, samples)
    formats = activation_scales(ties, known.values[outputs], settings, known.scales)
    after = clone(before)
    for place in find_places(after, outputs=outputs)[0]:
        form, step = formats[place.value.name or ""]
        insert_quantizer(after, place.value, place.uses, form, step, outward=place.outward)
    quantize_inputs(after, parts)
    return after


def rough(
    before: QonnxModel, parts: Parts, settings: Settings, *, outputs: bool
) -> QonnxModel:  # fmt: skip
    """Return a quantised model quickly: its bits are as asked for, its numbers nearly the best.

    Ranges are those of the data, weights are rounded to nearest.

    Args:
        before: the float model.
        parts: calibration data, held-out data.
        settings: bits.
        outputs: quantise outputs that are curves of integers, too.
    """
    quick = replace(settings, method="minmax")
    after = _with_activations(before, parts, quick, outputs=outputs)
    round_weights(after, quick)
    return after


def quantizes_outputs(before: QonnxModel, parts: Parts, settings: Settings) -> bool:
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


def input_bits(model: QonnxModel) -> dict[str, int]:
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
