"""A small QONNX model computed with fractions, one element at a time: slow, plain, independent."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

Exact = Any
"""Object arrays of ``Fraction``."""


def fractions_of(values: Any) -> Exact:
    array = np.asarray(values)
    out = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        out[index] = Fraction(array[index].item())
    return out


def half(x: Fraction, *, away: bool) -> int:
    whole = math.floor(abs(x))
    rest = abs(x) - whole
    if rest > Fraction(1, 2) or (away and rest == Fraction(1, 2)):
        whole += 1
    return whole if x > 0 else -whole


MODES: dict[str, Callable[[Fraction], int]] = {
    "ROUND": lambda x: (
        math.floor(x + Fraction(1, 2))
        if (x + Fraction(1, 2)).denominator != 1
        else 2 * math.floor((x + Fraction(1, 2)) / 2)
    ),
    "FLOOR": math.floor,
    "CEIL": math.ceil,
    "DOWN": lambda x: math.floor(x) if x > 0 else -math.floor(-x),
    "UP": lambda x: math.ceil(x) if x > 0 else -math.ceil(-x),
    "HALF_UP": lambda x: half(x, away=True),
    "HALF_DOWN": lambda x: half(x, away=False),
}


def quant(x: Exact, scale: Exact, zero: Exact, bits: Exact, attrs: Mapping[str, Any]) -> Exact:
    width, signed, narrow = int(bits.flat[0]), attrs["signed"], attrs["narrow"]
    low = -(2 ** (width - 1)) + narrow if signed else 0
    high = 2 ** (width - 1) - 1 if signed else 2**width - 1 - narrow
    mode = MODES[attrs["rounding_mode"].decode()]

    def one(v: Fraction, s: Fraction, z: Fraction) -> Fraction:
        y = v / s + z
        if signed and width == 1:
            return ((1 if y >= 0 else -1) - z) * s
        return (mode(min(max(y, Fraction(low)), Fraction(high))) - z) * s

    return np.frompyfunc(one, 3, 1)(x, scale, zero)


def each(function: Callable[..., Fraction]) -> Callable[..., Exact]:
    return lambda *operands: np.frompyfunc(function, len(operands), 1)(*operands)


def conv(x: Exact, w: Exact, attrs: Mapping[str, Any]) -> Exact:
    """Return a two-dimensional convolution by its definition."""
    strides, pads = attrs.get("strides", (1, 1)), attrs.get("pads", (0, 0, 0, 0))
    groups = attrs.get("group", 1)
    n, _, rows, columns = x.shape
    height = (rows + pads[0] + pads[2] - w.shape[2]) // strides[0] + 1
    width = (columns + pads[1] + pads[3] - w.shape[3]) // strides[1] + 1
    out = np.empty((n, len(w), height, width), object)
    for b, m, r, c in np.ndindex(out.shape):
        total = Fraction(0)
        for k, i, j in np.ndindex(w.shape[1:]):
            row, column = r * strides[0] + i - pads[0], c * strides[1] + j - pads[1]
            channel = m // (len(w) // groups) * w.shape[1] + k
            if 0 <= row < rows and 0 <= column < columns:
                total += x[b, channel, row, column] * w[m, k, i, j]
        out[b, m, r, c] = total
    return out


def batch_norm(x: Exact, *parameters: Exact, epsilon: float) -> Exact:
    gamma, beta, mean, var = (p.reshape(1, -1, *(1,) * (x.ndim - 2)) for p in parameters)
    digits = 10**90

    def root(v: Fraction) -> Fraction:
        v += Fraction(float(np.float32(epsilon)))
        return Fraction(math.isqrt(v.numerator * digits**2 // v.denominator), digits)

    return (x - mean) / each(root)(var) * gamma + beta


def leaky(x: Exact, alpha: float) -> Exact:
    slope = Fraction(float(np.float32(alpha)))
    return each(lambda v: v if v > 0 else v * slope)(x)


def halved(x: Exact) -> Exact:
    """Return the largest of each two by two elements."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


OPERATORS: dict[str, Callable[[list[Exact], dict[str, Any]], Exact]] = {
    "Quant": lambda a, attrs: quant(*a, attrs),
    "MatMul": lambda a, attrs: np.dot(a[0], a[1]),
    "Conv": lambda a, attrs: conv(a[0], a[1], attrs),
    "BatchNormalization": lambda a, attrs: batch_norm(*a, epsilon=attrs["epsilon"]),
    "Relu": lambda a, attrs: each(lambda v: max(v, Fraction(0)))(*a),
    "LeakyRelu": lambda a, attrs: leaky(a[0], attrs["alpha"]),
    "Clip": lambda a, attrs: each(lambda v, low, high: min(max(v, low), high))(*a),
    "Add": lambda a, attrs: a[0] + a[1],
    "Sub": lambda a, attrs: a[0] - a[1],
    "Mul": lambda a, attrs: a[0] * a[1],
    "Div": lambda a, attrs: a[0] / a[1],
    "MaxPool": lambda a, attrs: halved(a[0]),
    "GlobalAveragePool": lambda a, attrs: (
        a[0].sum(axis=(2, 3), keepdims=True) / (a[0].shape[2] * a[0].shape[3])
    ),
    "Flatten": lambda a, attrs: a[0].reshape(len(a[0]), -1),
    "Transpose": lambda a, attrs: a[0].transpose(attrs["perm"]),
    "Concat": lambda a, attrs: np.concatenate(a, axis=attrs["axis"]),
}


def evaluate(proto: onnx.ModelProto, x: Any) -> dict[str, Exact]:
    """Return every value of a model of one input ``x``, whose first axis is the batch."""
    held = {t.name: fractions_of(numpy_helper.to_array(t)) for t in proto.graph.initializer}
    held["x"] = fractions_of(x)
    for node in proto.graph.node:
        attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        result = OPERATORS[node.op_type]([held[name] for name in node.input], attrs)
        held[node.output[0]] = np.asarray(result, object)
    return held


def nearest(values: Exact) -> Any:
    return np.array([float(v) for v in values.ravel()]).reshape(values.shape)
