"""Gives all layers integer weights, first to last, each with its predecessors quantised already."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.quantization.compensation import (
    Moments,
    fit_weights,
    moments,
    round_to_nearest,
)
from hwflow.frontends.quantization.insertion import insert_quantizer
from hwflow.frontends.quantization.known import Known, LayerFit
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of
from hwflow.frontends.quantization.ranges import Format
from hwflow.frontends.quantization.runs import clone, values_of
from hwflow.frontends.quantization.settings import Settings
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer

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
    known: Known | None = None,
) -> frozenset[str]:
    """Quantise the weights of all layers in place.

    Args:
        before: the float model.
        after: the same with quantised activations; its layers get quantisers for their weights.
        data: calibration samples.
        settings: bits, scales, corrections.
        input_bits: bits of each layer's activations, by the name of its node.
        progress: called with the share that is done.
        known: results of other quantisations, for independent layers; it gets these.

    Returns:
        Names of the nodes whose rounding errors were compensated.
    """
    originals = {layer.node.name: layer for layer in layers_of(before)}
    layers = list(layers_of(after))
    inputs = _Inputs(after, data, known or Known(), settings.independent)
    compensated = set()
    for i, layer in enumerate(layers):
        name = layer.node.name or ""
        bits = settings.weight(frozenset({layer.name}))
        form = Format(bits, signed=True)
        narrow = min(bits, input_bits[name]) <= COMPENSATED_BITS
        key = (name, bits, inputs.quantizers(layer))
        fit = inputs.known.fits.get(key)
        if fit is None:
            fit = fit_layer(originals[name], layer, inputs, form, settings, narrow=narrow)
        if settings.independent:
            inputs.known.fits[key] = fit
        apply_fit(layer, fit, form)
        if fit.compensated:
            compensated.add(name)
        progress((i + 1) / len(layers))
    return frozenset(compensated)


def fit_layer(
    original: Layer, layer: Layer, inputs: Inputs, form: Format, settings: Settings, *,
    narrow: bool,
) -> LayerFit:  # fmt: skip
    """Return a layer's quantised weights; ``narrow``: made up for with the data."""
    scale, matrix = _rounded(original, form, settings, mse=settings.method == "mse" or narrow)
    if narrow:
        return _compensated(original, layer, inputs, form=form, settings=settings, scale=scale)
    bias = _corrected_bias(original, layer, matrix, inputs) if settings.bias_correction else None
    return LayerFit(matrix, _stored(layer, scale, settings), bias, False)


def apply_fit(layer: Layer, fit: LayerFit, form: Format) -> None:
    """Give a layer its quantised weights, a quantiser behind them, and its bias."""
    layer.set_matrix(fit.matrix)
    insert_quantizer(layer.model, layer.weight, [(layer.node, 1)], form, fit.scale)
    if fit.bias is not None:
        layer.set_bias(fit.bias)


def round_weights(model: QonnxModel, settings: Settings) -> None:
    """Round the weights of all layers to nearest, in place, without data."""
    for layer in list(layers_of(model)):
        form = Format(settings.weight(frozenset({layer.name})), signed=True)
        scale, matrix = _rounded(layer, form, settings, mse=False)
        apply_fit(layer, LayerFit(matrix, _stored(layer, scale, settings), None, False), form)


def _rounded(layer: Layer, form: Format, settings: Settings, *, mse: bool) -> tuple[Floats, Floats]:
    """Return the scale of each output and the weights rounded to nearest."""
    matrix = layer.matrix()
    rows = matrix.reshape(-1, matrix.shape[2])
    scale = round_to_nearest(
        rows, form, per_channel=settings.per_channel, pow2=settings.pow2, mse=mse
    )
    return scale, form.quantized(rows, scale).reshape(matrix.shape)


def _stored(layer: Layer, scale: Floats, settings: Settings) -> Array:
    """Return a scale for each output, (outputs, 1), as the layer's quantiser stores it."""
    return layer.scale_shape(scale[:, 0]) if settings.per_channel else np.asarray(scale[0, 0])


class Inputs(Protocol):
    """Gives the inputs of layers on the data."""

    def moments(self, original: Layer, layer: Layer) -> list[Moments]:
        """Return the moments of each group of a layer."""
        ...


@dataclass(frozen=True, eq=False)
class _Inputs:
    """Gives the inputs of layers on the data.

    Attributes:
        model: the model that is quantised, its weights so far.
        data: calibration samples.
        known: moments of independent layers.
        independent: nothing is quantised but the input of the layer itself.
    """

    model: QonnxModel
    data: Mapping[str, Array]
    known: Known
    independent: bool

    def __post_init__(self) -> None:
        """Keep the model as it is before any weight is quantised."""
        if self.independent:
            object.__setattr__(self, "model", clone(self.model))

    def quantizers(self, layer: Layer) -> Hashable:
        """Return all that tells the quantisers before a layer from others."""
        if not self.independent:
            return ()
        return tuple(
            (q.name, *(float(array_of(v)) for v in q.inputs[1:] if v is not None))
            for q in feeding(layer.node)
        )

    def moments(self, original: Layer, layer: Layer) -> list[Moments]:
        """Return the moments of each group of a layer."""
        key = (layer.node.name, self.quantizers(layer))
        if key in self.known.moments:
            return self.known.moments[key]
        ours = _alone(self.model, layer.node.name or "") if self.independent else layer
        found = moments_of(original, ours, self.data)
        if self.independent:
            self.known.moments[key] = found
        return found


def moments_of(original: Layer, layer: Layer, data: Mapping[str, Array]) -> list[Moments]:
    """Return the moments of each group of a layer, its inputs from two models on the same data."""
    pairs = zip(_inputs(original, data, 0), _inputs(layer, data, 0), strict=True)
    return [moments(x, quantized) for x, quantized in pairs]


def feeding(node: ir.Node, quantizes: Callable[[ir.Node], bool] = is_quantizer) -> list[ir.Node]:
    """Return the quantisers whose results a layer takes, moved or not, in order of their names."""
    found, waiting = {}, [node.inputs[0]]
    while waiting:
        value = waiting.pop()
        producer = None if value is None else value.producer()
        if producer is None:
            continue
        if quantizes(producer):
            found[producer.name or ""] = producer
        else:
            waiting.extend(producer.inputs)
    return [found[name] for name in sorted(found)]


def _alone(model: QonnxModel, name: str) -> Layer:
    """Return a layer of a copy in which only its own input is quantised."""
    copy = clone(model)
    (layer,) = (found for found in layers_of(copy) if found.node.name == name)
    own = {node.name for node in feeding(layer.node)}
    for node in copy.ir.graph:
        if is_quantizer(node) and node.name not in own:
            assert node.inputs[0] is not None
            ir.convenience.replace_all_uses_with(node.outputs[0], node.inputs[0])
    return layer


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


def _compensated(
    original: Layer, layer: Layer, inputs: Inputs, *, form: Format, settings: Settings,
    scale: Floats,
) -> LayerFit:  # fmt: skip
    """Choose integers, scales and bias by the layer's results on the data."""
    matrix = original.matrix()
    fixed = None
    if not settings.per_channel and layer.groups > 1:  # which would not agree on one scale
        fixed = float(np.float32(scale[0, 0]))
    fits = [
        fit_weights(
            rows, m, form, per_channel=settings.per_channel, pow2=settings.pow2, fixed=fixed
        )
        for rows, m in zip(matrix, inputs.moments(original, layer), strict=True)
    ]
    scale = np.concatenate([fit.scale for fit in fits])[:, None]
    bias = original.bias()
    return LayerFit(
        np.array([fit.weights for fit in fits]),
        _stored(layer, scale, settings),
        np.concatenate([f.offset for f in fits]) + (0.0 if bias is None else bias),
        True,
    )


def _corrected_bias(original: Layer, layer: Layer, matrix: Floats, inputs: Inputs) -> Floats:
    """Return the bias that makes the mean of each result what it was.

    arXiv:1906.04721, section 4.2, with data.
    """
    stored = matrix.astype(np.float32).astype(np.float64)
    offsets = [
        w @ m.mean - q @ m.mean_quantized
        for w, q, m in zip(original.matrix(), stored, inputs.moments(original, layer), strict=True)
    ]
    bias = original.bias()
    found: Floats = np.concatenate(offsets) + (0.0 if bias is None else bias)
    return found
