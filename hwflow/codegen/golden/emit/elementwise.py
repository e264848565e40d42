"""Bodies of operators that work element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.codegen.golden import integers
from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.values import Carrier, Span, Tensor, carrier
from hwflow.fixed import Rounding, shift_left
from hwflow.ir.tensor import TensorType
from hwflow.ops.add import Add
from hwflow.ops.bipolar import Bipolar
from hwflow.ops.cast import Cast
from hwflow.ops.clip import Clip
from hwflow.ops.leaky_relu import LeakyRelu
from hwflow.ops.maximum import Maximum
from hwflow.ops.minimum import Minimum
from hwflow.ops.mul import Mul
from hwflow.ops.relu import Relu
from hwflow.ops.round_away import RoundAway
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.sub import Sub

Operands = Sequence[Tensor]
Types = Sequence[TensorType]
Result = tuple[Tensor, Span, bool]


def span_of(x: TensorType) -> Span:
    """Return where the mantissas of a value lie."""
    return Span(*x.bounds, x.dtype.fractional)


def common(body: Body, operands: Operands, types: Types) -> tuple[list[Tensor], list[Span]]:
    """Return operands on the finest of their grids, in one arithmetic and one order of axes."""
    fractional = max(t.dtype.fractional for t in types)
    spans = []
    for t in types:
        up = fractional - t.dtype.fractional
        spans.append(Span(t.bounds[0] << up, t.bounds[1] << up, fractional))
    within = carrier(sum(s.largest for s in spans), "a sum")
    first = all(x.first for x in operands)
    found = []
    for x, t in zip(operands, types, strict=True):
        x = x if first else body.channels_last(x)
        found.append(body.scaled(body.carried(x, within), fractional - t.dtype.fractional))
    return found, spans


def merged(body: Body, op_type: str, a: Tensor, b: Tensor) -> Tensor:
    """Return the result of an elementwise operator on two values that broadcast."""
    return replace(body.apply(op_type, a, b.name), shape=np.broadcast_shapes(a.shape, b.shape))


def add(op: Any, body: Body, operands: Operands, types: Types) -> Result:
    """Write a sum or a difference."""
    (a, b), (left, right) = common(body, operands, types)
    if isinstance(op, Sub):
        y = merged(body, "Sub", a, b)
        return y, Span(left.lo - right.hi, left.hi - right.lo, left.fractional), False
    y = merged(body, "Add", a, b)
    return y, Span(left.lo + right.lo, left.hi + right.hi, left.fractional), False


def extreme(op: Any, body: Body, operands: Operands, types: Types) -> Result:
    """Write the greater or the lesser of two values."""
    (a, b), (left, right) = common(body, operands, types)
    pick = max if isinstance(op, Maximum) else min
    y = merged(body, "Max" if pick is max else "Min", a, b)
    return y, Span(pick(left.lo, right.lo), pick(left.hi, right.hi), left.fractional), False


def multiply(op: Mul, body: Body, operands: Operands, types: Types) -> Result:
    """Write a product."""
    left, right = map(span_of, types)
    within = carrier(left.largest * right.largest, "a product")
    first = all(x.first for x in operands)
    a, b = (body.carried(x if first else body.channels_last(x), within) for x in operands)
    ends = [x * y for x in (left.lo, left.hi) for y in (right.lo, right.hi)]
    span = Span(min(ends), max(ends), left.fractional + right.fractional)
    return merged(body, "Mul", a, b), span, False


def relu(op: Relu, body: Body, operands: Operands, types: Types) -> Result:
    """Write the positive part."""
    span = span_of(types[0])
    span = replace(span, lo=max(span.lo, 0), hi=max(span.hi, 0))
    return body.positive(operands[0]), span, False


def cast(op: Cast, body: Body, operands: Operands, types: Types) -> Result:
    """Write nothing: the cast to ``result_t`` follows."""
    return operands[0], span_of(types[0]), False


def clip(op: Clip, body: Body, operands: Operands, types: Types) -> Result:
    """Write a value between bounds, on the finest of all grids."""
    (x,), (x_t,) = operands, types
    lo, hi, fractional = op._bounds(x_t)
    up = fractional - x_t.dtype.fractional
    ends = [end << up for end in x_t.bounds]
    within = carrier(max(map(abs, (*ends, int(lo), int(hi)))), "a bound")
    x = body.scaled(body.carried(x, within), up)
    y = body.apply("Clip", x, body.number(x, lo, "lo"), body.number(x, hi, "hi"))
    low, high = (min(max(end, int(lo)), int(hi)) for end in ends)
    return y, Span(low, high, fractional), False


def leaky_relu(op: LeakyRelu, body: Body, operands: Operands, types: Types) -> Result:
    """Write ``x`` above zero and ``slope * x`` below."""
    (x,), (x_t,) = operands, types
    product = x_t.dtype.fractional + op.slope.dtype.fractional
    fractional = max(x_t.dtype.fractional, product)
    above, below = fractional - x_t.dtype.fractional, fractional - product
    slope = shift_left(op.slope.raw, below)
    steepest = max(1 << above, int(np.abs(slope).max()))
    reach = max(map(abs, x_t.bounds)) * steepest
    x = body.carried(x, carrier(reach, "a product"))
    zero = body.number(x, 0.0)
    positive = body.scaled(body.positive(x), above)
    negative = body.apply("Min", x, zero)
    negative = body.apply("Mul", negative, body.number(x, slope, "slope"))
    return body.apply("Add", positive, negative.name), Span(-reach, reach, fractional), False


def bipolar(op: Bipolar, body: Body, operands: Operands, types: Types) -> Result:
    """Write ``level`` where a value is not negative, and ``-level`` elsewhere."""
    (x,) = operands
    largest = int(op.level.raw.max())
    x = body.carried(x, max(x.carrier, carrier(largest, "a level")))
    sign = body.node("GreaterOrEqual", x.name, body.number(x, 0.0))
    level, minus = body.number(x, op.level.raw, "level"), body.number(x, -op.level.raw, "minus")
    y = replace(x, name=body.node("Where", sign, level, minus))
    return y, Span(-largest, largest, op.level.dtype.fractional), False


def scale_bias(op: ScaleBias, body: Body, operands: Operands, types: Types) -> Result:
    """Write ``scale * x + bias``."""
    (x,), (x_t,) = operands, types
    scale, bias, up, fractional = op._aligned(x_t.dtype.fractional)
    factor = [int(v) << up for v in np.ravel(scale)]
    offset = int(np.abs(bias).max(initial=0))
    reach = max(map(abs, x_t.bounds)) * max(map(abs, factor), default=0) + offset
    x = body.carried(x, carrier(reach, "a scaled value"))
    constant = np.array(factor).reshape(np.shape(scale))
    y = body.apply("Mul", x, body.number(x, constant, "scale"))
    if np.any(bias):
        y = body.apply("Add", y, body.number(x, bias, "bias"))
    return y, Span(-reach, reach, fractional), False


def round_away(op: RoundAway, body: Body, operands: Operands, types: Types) -> Result:
    """Write values rounded away from zero."""
    (x,), span = operands, span_of(types[0])
    drop = max(span.fractional - op.fractional, 0)
    size = body.apply("Abs", x)
    if x.carrier is Carrier.INT64:
        size = body.apply("Add", size, body.number(x, (1 << drop) - 1, "below"))
        size = integers.divided(body, size, 1 << drop, Rounding.TRN_ZERO)
    else:
        size = body.apply("Ceil", body.scaled(size, -drop))
    y = body.apply("Mul", body.apply("Sign", x), size.name)
    lo, hi = (int(np.sign(v)) * -(-abs(v) >> drop) for v in (span.lo, span.hi))
    return y, Span(lo, hi, span.fractional - drop), False


EMITTERS: dict[Any, Callable[..., Result]] = {
    Add: add, Sub: add, Maximum: extreme, Minimum: extreme, Mul: multiply, Relu: relu, Cast: cast,
    Clip: clip, LeakyRelu: leaky_relu, Bipolar: bipolar, ScaleBias: scale_bias,
    RoundAway: round_away,
}  # fmt: skip
