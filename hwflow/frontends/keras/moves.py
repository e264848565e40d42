"""Pooling, and layers that only move values."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.convolutions import Window, check_layout
from hwflow.frontends.keras.layers import Convert, Layer, quantizer_of
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.weights import evaluate
from hwflow.frontends.keras.writer import Writer


def _pool(op: str) -> Convert:
    def convert(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
        check_layout(b, layer)
        source = b.spatial(x[0])
        window = Window.of(layer, len(source.shape) - 1, "pool_size")
        sizes = source.shape[:-1]
        name = b.node(
            op,
            [source.name],
            kernel_shape=window.size,
            strides=window.strides,
            pads=window.pads(sizes),
        )
        found = Tensor(name, (*window.result(sizes), source.shape[-1]), channels_first=True)
        return _quantized_mean(b, layer, found, prod(window.size))

    return convert


def _global_pool(op: str) -> Convert:
    def convert(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
        check_layout(b, layer)
        source = b.spatial(x[0])
        rank = len(source.shape) - 1
        one = Tensor(
            b.node(op, [source.name]), (*(1,) * rank, source.shape[-1]), channels_first=True
        )
        found = _quantized_mean(b, layer, one, prod(source.shape[:-1]))
        if getattr(layer, "keepdims", False):
            return found
        shape = b.constant("shape", [1, found.shape[-1]], np.int64)
        return Tensor(b.node("Reshape", [b.keras(found).name, shape]), found.shape[-1:])

    return convert


def _quantized_mean(b: Writer, layer: Layer, x: Tensor, area: int) -> Tensor:
    """Append what QKeras' poolings do to the mean: a quantised factor, and an activation."""
    quantizer = quantizer_of(layer, "average")
    if quantizer is not None:
        factor = evaluate(quantizer, np.float32(1.0 / area))
        x = b.unary("Mul", x, np.float64(area) * factor)
    return activate(b, x, getattr(layer, "activation", None))


def _flatten(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    check_layout(b, layer)
    return b.reshaped(x[0], (prod(x[0].shape),))


def _reshape(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    sizes = [int(s) for s in layer.target_shape]
    known = prod(s for s in sizes if s >= 0)
    return b.reshaped(x[0], tuple(prod(x[0].shape) // known if s < 0 else s for s in sizes))


def _permute(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    source = b.keras(x[0])
    dims = [int(d) for d in layer.dims]
    name = b.node("Transpose", [source.name], perm=[0, *dims])
    return Tensor(name, tuple(source.shape[d - 1] for d in dims))


def _zero_padding(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    check_layout(b, layer)
    source = b.spatial(x[0])
    pairs = _pairs(layer.padding, len(source.shape) - 1)
    pads = [0, 0, *(p[0] for p in pairs), 0, 0, *(p[1] for p in pairs)]
    name = b.node("Pad", [source.name, b.constant("pads", pads, np.int64)])
    sizes = (s + sum(p) for s, p in zip(source.shape, pairs, strict=False))
    return replace(source, name=name, shape=(*sizes, source.shape[-1]))


def _cropping(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    check_layout(b, layer)
    source = b.spatial(x[0])
    pairs = _pairs(layer.cropping, len(source.shape) - 1)
    ends = [s - p[1] for s, p in zip(source.shape, pairs, strict=False)]
    operands = [[p[0] for p in pairs], ends, range(2, 2 + len(pairs))]
    names = [b.constant("slice", list(values), np.int64) for values in operands]
    name = b.node("Slice", [source.name, *names])
    sizes = (end - p[0] for end, p in zip(ends, pairs, strict=True))
    return replace(source, name=name, shape=(*sizes, source.shape[-1]))


def _repeat_vector(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    times, (features,) = int(layer.n), x[0].shape
    row = b.reshaped(x[0], (1, features))
    name = b.node("Tile", [row.name, b.constant("repeats", [1, times, 1], np.int64)])
    return replace(row, name=name, shape=(times, features))


def _pairs(given: tuple[int, int] | tuple[tuple[int, int], ...], rank: int) -> list[list[int]]:
    """Return begin and end for each spatial axis; Keras has no outer tuple for one axis."""
    return np.asarray(given, np.int64).reshape(rank, 2).tolist()


MOVES: dict[str, Convert] = {
    "MaxPooling1D": _pool("MaxPool"),
    "MaxPooling2D": _pool("MaxPool"),
    "AveragePooling1D": _pool("AveragePool"),
    "AveragePooling2D": _pool("AveragePool"),
    "QAveragePooling2D": _pool("AveragePool"),
    "GlobalMaxPooling1D": _global_pool("GlobalMaxPool"),
    "GlobalMaxPooling2D": _global_pool("GlobalMaxPool"),
    "GlobalAveragePooling1D": _global_pool("GlobalAveragePool"),
    "GlobalAveragePooling2D": _global_pool("GlobalAveragePool"),
    "QGlobalAveragePooling2D": _global_pool("GlobalAveragePool"),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
    "Cropping1D": _cropping,
    "Cropping2D": _cropping,
}
"""Converters of layers that only move values, by class name."""
