"""Gives all layers integer weights, first to last, each with its predecessors quantised already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.quantization.compensation import (
    Moments,
    fit_weights,
    moments,
    round_to_nearest,
)
from hwflow.frontends.quantization.insertion import insert_quantizer, set_scale
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of
from hwflow.frontends.quantization.ranges import Format
from hwflow.frontends.quantization.runs import values_of
from hwflow.frontends.quantization.settings import Settings
from hwflow.ir.qonnx.model import QonnxModel

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

COMPENSATED_BITS = 8
"""Widest weights or inputs whose rounding errors are made up for with the data. Beyond it
rounding to nearest is 48 dB and more below the values, and other noise decides."""

ROWS = 2**15
"""Rows of a layer's inputs that its moments are taken from, or more for wide layers."""

ROWS_PER_INPUT = 16


def quantize_weights(
    before: QonnxModel,
    after: QonnxModel,
    data: Mapping[str, Array],
    *,
    settings: Settings,
    input_bits: Mapping[str, int],
    progress: Callable[[float], None],
) -> frozenset[str]:
    """Quantise the weights of all layers in place.

    Args:
        before: the float model.
        after: the same with quantised activations; its layers get quantisers for their weights.
        data: calibration samples.
        settings: bits, scales, corrections.
        input_bits: bits of each layer's activations, by the name of its node.
        progress: called with the share that is done.

    Returns:
        Names of the nodes whose rounding errors were compensated.
    """
    originals = {layer.node.name: layer for layer in layers_of(before)}
    layers = list(layers_of(after))
    compensated = set()
    for i, layer in enumerate(layers):
        name = layer.node.name or ""
        bits = settings.weight(frozenset({layer.name}))
        form = Format(bits, signed=True)
        narrow = min(bits, input_bits[name]) <= COMPENSATED_BITS
        quantizer = _round(layer, form, settings, mse=settings.method == "mse" or narrow)
        if narrow:
            compensated.add(name)
            _compensate(originals[name], layer, quantizer, form=form, settings=settings, data=data)
        elif settings.bias_correction:
            _correct_bias(originals[name], layer, data)
        progress((i + 1) / len(layers))
    return frozenset(compensated)


def round_weights(model: QonnxModel, settings: Settings) -> None:
    """Round the weights of all layers to nearest, in place, without data."""
    for layer in list(layers_of(model)):
        form = Format(settings.weight(frozenset({layer.name})), signed=True)
        _round(layer, form, settings, mse=False)


def _round(layer: Layer, form: Format, settings: Settings, *, mse: bool) -> ir.Node:
    """Round a layer's weights to nearest and put a quantiser behind them."""
    matrix = layer.matrix()
    inputs = matrix.shape[2]
    rows = matrix.reshape(-1, inputs)
    scale = round_to_nearest(
        rows, form, per_channel=settings.per_channel, pow2=settings.pow2, mse=mse
    )
    layer.set_matrix(form.quantized(rows, scale).reshape(matrix.shape))
    stored = layer.scale_shape(scale[:, 0]) if settings.per_channel else scale[0, 0]
    weight = layer.weight
    return insert_quantizer(layer.model, weight, [(layer.node, 1)], form, stored)


def _inputs(layer: Layer, data: Mapping[str, Array], seed: int) -> Floats:
    """Return rows of a layer's inputs on the data; the same rows for the same seed."""
    rng = np.random.default_rng(seed)
    name = layer.node.inputs[0].name if layer.node.inputs[0] is not None else ""
    inputs = layer.matrix().shape[2]
    size = len(next(iter(data.values())))
    found = []
    for chunk in values_of(layer.model, data, [name or ""]):
        x = chunk[name or ""]
        limit = max(ROWS, ROWS_PER_INPUT * inputs) * len(x) // size + 1
        found.append(layer.rows(x, limit, rng))
    return np.concatenate(found, axis=1)


def _moments(original: Layer, layer: Layer, data: Mapping[str, Array]) -> list[Moments]:
    """Return the moments of each group of a layer."""
    exact, ours = _inputs(original, data, 0), _inputs(layer, data, 0)
    return [moments(x, quantized) for x, quantized in zip(exact, ours, strict=True)]


def _compensate(
    original: Layer, layer: Layer, quantizer: ir.Node, *, form: Format, settings: Settings,
    data: Mapping[str, Array],
) -> None:  # fmt: skip
    """Choose integers, scales and bias by the layer's results on the data."""
    matrix = original.matrix()
    fixed = None
    if not settings.per_channel and layer.groups > 1:  # which would not agree on one scale
        assert quantizer.inputs[1] is not None
        fixed = float(array_of(quantizer.inputs[1]))
    fits = [
        fit_weights(
            rows, m, form, per_channel=settings.per_channel, pow2=settings.pow2, fixed=fixed
        )
        for rows, m in zip(matrix, _moments(original, layer, data), strict=True)
    ]
    layer.set_matrix(np.array([fit.weights for fit in fits]))
    scale = np.concatenate([fit.scale for fit in fits])
    set_scale(quantizer, layer.scale_shape(scale) if settings.per_channel else scale[0])
    bias = original.bias()
    layer.set_bias(np.concatenate([f.offset for f in fits]) + (0.0 if bias is None else bias))


def _correct_bias(original: Layer, layer: Layer, data: Mapping[str, Array]) -> None:
    """Make the mean of each result what it was (arXiv:1906.04721, section 4.2, with data)."""
    found = _moments(original, layer, data)
    offsets = [
        w @ m.mean - q @ m.mean_quantized
        for w, q, m in zip(original.matrix(), layer.matrix(), found, strict=True)
    ]
    bias = original.bias()
    layer.set_bias(np.concatenate(offsets) + (0.0 if bias is None else bias))
