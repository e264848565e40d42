"""Post-training quantisation: a float model and some data become a QONNX model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwflow import frontends
from hwflow.core.errors import CompileError
from hwflow.frontends.ensemble import save_model
from hwflow.frontends.quantization.cost import Cost, LayerCost, layer_sqnr, output_costs
from hwflow.frontends.quantization.equalization import equalize as equalize_layers
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.places import Place, find_places
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.requantized import requantize
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.samples import Samples, split
from hwflow.frontends.quantization.settings import Settings, make_settings, unknown_names
from hwflow.frontends.quantization.trained import is_trained
from hwflow.frontends.quantization.trial import refusals
from hwflow.frontends.quantization.work import (
    Array,
    Progress,
    Worked,
    quantizes_outputs,
    silent,
    work_out,
)
from hwflow.frontends.sources import by_name
from hwflow.ir.qonnx.model import QonnxModel, origin

__all__ = ["Quantized", "quantize"]


@dataclass(frozen=True, eq=False)
class Quantized:
    """A model's quantised form.

    Attributes:
        model: the model at the QONNX level; ``hwflow.compile`` takes it.
        cost: what it lost against the model that was given, on held-out data.
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
    bias_correction: bool = False, asymmetric: bool = False, independent: bool = False,
    progress: Progress = silent,
) -> Quantized:  # fmt: skip
    """Quantise a float model with calibration data, or give a quantised one fewer bits.

    Args:
        source: what ``load`` takes, in floating point or quantised, or ``FILE.py:FUNCTION``.
        data: an array for a single input, arrays by input name (labels as ``y``), the path of a
            data file, or ``FILE.py:FUNCTION``. A fifth, drawn at random, is held out to measure
            the cost.
        bits: ``w`` of weights, ``a`` of activations, ``NAME.w`` and ``NAME.a`` of one layer.
        example: an input, for a live torch module; a sample of ``data`` unless given.
        per_channel: one weight scale for each output channel.
        scale: ``float``, or ``pow2`` for powers of two.
        method: method of choosing the range of activations: minmax, percentile, mse or entropy.
        equalize: cross-layer equalisation before.
        bias_correction: correct all biases for the mean error.
        asymmetric: zero points for activations of both signs.
        independent: choose each layer's weights by what the float model computes before it, as
            ``explore`` does; no layer's weights then depend on other layers' bits.
        progress: called as stages go on.

    Raises:
        CompileError: the model cannot be read, or does not fit the data; the settings
            cannot be used; or ``compile`` would refuse the result, with its findings.
    """
    settings = make_settings(
        bits, scale=scale, method=method, per_channel=per_channel, equalize=equalize,
        bias_correction=bias_correction, asymmetric=asymmetric, independent=independent,
    )  # fmt: skip
    progress("load", 0.0)
    source, data = by_name(source, data)
    model = frontends.load(source, _example(data) if example is None else example)
    if is_trained(model):
        progress("load", 1.0)
        return Quantized(*requantize(model, data, settings, progress))
    before = prepare(model)
    samples = split(before, data)
    progress("load", 1.0)
    return quantize_prepared(before, samples, settings, progress)


def _example(data: Any) -> Any:
    """Return a sample of a data array, from which a torch module can be exported."""
    return data[:1] if isinstance(data, np.ndarray) else None


def quantize_prepared(
    before: QonnxModel, samples: Samples, settings: Settings, progress: Progress = silent
) -> Quantized:
    """Quantise a prepared model as ``quantize`` does.

    Args:
        before: what ``prepare`` returned.
        samples: its data, a part held out.
        settings: how to quantise.
        progress: called as stages go on.

    Raises:
        CompileError: HW312, bits for a layer that is not there; or what ``compile`` would refuse.
    """
    reference = clone(before)
    _check_names(before, find_places(before, outputs=True)[0], settings)
    parts = (samples.calibration, samples.held_out)
    outputs = quantizes_outputs(before, parts, settings)
    if settings.equalize:
        equalize_layers(before)
    worked = work_out(before, parts, settings, outputs=outputs, progress=progress)
    found = refusals(worked.model)
    if found and not outputs:  # exact numbers were too wide, which the rough ones did not show
        worked = work_out(before, parts, settings, outputs=True, progress=progress)
        found = refusals(worked.model)
    if found:
        raise CompileError(found)
    progress("measure", 0.0)
    cost = Cost(
        _layer_costs(before, worked, data=samples.held_out, settings=settings),
        output_costs(reference, worked.model, samples.held_out, samples.labels),
        len(next(iter(samples.calibration.values()))),
        len(next(iter(samples.held_out.values()))),
    )
    progress("measure", 1.0)
    return Quantized(worked.model, cost)


def _check_names(model: QonnxModel, places: Iterable[Place], settings: Settings) -> None:
    """Refuse settings of layers that are not there.

    Raises:
        CompileError: HW312, for each of them.
    """
    weights = {layer.name for layer in layers_of(model)}
    findings = list(unknown_names(settings, weights, {n for p in places for n in p.names}))
    if findings:
        raise CompileError(findings)


def _layer_costs(
    before: QonnxModel, worked: Worked, *, data: Mapping[str, Array], settings: Settings
) -> tuple[LayerCost, ...]:
    """Return what each layer lost."""
    layers = list(layers_of(before))
    names = [layer.output.name or "" for layer in layers]
    ratios = layer_sqnr(before, worked.model, data, names)
    return tuple(
        LayerCost(
            name=origin(layer.node),
            operator=layer.node.op_type,
            weight_bits=settings.weight(frozenset({layer.name})),
            input_bits=worked.input_bits[layer.node.name or ""],
            scales=layer.matrix().shape[0] * layer.matrix().shape[1] if settings.per_channel else 1,
            compensated=(layer.node.name or "") in worked.compensated,
            sqnr_db=ratio,
        )
        for layer, ratio in zip(layers, ratios, strict=True)
    )
