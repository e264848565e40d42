"""Elementwise operators: sums, products, and functions of one value as tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwflow.frontends.tflite.hard_swish import hard_swish as swished
from hwflow.frontends.tflite.integers import (
    ADD_SHIFT,
    F32,
    Integers,
    gelu_by_tanh,
    hyperbolic_tangent,
    leaky,
    looked_up,
    multiply_twice_rounded,
    quantize_multiplier,
    rescaled,
    sigmoid,
)
from hwflow.frontends.tflite.integers import gelu as by_error_function
from hwflow.frontends.tflite.layers import Limits, limits, requantized
from hwflow.frontends.tflite.pooling import same_meaning
from hwflow.frontends.tflite.writer import Activation, Writer

MOST_GROWTH = 2.0**22
"""Factors below this keep mantissas of 9 bits within the 32 of TFLite's integers."""


def _require_factors(writer: Writer, *factors: float) -> None:
    """Refuse factors that TFLite's 32-bit integers would overflow with."""
    if max(factors) >= MOST_GROWTH:
        writer.refuse("scales that are too far apart", found=f"a factor of {max(factors):g}")


def _mantissas(x: Activation) -> Integers:
    return np.arange(x.lo, x.hi + 1)


def add(writer: Writer) -> None:
    """Write ``ADD`` or ``SUB``: both operands on a scale 2**20 finer than the coarser one's."""
    assert writer.operator is not None
    a, b = (writer.activation(writer.operand(i)) for i in (0, 1))
    y = writer.activation(writer.result())
    shapes = {writer.tensor(i).shape for i in (writer.operand(0), writer.operand(1))}
    if len(shapes) > 1:
        writer.refuse(
            "a sum of operands of different shapes",
            found=" and ".join(map(str, sorted(shapes))),
            help="write a mean and a deviation of each channel (Normalization) as a "
            "DepthwiseConv2D of 1 x 1 with a bias, and one for all channels as Rescaling",
        )
    twice = 2 * max(a.scale, b.scale)
    sign = -1 if writer.operator.kind == "SUB" else 1
    tables = [
        side
        * multiply_twice_rounded(_mantissas(x) << ADD_SHIFT, *quantize_multiplier(x.scale / twice))
        for side, x in ((1, a), (sign, b))
    ]
    multiplier, shift = quantize_multiplier(twice / ((1 << ADD_SHIFT) * y.scale))
    if shift > 0:
        writer.refuse("scales that are too far apart", found=f"2**{shift} times its own result")
    lo, hi = limits(writer, y, int(writer.operator.option(0, "b")))
    operands = [writer.value(writer.operand(0)), writer.value(writer.operand(1))]
    operands += [writer.integers(n, t) for n, t in zip("ab", tables, strict=True)]
    operands += [writer.integers("multiplier", multiplier), writer.integers("shift", shift)]
    writer.integer_node(
        "Add", operands, writer.result(),
        first_a=a.lo, first_b=b.lo, zero_point=0, minimum=lo, maximum=hi,
    )  # fmt: skip


def mul(writer: Writer) -> None:
    """Write ``MUL``; the factor is computed in float32 (``mul.cc``)."""
    assert writer.operator is not None
    a, b = (writer.activation(writer.operand(i)) for i in (0, 1))
    y = writer.activation(writer.result())
    factors = []
    for position, x in ((0, a), (1, b)):
        index = writer.operand(position)
        data = writer.tensor(index).data
        whole = None if data is None else data.astype(np.int64) - x.zero_point
        factors.append(writer.value(index) if whole is None else writer.quantized("factor", whole))
    real = float(np.float32(a.scale) * np.float32(b.scale) / np.float32(y.scale))
    bounds = limits(writer, y, int(writer.operator.option(0, "b")))
    total = writer.node("Mul", factors)
    zero, pair = np.zeros(1, np.int64), quantize_multiplier(real)
    requantized(writer, total, bias=zero, multipliers=[pair], bounds=bounds, to=writer.result())


def _tabulated(writer: Writer, results: Integers, bounds: Limits) -> None:
    x = writer.activation(writer.operand(0))
    table = writer.integers("table", np.clip(results, *bounds))
    inputs = [writer.value(writer.operand(0)), table]
    writer.integer_node("Table", inputs, writer.result(), first=x.lo)


def rescale(fused: int) -> Callable[[Writer], None]:
    """Return what writes a change of scale with an activation: ``QUANTIZE``, ``RELU``, ..."""

    def write(writer: Writer) -> None:
        x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
        _require_factors(writer, x.scale / y.scale)
        results = rescaled(_mantissas(x), x.scale / y.scale)
        _tabulated(writer, results, limits(writer, y, fused))

    return write


def leaky_relu(writer: Writer) -> None:
    """Write ``LEAKY_RELU``; its two factors are computed in float32 (``activations.cc``)."""
    assert writer.operator is not None
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    alpha, scale, out = (np.float32(v) for v in (writer.operator.option(0, "f"), x.scale, y.scale))
    if not np.isfinite(alpha) or alpha < 0:
        writer.refuse("a leaky relu with this slope", found=f"alpha = {alpha:g}")
    _require_factors(writer, x.scale / y.scale, x.scale * float(alpha) / y.scale)
    _tabulated(
        writer, leaky(_mantissas(x), float(scale / out), float(scale * alpha / out)), (y.lo, y.hi)
    )


def curve(function: Callable[[F32], F32]) -> Callable[[Writer], None]:
    """Return what writes a function that TFLite looks up: ``LOGISTIC``, ``TANH``."""

    def write(writer: Writer) -> None:
        x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
        _tabulated(writer, looked_up(_mantissas(x), function, x.scale, y.scale), (y.lo, y.hi))

    return write


def gelu(writer: Writer) -> None:
    """Write ``GELU``, by the error function or by the hyperbolic tangent."""
    assert writer.operator is not None
    curve(gelu_by_tanh if writer.operator.option(0, "b") else by_error_function)(writer)


def hard_swish(writer: Writer) -> None:
    """Write ``HARD_SWISH``."""
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    results = swished(_mantissas(x), x.scale, y.scale)
    if results is None:
        writer.refuse(
            "scales that are too far apart", found=f"{x.scale:g} and {y.scale:g}",
            supported="a result whose scale is at least 1/128 of the operand's",
        )  # fmt: skip
    _tabulated(writer, results, (y.lo, y.hi))


def prelu(writer: Writer) -> None:
    """Write ``PRELU``: a table for each slope.

    Its factors are computed in float32 (``PreluPrepare``; ``BroadcastPrelu4DSlow``).
    """
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    slopes = writer.activation(writer.operand(1))
    alpha = writer.constant(writer.operand(1), "slopes").astype(np.int64) - slopes.zero_point
    shape = writer.tensor(writer.operand(0)).shape
    if alpha.ndim > len(shape) or writer.tensor(writer.result()).shape != shape:
        writer.refuse("slopes that do not broadcast", found=f"{alpha.shape} to {shape}")
    scale, by, out = (np.float32(v.scale) for v in (x, slopes, y))
    factors = float(scale / out), float(scale * by / out)
    _require_factors(writer, factors[0], factors[1] * 256)
    kinds, which = np.unique(alpha, return_inverse=True)
    m = _mantissas(x)
    tables = [np.where(m >= 0, rescaled(m, factors[0]), rescaled(m * a, factors[1])) for a in kinds]
    table = writer.integers("table", np.clip(np.concatenate(tables), y.lo, y.hi))
    first = writer.integers("first", x.lo - len(m) * which.reshape(alpha.shape))
    operands = [writer.value(writer.operand(0)), table, first]
    writer.integer_node("Tables", operands, writer.result())


def extreme(op: str) -> Callable[[Writer], None]:
    """Return what writes the greater or the lesser of two operands: ``MAXIMUM``, ``MINIMUM``."""

    def write(writer: Writer) -> None:
        operands = []
        for position in (0, 1):
            y, index = same_meaning(writer, position), writer.operand(position)
            data = writer.tensor(index).data
            if data is None:
                operands.append(writer.value(index))
            else:
                whole = data.astype(np.int64) - y.zero_point
                operands.append(writer.initializer("bound", whole, np.float32))
        writer.node(op, operands, to=writer.result())

    return write


LOGISTIC, TANH = curve(sigmoid), curve(hyperbolic_tangent)


def softmax(writer: Writer) -> None:
    """Write ``SOFTMAX``, which hardware computes from tables of its own, approximately."""
    assert writer.operator is not None
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    factor = np.float32(x.scale) * np.float32(writer.operator.option(0, "f"))
    real = writer.node(
        "Mul", [writer.value(writer.operand(0)), writer.initializer("scale", factor, np.float32)]
    )
    writer.quantize(writer.node("Softmax", [real], axis=-1), y, writer.result())
