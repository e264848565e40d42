"""Layers that scale and shift the data in front of a network: ``Rescaling``, ``Normalization``."""

from __future__ import annotations

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


NORMALIZATION: dict[str, Convert] = {"Rescaling": _rescaling, "Normalization": _normalization}
"""Converters of layers that scale and shift the data, by class name."""
