"""Casts in int64: the arithmetic of values that float64 does not hold.

ONNX divides integers toward zero; ``Mod`` has the sign of the divisor, so that ``x - Mod(x, d)`` is
the multiple of ``d`` below ``x``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.body.values import Span, Tensor
from hwflow.ir.body.writer import Body

LONGEST_SHIFT = 62
"""``2**62`` is the greatest power of two that int64 holds."""


def cast(body: Body, x: Tensor, span: Span, to: FixedType) -> Tensor:
    """Return integers assigned to a type, as ``FixedArray.cast`` does.

    Args:
        body: the body that is written.
        x: mantissas in int64.
        span: where they lie: within 62 bits, so that int64 holds what rounding and wrapping add.
        to: the type.
    """
    drop = span.fractional - to.fractional
    if drop > LONGEST_SHIFT:
        x = _vanished(body, x, to)
    elif drop > 0:
        x = divided(body, x, 1 << drop, to.rounding)
    elif drop < 0 and not to.holds(span.lo, span.hi, span.fractional):
        return _lifted(body, x, -drop, to)
    else:
        x = body.scaled(x, -drop)
    lo, hi = (end >> drop if drop > 0 else end << -drop for end in (span.lo, span.hi))
    # rounding up adds one at most
    inside = to.raw_min <= lo and hi + (drop > 0) <= to.raw_max
    return x if inside else overflown(body, x, to)


def divided(body: Body, x: Tensor, by: npt.ArrayLike, rounding: Rounding) -> Tensor:
    """Return integers divided and rounded as ap_fixed does.

    Args:
        body: the body that is written.
        x: mantissas in int64; ``2 |x| + by`` stays below ``2**63``.
        by: positive divisors.
        rounding: rounding of the quotients. Halves up is ``floor((x + by / 2) / by)``, halves
            down one less in the dividend, and halves to even one or the other.
    """
    divisor = np.asarray(by, np.int64)
    if rounding is Rounding.TRN:
        return _floored(body, x, divisor)
    if rounding is Rounding.TRN_ZERO:
        return body.apply("Div", x, body.number(x, divisor, "divisor"))
    if (divisor % 2).any():
        x, divisor = body.scaled(x, 1), 2 * divisor
    half = divisor // 2
    if rounding in (Rounding.RND_ZERO, Rounding.RND_INF):
        away = half if rounding is Rounding.RND_INF else half - 1
        added = body.apply("Mul", body.apply("Sign", x), body.number(x, away, "half"))
        total = body.apply("Add", x, added.name)
        return body.apply("Div", total, body.number(x, divisor, "divisor"))
    less = half if rounding is Rounding.RND else half - 1
    total = body.apply("Add", x, body.number(x, less, "half"))
    if rounding is Rounding.RND_CONV:
        odd = body.apply("BitwiseAnd", _floored(body, x, divisor), body.number(x, 1))
        total = body.apply("Add", total, odd.name)
    return _floored(body, total, divisor)


def _floored(body: Body, x: Tensor, divisor: npt.NDArray[np.int64]) -> Tensor:
    """Return quotients rounded down."""
    first = int(divisor.flat[0])
    if (divisor == first).all() and first & (first - 1) == 0:  # several times faster than Mod
        rest = body.apply("BitwiseAnd", x, body.number(x, first - 1, "mask"))
    else:
        rest = body.apply("Mod", x, body.number(x, divisor, "divisor"))
    whole = body.apply("Sub", x, rest.name)
    return body.apply("Div", whole, body.number(x, divisor, "divisor"))


def _vanished(body: Body, x: Tensor, to: FixedType) -> Tensor:
    """Return what is left of numbers that are less than half a step of a type."""
    least = -1 if to.rounding is Rounding.TRN else 0
    return _clipped(body, x, least, 0)


def _clipped(body: Body, x: Tensor, low: int, high: int) -> Tensor:
    return body.apply("Clip", x, body.number(x, low, "lo"), body.number(x, high, "hi"))


def overflown(body: Body, x: Tensor, to: FixedType) -> Tensor:
    """Return integers of magnitudes up to ``2**62`` after the overflow of a type."""
    if to.overflow is Overflow.SAT_ZERO:
        return _zeroed(body, x, to.raw_min, to.raw_max)
    if to.overflow is not Overflow.WRAP:
        return _clipped(body, x, to.raw_min, to.raw_max)
    low_bits = body.number(x, (1 << to.width) - 1, "mask")
    if not to.signed:
        return body.apply("BitwiseAnd", x, low_bits)
    low = body.number(x, to.raw_min, "lo")
    above = body.apply("BitwiseAnd", body.apply("Sub", x, low), low_bits)
    return body.apply("Add", above, low)


def _zeroed(body: Body, x: Tensor, low: int, high: int) -> Tensor:
    """Return zero for the numbers that are outside."""
    same = body.node("Equal", _clipped(body, x, low, high).name, x.name)
    zero: Any = body.number(x, 0)
    return replace(x, name=body.node("Where", same, x.name, zero))


def _lifted(body: Body, x: Tensor, up: int, to: FixedType) -> Tensor:
    """Return ``x * 2**up`` assigned to a type that does not hold all of them.

    What overflows does so before the product, which might pass int64.
    """
    shift = min(up, LONGEST_SHIFT)
    if to.overflow is Overflow.WRAP:
        kept = body.number(x, (1 << max(to.width - up, 0)) - 1, "mask")
        return overflown(body, body.scaled(body.apply("BitwiseAnd", x, kept), shift), to)
    if to.overflow is Overflow.SAT_ZERO:
        low, high = -(-to.raw_min >> up), to.raw_max >> up
        return body.scaled(_zeroed(body, x, low, high), shift)
    low, high = to.raw_min >> up, -(-to.raw_max >> up)
    return overflown(body, body.scaled(_clipped(body, x, low, high), shift), to)
