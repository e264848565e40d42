"""Casts of ap_fixed in standard operators: rounding, and what becomes of values out of range."""

from __future__ import annotations

from dataclasses import replace

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.body import integers
from hwflow.ir.body.values import DOUBLE_BITS, Carrier, Span, Tensor, carrier
from hwflow.ir.body.writer import Body


def rounded(body: Body, x: Tensor, rounding: Rounding) -> Tensor:
    """Return real numbers rounded to integers as ap_fixed does; see ``Rounding``.

    Halves are found by doubling, which is exact: ``ceil(floor(2 x) / 2)`` rounds them up.
    """
    match rounding:
        case Rounding.TRN:
            return body.apply("Floor", x)
        case Rounding.RND_CONV:
            return body.apply("Round", x)  # ONNX rounds halves to even
        case Rounding.RND:
            return _nearest(body, x, "Floor", "Ceil")
        case Rounding.RND_MIN_INF:
            return _nearest(body, x, "Ceil", "Floor")
    sign, size = body.apply("Sign", x), body.apply("Abs", x)
    if rounding is Rounding.RND_INF:
        size = _nearest(body, size, "Floor", "Ceil")
    elif rounding is Rounding.RND_ZERO:
        size = _nearest(body, size, "Ceil", "Floor")
    else:
        size = body.apply("Floor", size)
    return body.apply("Mul", sign, size.name)


def _nearest(body: Body, x: Tensor, inner: str, outer: str) -> Tensor:
    return body.apply(outer, body.scaled(body.apply(inner, body.scaled(x, 1)), -1))


def cast(
    body: Body, x: Tensor, span: Span, to: FixedType, *, divided: bool = False
) -> tuple[Tensor, Span]:
    """Return mantissas assigned to a type, as ``FixedArray.cast`` does.

    Args:
        body: the body that is written.
        x: mantissas; or with ``divided``, those divided by what their grid is finer.
        span: where the mantissas lie.
        to: the type.
        divided: the division was done already.

    Raises:
        NoGoldenError: int64 is too narrow.
    """
    drop = span.fractional - to.fractional
    if drop > 0:
        lo, hi = span.lo >> drop, -(-span.hi >> drop)
    else:
        lo, hi = span.lo << -drop, span.hi << -drop
    inside = to.raw_min <= lo and hi <= to.raw_max
    saturates = to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    at_zero = saturates and to.raw_min == 0 and hi <= to.raw_max  # no other end is met
    reach = max(span.largest, abs(lo), abs(hi), 0 if inside or at_zero else 1 << to.width)
    if x.carrier is Carrier.INT64 or reach > 2**DOUBLE_BITS:
        if divided:
            x, span = rounded(body, x, to.rounding), Span(lo, hi, to.fractional)
        carrier(2 * span.largest, "a cast")  # with room for what rounding adds
        x = integers.cast(body, body.carried(x, Carrier.INT64), span, to)
        return x, _after(to, lo, hi)
    x = body.carried(x, max(x.carrier, carrier(reach, "a cast")))
    if not divided:
        x = body.scaled(x, -drop)
    if not inside and saturates:
        x = clipped(body, x, lo, hi, to)
    if drop > 0:
        x = rounded(body, x, to.rounding)
    if not inside:
        x = overflown(body, x, to)
    return x, _after(to, lo, hi)


def _after(to: FixedType, lo: int, hi: int) -> Span:
    """Return where numbers from ``lo`` to ``hi`` lie after an overflow."""
    inside = to.raw_min <= lo and hi <= to.raw_max
    if not inside and to.overflow in (Overflow.WRAP, Overflow.SAT_ZERO):
        return Span(to.raw_min, to.raw_max, to.fractional)
    low, high = (min(max(v, to.raw_min), to.raw_max) for v in (lo, hi))
    return Span(low, high, to.fractional)


def clipped(body: Body, x: Tensor, lo: int, hi: int, to: FixedType) -> Tensor:
    """Return numbers between the ends of a type; before rounding, which keeps integers."""
    if to.raw_min == 0 and hi <= to.raw_max:
        return body.apply("Relu", x)
    return body.apply("Clip", x, body.number(x, to.raw_min, "lo"), body.number(x, to.raw_max, "hi"))


def overflown(body: Body, x: Tensor, to: FixedType) -> Tensor:
    """Return integers after an overflow that does not clip; others were clipped before."""
    if to.overflow is Overflow.WRAP:
        return _turned(body, _turned(body, x, to, 0), to, to.raw_min)
    if to.overflow is Overflow.SAT_ZERO:
        held = body.node("Clip", x.name, body.number(x, to.raw_min), body.number(x, to.raw_max))
        same = body.node("Equal", held, x.name)
        return replace(x, name=body.node("Where", same, x.name, body.number(x, 0.0)))
    return x


def _turned(body: Body, x: Tensor, to: FixedType, low: int) -> Tensor:
    """Return integers modulo ``2**width``, from ``low`` on.

    A multiple of the modulus has fewer bits than the number that it is taken from.
    """
    if low == 0 or not to.signed:
        above = x
    else:
        above = body.apply("Sub", x, body.number(x, low))
    turns = body.apply("Floor", body.scaled(above, -to.width))
    return body.apply("Sub", x, body.scaled(turns, to.width).name)
