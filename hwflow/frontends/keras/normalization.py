"""Layers that scale and shift data by constants, and those that do so by its own statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.frontends.keras.layers import Convert, Layer
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.writer import Writer

SMALLEST_DEVIATION = np.float32(1e-7)
"""``keras.config.epsilon()``: ``Normalization`` divides by no less."""


def _rescaling(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    source = b.keras(x[0])
    scaled = b.unary("Mul", source, _numbers(layer.scale))
    offset = _numbers(layer.offset)
    return b.unary("Add", scaled, offset) if np.any(offset) else scaled


def _normalization(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    source = b.keras(x[0])
    mean, variance = _moments(layer, source.shape)
    deviation = np.maximum(np.sqrt(variance), SMALLEST_DEVIATION)
    if getattr(layer, "invert", False):
        return b.unary("Add", b.unary("Mul", source, deviation), mean)
    return b.unary("Div", b.unary("Sub", source, mean), deviation)


def _moments(
    layer: Layer, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return mean and variance: those given, or those that ``adapt`` found."""
    given = getattr(layer, "input_mean", None), getattr(layer, "input_variance", None)
    if given[0] is None and getattr(layer, "adapt_mean", None) is None:
        given = layer.mean, layer.variance
    elif given[0] is None:
        given = layer.adapt_mean, layer.adapt_variance
    kept = {axis % (len(shape) + 1) for axis in _axes(layer.axis)}
    spread = [size if axis in kept else 1 for axis, size in enumerate(shape, 1)]
    mean, variance = (np.broadcast_to(_reshaped(_numbers(v), spread), spread) for v in given)
    return mean, variance


def _axes(axis: Any) -> tuple[int, ...]:
    if axis is None:
        return ()
    return (axis,) if isinstance(axis, int) else tuple(int(a) for a in axis)


def _reshaped(values: npt.NDArray[np.float32], spread: list[int]) -> npt.NDArray[np.float32]:
    """Return the values of the axes that are kept as they lie in the data."""
    return values.reshape(spread) if values.size == np.prod(spread) else values


def _numbers(given: Any) -> npt.NDArray[np.float32]:
    """Return a setting of one number or several, or an array, in float32."""
    if isinstance(given, dict):
        given = given["config"]["value"]
    return np.asarray(given, np.float32)


def _layer_norm(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    source, first = _trailing(b, layer, x)
    if getattr(layer, "rms_scaling", False):
        raise b.refusal(
            "layer normalisation that divides by a deviation without subtracting the mean",
            found="rms_scaling=True",
            supported="rms_scaling=False, or RMSNormalization",
        )
    shape = source.shape[first - 1 :]
    names = []
    for role, default in (("gamma", np.ones), ("beta", np.zeros)):
        given = getattr(layer, role, None)
        values = default(shape) if given is None else np.asarray(given)
        names.append(b.constant(role, values.astype(np.float32)))
    epsilon = float(np.float32(layer.epsilon))
    inputs = [source.name, *names]
    name = b.node("LayerNormalization", inputs, axis=first, epsilon=epsilon)
    return replace(source, name=name)


def rms_norm(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """Append Keras 3's ``RMSNormalization``, in operators that ONNX had before it had this one."""
    source, first = _trailing(b, layer, x)
    axes = b.constant("axes", range(first, len(source.shape) + 1), np.int64)
    squares = b.node("ReduceMean", [b.node("Mul", [source.name, source.name]), axes])
    epsilon = b.constant("epsilon", np.float32(layer.epsilon))
    root = b.node("Sqrt", [b.node("Add", [squares, epsilon])])
    scale = b.constant("scale", np.asarray(layer.scale, np.float32))
    name = b.node("Mul", [b.node("Div", [source.name, root]), scale])
    return replace(source, name=name)


def _trailing(b: Writer, layer: Layer, x: list[Tensor]) -> tuple[Tensor, int]:
    """Return the value in Keras' order, and the first of the axes that are normalised over."""
    source = b.keras(x[0])
    rank = len(source.shape) + 1
    axes = sorted(axis % rank for axis in _axes(layer.axis))
    if 0 in axes or axes != list(range(rank - len(axes), rank)):
        raise b.refusal(
            "normalisation over axes that are not the last ones",
            found=f"axis={axes}",
            supported="the last axis, or the last ones, without the batch",
        )
    return source, axes[0]


NORMALIZATION: dict[str, Convert] = {
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "LayerNormalization": _layer_norm,
}
"""Converters of layers that scale and shift the data, by class name."""
