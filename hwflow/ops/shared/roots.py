"""Reciprocals of square roots by table: constants of a normalisation, and how far they are off."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import sqrt

import numpy as np

from hwflow.fixed import MAX_TYPE_WIDTH, RawArray

ENTRY_BITS = 18
"""Width of the table's entries: that of a block RAM, and of a port of a multiplier."""

_SLACK = 1e-12
"""More than what float64 rounds in the few operations on a table's entry, relative to it."""

_MARGIN_BITS = 4
"""How much finer than the table epsilon is rounded."""

_POWERS = np.array([4**k for k in range(MAX_TYPE_WIDTH // 2 + 1)], np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Roots:
    """What a row of ``n`` values is normalised with; ``LayerNorm`` says how.

    Attributes:
        centred: whether the mean is subtracted.
        channels: ``n``.
        bits: leading bits of a sum of squares that address the table.
        guard: bits that the sum of squares is shifted to the left.
        epsilon: what is added to it then.
        entries: ``2**fraction sqrt(2**guard n / u)`` in ``ENTRY_BITS`` bits, for ``u`` from 1/4 to
            1 in steps of ``2**-bits``.
        lift: bits that the product is shifted to the left.
        shift: bits that it is shifted to the right, beside those that follow the sum of squares.
        largest: greatest magnitude of a result, in its last place.
        error: proven greatest distance of a result from the real number.
    """

    centred: bool
    channels: int
    bits: int
    guard: int
    epsilon: int
    entries: RawArray
    lift: int
    shift: int
    largest: int
    error: float

    def place(self, squares: RawArray) -> tuple[RawArray, RawArray]:
        """Return the ``h`` of ``4**(h-1) <= v < 4**h`` for sums of squares, and their entries."""
        halves = np.searchsorted(_POWERS, squares, side="right")
        up = self.bits - 2 * halves
        leading = (squares << np.maximum(up, 0)) >> np.maximum(-up, 0)
        return halves, leading - 2 ** (self.bits - 2)

    def deviation(self, lo: int, hi: int) -> int:
        """Return a magnitude that no deviation passes, of mantissas between two."""
        return (self.channels - 1) * (hi - lo) if self.centred else max(abs(lo), abs(hi))

    def squares(self, lo: int, hi: int) -> int:
        """Return what no sum of squares passes, with the guard bits and epsilon.

        The variance of values between two of them is a quarter of their squared distance at most
        (Popoviciu).
        """
        n = self.channels
        most = n**3 * (hi - lo) ** 2 // 4 if self.centred else n * max(abs(lo), abs(hi)) ** 2
        return (most << self.guard) + self.epsilon

    def halves(self, lo: int, hi: int) -> int:
        """Return the greatest ``h`` of sums of squares."""
        return (self.squares(lo, hi).bit_length() + 1) // 2

    def product(self, lo: int, hi: int) -> int:
        """Return what no product passes, nor a product with half of the last place added."""
        most = (self.deviation(lo, hi) * int(self.entries.max())) << self.lift
        return most + (1 << (self.halves(lo, hi) + self.shift - 1))


@lru_cache(maxsize=64)
def roots_for(
    channels: int, epsilon: Fraction, *, centred: bool, table_size: int, fractional: int
) -> Roots:
    """Return the constants of a normalisation.

    Args:
        channels: values of a row.
        epsilon: what is added to the variance, or to the mean square, of the mantissas.
        centred: whether the mean is subtracted.
        table_size: a power of two; three quarters of it are entries.
        fractional: bits right of the binary point of the results.
    """
    bits = table_size.bit_length() - 1
    exact = epsilon * (channels**3 if centred else channels)
    least = max(channels * (channels - 1), 1) if centred else 1  # of a row with a deviation
    guard = 0
    while (off := _epsilon_off(exact, guard, least)) > Fraction(1, 2 ** (bits + _MARGIN_BITS)):
        guard += 2
    factor = sqrt(channels * 2.0**guard)
    fraction = ENTRY_BITS - int(np.ceil(np.log2(2 * factor + 1)))
    ends = np.sqrt(np.arange(table_size // 4, table_size + 1) / table_size)
    entries = np.rint(2.0**fraction * factor * 2 / (ends[1:] + ends[:-1]))
    inverse = entries * 2.0**-fraction / factor
    wrong = max(float(np.abs(inverse * root - 1).max()) for root in (ends[1:], ends[:-1]))
    share = (1 + wrong + _SLACK) * (1 + float(off)) - 1
    bound, half = sqrt(channels - 1 if centred else channels), 2.0 ** -(fractional + 1)
    lift = max(0, fractional - fraction)
    return Roots(
        centred=centred, channels=channels, bits=bits, guard=guard,
        epsilon=_rounded(exact, guard), entries=entries.astype(np.int64), lift=lift,
        shift=fraction + lift - fractional,
        largest=int((bound * (1 + share) + half) * 2.0**fractional) + 1,
        error=bound * share + half,
    )  # fmt: skip


def _rounded(epsilon: Fraction, guard: int) -> int:
    """Return epsilon in units of the guarded sum of squares, at least 1: no root is that of 0."""
    return max(int(round(epsilon * 2**guard)), 1)  # noqa: RUF046 (mypy: a Fraction)


def _epsilon_off(epsilon: Fraction, guard: int, least: int) -> Fraction:
    """Return how far rounding epsilon moves a reciprocal root, as a share of it.

    Where a number changes by its share ``t``, at most a half, its reciprocal root changes by a
    share of no more than ``t``.
    """
    change = abs(Fraction(_rounded(epsilon, guard), 2**guard) - epsilon)
    return change / (epsilon + least)
