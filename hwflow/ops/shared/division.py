"""Division by constants: exact, rounded once, and what the C++ kernel needs for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.fixed import MAX_TYPE_WIDTH, FixedType, RawArray, Rounding, shift_left
from hwflow.ir.body import integers
from hwflow.ir.body.casts import cast, rounded
from hwflow.ir.body.values import DOUBLE_BITS, FLOAT_BITS, Carrier, Span, Tensor, carrier
from hwflow.ir.body.writer import Body

MAX_RECIPROCAL_BITS = 63
"""Reciprocals are written as 64-bit constants."""

SPARE_BITS = 3
"""A quotient is not closer to an integer or a half than ``1 / (2 d)`` unless it is one. Two
rounding errors stay below that while the dividend has three bits less than the significand."""

EXTRA_BITS = 10
"""Fractional bits beyond those of the sum that a mean gets when no type is asked for."""

ROUND_UP = {
    Rounding.TRN: "false",
    Rounding.TRN_ZERO: "negative && rest > 0",
    Rounding.RND: "above || tie",
    Rounding.RND_ZERO: "above || (tie && negative)",
    Rounding.RND_INF: "above || (tie && !negative)",
    Rounding.RND_MIN_INF: "above",
    Rounding.RND_CONV: "above || (tie && quotient[0])",
}
"""Conditions, in C++, on which a quotient that was rounded down goes up by one."""


def divide_round(raw: RawArray, divisor: RawArray, rounding: Rounding) -> RawArray:
    """Return ``raw / divisor`` rounded to integers as ap_fixed rounds; divisors are positive.

    Raises:
        OverflowError: twice a remainder could pass 62 bits.
    """
    check_width(np.asarray(divisor), 1)
    quotient, rest = np.divmod(raw, divisor)
    negative, above, tie = raw < 0, 2 * rest > divisor, 2 * rest == divisor
    match rounding:
        case Rounding.TRN:
            up = np.zeros(np.shape(quotient), bool)
        case Rounding.TRN_ZERO:
            up = negative & (rest > 0)
        case Rounding.RND:
            up = above | tie
        case Rounding.RND_ZERO:
            up = above | (tie & negative)
        case Rounding.RND_INF:
            up = above | (tie & ~negative)
        case Rounding.RND_MIN_INF:
            up = above
        case Rounding.RND_CONV:
            up = above | (tie & (quotient & 1 == 1))
    return np.asarray(quotient + up, np.int64)


def divide_to(sums: RawArray, fractional: int, to: FixedType, divisors: RawArray) -> RawArray:
    """Return mantissas of quotients on the grid of a type, before its overflow.

    Args:
        sums: mantissas of the dividends.
        fractional: their fractional bits.
        to: gives the grid and the rounding.
        divisors: positive integers that broadcast against the dividends.

    Raises:
        OverflowError: the division needs more than 62 bits.
    """
    up = to.fractional - fractional
    return divide_round(shift_left(sums, max(up, 0)), divisors << max(-up, 0), to.rounding)


def division_carrier(sums: Span, to: FixedType) -> Carrier:
    """Return the arithmetic of a golden body that divides sums exactly.

    Raises:
        NoGoldenError: none does.
    """
    up = max(to.fractional - sums.fractional, 0)
    reach = sums.largest << up
    bits = reach.bit_length() + SPARE_BITS
    if bits <= FLOAT_BITS:
        return Carrier.FLOAT32
    if bits <= DOUBLE_BITS:
        return Carrier.FLOAT64
    carrier(4 * reach, "a mean")  # a dividend is doubled, and its divisor added
    return Carrier.INT64


def write_division(
    body: Body, x: Tensor, sums: Span, to: FixedType, divisors: RawArray | int
) -> tuple[Tensor, Span]:
    """Return sums divided and rounded as ``divide_to`` does, then overflowed.

    Args:
        body: the body that is written.
        x: the sums, in the arithmetic that ``division_carrier`` says.
        sums: where they lie.
        to: the type of the result.
        divisors: positive integers, one for all sums or one each.
    """
    up = to.fractional - sums.fractional
    x = body.scaled(x, max(up, 0))
    by = shift_left(np.asarray(divisors), max(-up, 0))
    if x.carrier is Carrier.INT64:
        y = integers.divided(body, x, by, to.rounding)
    else:
        y = rounded(body, body.apply("Div", x, body.number(x, by, "divisors")), to.rounding)
    lo, hi = (min(sums.lo << max(up, 0), 0), max(sums.hi << max(up, 0), 0))
    least = int(np.min(by))
    reached = Span(lo // least - 1, hi // least + 1, to.fractional)
    return cast(body, y, reached, to)


def mean_type(values: Sequence[FixedType], halvings: int) -> FixedType:
    """Return the type of a mean that no other type is asked of, which rounds halves to even.

    Args:
        values: types of the values that the mean is of.
        halvings: exponent of the least power of two that is not less than their number.
    """
    fractional = max(t.fractional for t in values) + halvings + EXTRA_BITS
    lo = min(t.raw_min << (fractional - t.fractional) for t in values)
    hi = max(t.raw_max << (fractional - t.fractional) for t in values)
    return replace(FixedType.covering(lo, hi, fractional), rounding=Rounding.RND_CONV)


def quotient_parameters(sums: FixedType, divisors: RawArray, to: FixedType) -> dict[str, Any]:
    """Return the constants of ``templates/ops/_divide.h.j2``.

    Args:
        sums: type of the dividends, signed.
        divisors: positive integers, one for all dividends or one each.
        to: type of the result.

    Raises:
        OverflowError: a reciprocal needs more than 63 bits.
    """
    up = to.fractional - sums.fractional
    width = sums.width + max(up, 0) + 1
    return {
        "sum_width": sums.width,
        "up": max(up, 0),
        "width": width,
        "fractional": to.fractional,
        **reciprocal_parameters(divisors << max(-up, 0), width, to.rounding),
    }


def quotient_too_wide(problem: OverflowError) -> Diagnostic:
    """Return the finding that a mean cannot be divided exactly."""
    return Diagnostic(
        code="HW303",
        title="mean too wide to be computed exactly",
        found=f"{problem}",
        supported="sums and quotients of about 55 bits",
        help="quantise the activation before this layer, or set a narrower result_t",
    )


def reciprocal_parameters(divisors: RawArray, width: int, rounding: Rounding) -> dict[str, Any]:
    """Return the constants by which the kernel divides signed integers of ``width`` bits.

    With ``M = ceil(2**k / d)``, ``(2 n + 1) M / 2**(k+1)`` exceeds ``(n + 1/2) / d`` by less than
    ``(|n| + 1) / 2**k`` in magnitude, and ``(n + 1/2) / d`` is at least ``1 / (2 d)`` away from an
    integer. So the floor of both is that of ``n / d`` as soon as ``2**k >= 2 d (|n| + 1)``.

    Args:
        divisors: positive, one for all windows or one each.
        width: bits of the dividend.
        rounding: how the quotient is rounded.

    Raises:
        OverflowError: a reciprocal needs more than 63 bits.
    """
    largest = int(divisors.max())
    shift = width + largest.bit_length() + 1
    reciprocals = [-(-(2**shift) // int(d)) for d in divisors]
    bits = max(reciprocals).bit_length()
    if bits > MAX_RECIPROCAL_BITS or largest.bit_length() > MAX_RECIPROCAL_BITS:
        raise OverflowError(f"a reciprocal of {bits} bits would be needed to divide exactly")
    return {
        "divisors": [int(d) for d in divisors],
        "reciprocals": reciprocals,
        "divisor_width": largest.bit_length() + 1,
        "reciprocal_width": bits + 1,
        "product_width": max(width + 2 + bits, shift + 2) + 1,
        "shift": shift,
        "round_up": ROUND_UP[rounding],
    }


def check_width(raw: RawArray, more: int) -> None:
    """Refuse mantissas that would pass 62 bits with ``more`` bits added.

    Raises:
        OverflowError: they would.
    """
    if int(np.abs(raw).max(initial=0)).bit_length() + more > MAX_TYPE_WIDTH:
        raise OverflowError(f"a sum or quotient would pass {MAX_TYPE_WIDTH} bits")
