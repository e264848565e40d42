"""What casts do to values: which they round, and which leave the range of the type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, shift_round
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ops.shared.division import divide_to

INSIDE, BELOW, ABOVE = 0, 1, 2
"""Where a rounded value lies, in the numbers of cells; 3 more where bits were dropped."""

FARTHEST = 2**62
"""Number beyond every mantissa."""


@lru_cache(maxsize=1024)
def kept(fractional: int, to: FixedType) -> tuple[int, int]:
    """Return the least and the greatest mantissa that a cast to ``to`` keeps within its range.

    Args:
        fractional: bits right of the binary point of the mantissas.
        to: rounds first; what it rounds into its range is kept.
    """
    return kept_between(to.raw_min, to.raw_max, fractional, to)


def kept_between(lo: int, hi: int, fractional: int, to: FixedType) -> tuple[int, int]:
    """Return the least and the greatest mantissa that ``to`` rounds to ``lo .. hi``."""
    dropped = fractional - to.fractional
    if dropped <= 0:
        return -(-lo >> -dropped), hi >> -dropped
    return -_last(-lo, dropped, to, -1), _last(hi, dropped, to, 1)


def _last(limit: int, dropped: int, to: FixedType, sign: int) -> int:
    """Return the greatest ``n`` for which ``sign * n`` rounds to no more than ``limit`` steps."""
    low, high = limit << dropped, (limit + 1) << dropped
    if high >= FARTHEST:
        return FARTHEST
    while high - low > 1:
        middle = (low + high) // 2
        rounded = int(shift_round(np.array([sign * middle]), dropped, to.rounding)[0])
        low, high = (middle, high) if sign * rounded <= limit else (low, middle)
    return low


def dropped_bits(raw: RawArray, fractional: int, to: FixedType) -> RawArray:
    """Return the bits of mantissas that a cast to ``to`` drops; 0 for what it keeps exactly."""
    dropped = min(fractional - to.fractional, 62)
    return np.zeros_like(raw) if dropped <= 0 else raw & ((1 << dropped) - 1)


def cast_cells(raw: RawArray, fractional: int, to: FixedType) -> RawArray:
    """Return for each mantissa what a cast to ``to`` does: 3 if it rounds, plus where it ends."""
    least, greatest = kept(fractional, to)
    side = np.where(raw > greatest, ABOVE, np.where(raw < least, BELOW, INSIDE))
    return np.asarray(side + 3 * (dropped_bits(raw, fractional, to) != 0))


def cast_goals(lo: RawArray, hi: RawArray, fractional: int, to: FixedType) -> list[Kind]:
    """Return what a cast can do to mantissas between ``lo`` and ``hi``, place by place."""
    least, greatest = kept(fractional, to)
    dropped = fractional - to.fractional
    found = []
    if dropped > 0 and ((lo < hi) | (dropped_bits(lo, fractional, to) != 0)).any():
        found.append(Kind.ROUNDING)
    if to.overflow is not Overflow.WRAP:
        found += [Kind.LOW] * bool((lo < least).any()) + [Kind.HIGH] * bool((hi > greatest).any())
    return found


def quotient_cells(sums: RawArray, fractional: int, to: FixedType, divisors: RawArray) -> RawArray:
    """Return for each quotient what its rounding to ``to`` does, as ``cast_cells`` does."""
    up = to.fractional - fractional
    quotient = divide_to(sums, fractional, to, divisors)
    rest = (sums << max(up, 0)) % (divisors << max(-up, 0))
    side = np.where(quotient > to.raw_max, ABOVE, np.where(quotient < to.raw_min, BELOW, INSIDE))
    return np.asarray(side + 3 * (rest != 0))


def quotient_pieces(
    cells: Callable[..., RawArray], ends: RawArray, to: FixedType, *, rectified: bool
) -> Pieces:
    """Return the pieces of quotients that are rounded once.

    Args:
        cells: from operands to what ``quotient_cells`` gives.
        ends: the least and greatest quotients, before the overflow of ``to``.
        to: what they are rounded to.
        rectified: whether a relu stands before the cast.
    """
    goals = [Kind.ROUNDING] * bool((ends[0] < ends[1]).any())
    wraps = to.overflow is Overflow.WRAP
    if not wraps:
        goals += [Kind.LOW] * bool((ends[0] < to.raw_min).any() and not rectified)
        goals += [Kind.HIGH] * bool((ends[1] > to.raw_max).any())

    def relu_cells(*arrays: FixedArray) -> tuple[RawArray, ...]:
        found = cells(*arrays)
        return (np.where(found % 3 == BELOW, found - BELOW, found) if rectified else found,)

    return cast_pieces(relu_cells, [goals], [wraps])


def cast_pieces(
    cells: Callable[..., tuple[RawArray, ...]], goals: list[list[Kind]], wraps: list[bool]
) -> Pieces:
    """Return pieces of casts that an operator makes by itself.

    Args:
        cells: six cells for each cast, as ``cast_cells`` numbers them.
        goals: what each cast can do.
        wraps: whether each wraps around.
    """
    kinds: list[Kind] = []
    rounding, sides = (np.full(6 * len(goals), -1, np.int64) for _ in range(2))
    for place, possible in enumerate(goals):
        first = 6 * place
        where = {
            Kind.ROUNDING: (rounding, [first + 3, first + 4, first + 5]),
            Kind.LOW: (sides, [first + BELOW, first + BELOW + 3]),
            Kind.HIGH: (sides, [first + ABOVE, first + ABOVE + 3]),
        }
        for kind in possible:
            table, numbers = where[kind]
            table[numbers] = len(kinds)
            kinds.append(kind)
    side = np.arange(6 * len(goals)) % 3
    wrap = np.repeat(np.array(wraps, bool), 6)
    return Pieces(
        cells=cells,
        kinds=tuple(kinds),
        goals=(rounding, sides),
        low=(side == BELOW) & ~wrap,
        high=(side == ABOVE) & ~wrap,
        wrapped=(side != INSIDE) & wrap,
    )


def port_type_of(types: Sequence[FixedType]) -> FixedType | None:
    """Return a port's type that changes nothing about casts to types behind it, or None."""
    exact = (Rounding.TRN, Rounding.RND)
    wraps = {t.overflow is Overflow.WRAP for t in types}
    if not types or len(wraps) > 1 or any(t.rounding not in exact for t in types):
        return None
    fractional = max(t.fractional + (t.rounding is Rounding.RND) for t in types)
    signed = any(t.signed for t in types)
    whole = max(t.integer - t.signed for t in types) + signed
    # a sum that rounds up must still be seen to be out of range, where it saturates
    overflow = Overflow.WRAP if wraps == {True} else Overflow.SAT
    width = fractional + whole
    if not 1 <= width <= 32:
        return None
    return FixedType(width, whole, signed, Rounding.TRN, overflow)
