"""Bodies of pooling and of means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.codegen.golden import integers
from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.emit.windows import padded, taps
from hwflow.codegen.golden.values import DOUBLE_BITS, FLOAT_BITS, Carrier, Span, Tensor, carrier
from hwflow.fixed import FixedType, shift_left
from hwflow.ir.tensor import TensorType
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.mean import Mean, halvings
from hwflow.ops.shared.window import Window
from hwflow.ops.sum import Sum

Result = tuple[Tensor, Span, bool]

SPARE_BITS = 3
"""A quotient is not closer to an integer or a half than ``1 / (2 d)`` unless it is one. Two
rounding errors stay below that while the dividend has three bits less than the significand."""


def max_pool(
    op: MaxPool, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> Result:
    """Write the greatest element of each window."""
    (x,), (x_t,) = operands, types
    window = op.window(x.shape)
    integers_only = x.carrier is Carrier.INT64
    x = body.channels_last(x) if integers_only else body.channels_first(x)
    x = padded(body, x, window, x_t.dtype.raw_min)
    if integers_only:  # ONNX defines no such MaxPool
        seen = [tap for _, tap in taps(body, x, window)]
        y = Tensor(body.node("Max", *seen), (), x.carrier)
    else:
        y = body.apply("MaxPool", x, kernel_shape=list(window.kernel), strides=list(window.strides))
    y = replace(y, shape=(*window.out, x.shape[-1]))
    lo = min(x_t.bounds[0], x_t.dtype.raw_min if window.pads else x_t.bounds[0])
    return _squeezed(op, body, y), Span(lo, x_t.bounds[1], x_t.dtype.fractional), False


def _squeezed(op: Any, body: Body, y: Tensor) -> Tensor:
    return body.reshaped(y, (y.shape[-1],)) if op.squeeze else y


def average_pool(
    op: AveragePool, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> Result:
    """Write the mean of each window, or its sum."""
    (x,), (x_t,) = operands, types
    window, divisors = op.window(x.shape), op.divisors(x.shape)
    count = int(np.prod(window.kernel))
    lo, hi = min(x_t.bounds[0] * count, 0), max(x_t.bounds[1] * count, 0)
    sums = Span(lo, hi, x_t.dtype.fractional)
    dtype = op._dtype(x_t)
    largest = int(divisors.max())
    if dtype is None:
        reach = sums.largest * largest
        total = _window_sums(body, body.carried(x, carrier(reach, "a mean")), window)
        factors = np.broadcast_to((largest // divisors)[..., None], total.shape)
        y = total if (factors == 1).all() else _times(body, total, factors)
        span = Span(lo * largest, hi * largest, op._fractional(x_t, divisors))
        return _squeezed(op, body, y), span, False
    total = _window_sums(body, body.carried(x, _division_carrier(sums, dtype)), window)
    full = np.broadcast_to(divisors[..., None], total.shape)
    y, span = _divided(body, total, sums, dtype, full if (full != full.flat[0]).any() else largest)
    return _squeezed(op, body, y), span, False


def _times(body: Body, x: Tensor, factors: Any) -> Tensor:
    return body.apply("Mul", x, body.number(x, factors, "factors"))


def _window_sums(body: Body, x: Tensor, window: Window) -> Tensor:
    """Return the sum of the elements in each window."""
    channels = x.shape[-1]
    shape = (*window.out, channels)
    if window.kernel == window.padded:
        x = body.channels_first(x)
        axes = body.constant(range(2, len(x.shape) + 1), np.int64, "axes")
        return replace(body.apply("ReduceSum", x, axes), shape=shape)
    if x.carrier is not Carrier.FLOAT32:  # ONNX Runtime convolves float32 only
        total = ""
        for _, seen in taps(body, padded(body, body.channels_last(x), window, 0), window):
            total = body.node("Add", total, seen) if total else seen
        return Tensor(total, shape, x.carrier)
    x = body.channels_first(x)
    ones = body.constant(np.ones((channels, 1, *window.kernel)), np.float32, "ones")
    y = body.apply(
        "Conv", x, ones, kernel_shape=list(window.kernel), strides=list(window.strides),
        pads=[*window.begin, *window.end], group=channels,
    )  # fmt: skip
    return replace(y, shape=shape)


def _division_carrier(sums: Span, to: FixedType) -> Carrier:
    up = max(to.fractional - sums.fractional, 0)
    reach = sums.largest << up
    bits = reach.bit_length() + SPARE_BITS
    if bits <= FLOAT_BITS:
        return Carrier.FLOAT32
    if bits <= DOUBLE_BITS:
        return Carrier.FLOAT64
    carrier(4 * reach, "a mean")  # a dividend is doubled, and its divisor added
    return Carrier.INT64


def _divided(
    body: Body, x: Tensor, sums: Span, to: FixedType, divisors: Any
) -> tuple[Tensor, Span]:
    """Return sums divided and rounded as ``ops._division.divide_to`` does, then overflowed."""
    up = to.fractional - sums.fractional
    x = body.scaled(x, max(up, 0))
    by = shift_left(np.asarray(divisors), max(-up, 0))
    if x.carrier is Carrier.INT64:
        y = integers.divided(body, x, by, to.rounding)
    else:
        y = body.rounded(body.apply("Div", x, body.number(x, by, "divisors")), to.rounding)
    lo, hi = (min(sums.lo << max(up, 0), 0), max(sums.hi << max(up, 0), 0))
    least = int(np.min(by))
    reached = Span(lo // least - 1, hi // least + 1, to.fractional)
    return body.cast(y, reached, to)


def several(op: Any, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]) -> Result:
    """Write the sum, or the mean, of several values of one shape."""
    lo, hi, fractional = op.total(*types)
    reach = max(sum(max(map(abs, t.bounds)) << (fractional - t.dtype.fractional) for t in types), 1)
    sums = Span(int(lo.min()), int(hi.max()), fractional)
    mean = op._dtype(*(t.dtype for t in types)) if isinstance(op, Mean) else None
    within = carrier(reach, "a sum") if mean is None else _division_carrier(
        Span(-reach, reach, fractional), mean
    )  # fmt: skip
    total = None
    for x, t in zip(operands, types, strict=True):
        x = body.scaled(
            body.carried(body.channels_last(x), within), fractional - t.dtype.fractional
        )
        total = x if total is None else body.apply("Add", total, x.name)
    assert total is not None
    if mean is not None:
        return *_divided(body, total, sums, mean, len(operands)), False
    if isinstance(op, Mean):
        sums = replace(sums, fractional=fractional + halvings(len(operands)))
    return total, sums, False


EMITTERS: dict[Any, Callable[..., Result]] = {
    MaxPool: max_pool, AveragePool: average_pool, Sum: several, Mean: several,
}  # fmt: skip
