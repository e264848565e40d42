"""Lines through steps: the coarsest integers ``M``, ``B``, ``S`` with ``(M n + B) >> S`` as asked.

A group of runs asks that ``(M n + B) >> S`` be the level of the run at both ends of each one; a
line is monotone, so that it then is in between. A level at which the result is clamped asks on one
side only.

For real numbers the slopes that serve form an interval. Its ends are found as in Dinkelbach's
method: the two conditions that a slope breaks most give a better bound, until none is broken. For
integers, a factor is right where the offsets that the ends ask for have a value in common, which
is decided in exact arithmetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from hwflow.estimate.products import csd_digits
from hwflow.fixed import MAX_TYPE_WIDTH, RawArray
from hwflow.ops.requantization.keyed import Keyed

F64 = npt.NDArray[np.float64]

NO_LIMIT = 2**60
"""Number that stands for infinity among offsets."""

MOST_ROUNDS = 60
"""Rounds to find the ends of an interval of slopes; six suffice as a rule."""

LARGEST_SHIFT = 48
"""Largest shift tried; offsets would no longer be exact as doubles."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """What groups of runs ask of one line each.

    Attributes:
        n: inputs, both ends of each run, groups one behind the other.
        level: wanted result of each.
        begin: index of each group's first input.
        lowest: result at which each input's group is clamped from below; lower ones serve, too.
        highest: result at which it is clamped from above; higher ones serve, too.
        margin: share of a level by which real lines must keep away from the next one.
        size: no input is larger, those included that were left out.
    """

    n: RawArray
    level: RawArray
    begin: RawArray
    lowest: RawArray
    highest: RawArray
    margin: float = 0.0
    size: int = 0

    @cached_property
    def key(self) -> str:
        """A digest that is equal where the same is asked."""
        digest = hashlib.sha256(repr(self.margin).encode())
        for array in (self.n, self.level, self.begin, self.lowest, self.highest):
            digest.update(np.asarray(array, np.int64).tobytes() + b"|")
        return digest.hexdigest()

    @cached_property
    def group(self) -> RawArray:
        """The group of each input."""
        sizes = np.diff(np.append(self.begin, len(self.n)))
        return np.repeat(np.arange(len(self.begin)), sizes)

    def of_groups(self, chosen: npt.NDArray[np.bool_]) -> Steps:
        """Return what some of the groups ask."""
        if chosen.all():
            return self
        keep = chosen[self.group]
        sizes = np.diff(np.append(self.begin, len(self.n)))[chosen]
        return Steps(
            n=self.n[keep], level=self.level[keep], begin=np.cumsum(sizes) - sizes,
            lowest=self.lowest[keep], highest=self.highest[keep], margin=self.margin,
            size=self.size,
        )  # fmt: skip

    @cached_property
    def slopes(self) -> tuple[F64, F64, npt.NDArray[np.bool_]]:
        """The interval of real slopes of each group, and where there is none."""
        return _slopes(self)

    def limits(self, shift: int) -> tuple[RawArray, RawArray]:
        """Return the least and greatest ``M n + B`` that serve each input."""
        low = np.where(self.level <= self.lowest, -NO_LIMIT, self.level << shift)
        high = np.where(self.level >= self.highest, NO_LIMIT, ((self.level + 1) << shift) - 1)
        return low, high

    @classmethod
    def of(
        cls,
        first: RawArray,
        last: RawArray,
        level: RawArray,
        begin: RawArray,
        clamp: tuple[RawArray, RawArray],
    ) -> Steps:
        """Return what runs ask; ``clamp`` and ``level`` have a value for each run.

        Of a run at the end of a group whose result is clamped, only the input next to the other
        runs tells: a line that serves these rises, or falls, towards it. So groups ask the same
        however far their inputs go on there.
        """
        n = np.stack([first, last], axis=1)
        size = int(np.abs(n).max(initial=0))
        end = np.append(begin[1:], len(n)) - 1
        open_ = (level <= clamp[0]) | (level >= clamp[1])
        head, tail = begin[open_[begin] & (end > begin)], end[open_[end] & (end > begin)]
        n[head, 0], n[tail, 1] = n[head, 1], n[tail, 0]
        lowest, highest = (np.repeat(bound, 2) for bound in clamp)
        return cls(
            n=n.reshape(-1), level=np.repeat(level, 2), begin=2 * begin, lowest=lowest,
            highest=highest, size=size,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lines:
    """A line for each group.

    Attributes:
        multiplier: ``M`` of each group.
        offset: ``B`` of each group.
        shift: ``S`` of all.
    """

    multiplier: RawArray
    offset: RawArray
    shift: int


def _slopes(steps: Steps) -> tuple[F64, F64, npt.NDArray[np.bool_]]:
    """Return the interval of real slopes of each group, and where there is none."""
    n = steps.n.astype(np.float64)
    low = np.where(steps.level <= steps.lowest, -np.inf, steps.level.astype(np.float64))
    high = np.where(steps.level >= steps.highest, np.inf, steps.level + 1.0 - steps.margin)
    most = np.maximum.reduceat(steps.level, steps.begin)
    span = most - np.minimum.reduceat(steps.level, steps.begin) + 2.0
    ends = {-1.0: -span, 1.0: span}  # steeper ones are never needed: inputs are integers
    absent = np.zeros(len(steps.begin), bool)
    for side, end in ends.items():
        for _ in range(MOST_ROUNDS):
            bound, broken, run = _tighter(steps, n, low, high, end)
            absent |= broken & (side * run <= 0)
            moves = broken & ~absent & (side * bound < side * end)
            if not moves.any():
                break
            end[moves] = bound[moves]
    return ends[-1.0], ends[1.0], absent | (ends[-1.0] > ends[1.0])


def _tighter(
    steps: Steps, n: F64, low: F64, high: F64, slope: F64
) -> tuple[F64, npt.NDArray[np.bool_], F64]:
    """Return the bound on each group's slope from the two conditions that it breaks most.

    Returns:
        The bound; whether any condition is broken; the distance of their inputs, by whose sign
        the bound is one from above or from below.
    """
    line = slope[steps.group] * n
    i, above = _best(steps, line - high)
    j, below = _best(steps, low - line)
    broken = above + below > 0
    run = n[i] - n[j]
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = (high[i] - low[j]) / run
    return bound, broken, run


def _best(steps: Steps, values: F64) -> tuple[RawArray, F64]:
    """Return the place and the value of the largest of each group."""
    best = np.maximum.reduceat(values, steps.begin)
    places = np.where(values == best[steps.group], np.arange(len(values)), -1)
    return np.maximum.reduceat(places, steps.begin), best


def fit(steps: Steps) -> Lines | None:
    """Return lines with a common shift, or None where there are none.

    Each group's factor is that of the smallest shift that serves it alone, moved left to the common
    one, which is the largest of these: its lowest bits are 0 and cost nothing.
    """
    found = _fit(Keyed(steps))
    if found is None:
        return None
    lines, largest = found
    return lines if _fits(steps, largest, lines.shift, steps.size) else None


@lru_cache(maxsize=4096)
def _fit(keyed: Keyed[Steps]) -> tuple[Lines, float] | None:
    """Return lines, and a number that no factor which was looked at passes."""
    steps = keyed.asked
    low, high, absent = steps.slopes
    if absent.any():
        return None
    best = np.zeros(len(low), np.int64)
    done = np.zeros(len(low), bool)
    for shift in range(LARGEST_SHIFT):
        first, last = _between(np.ldexp(low, shift), np.ldexp(high, shift))
        best *= 2
        sizes = np.where(done, np.abs(best), np.maximum(np.abs(first), np.abs(last)))
        largest = float(sizes.max())
        if not _fits(steps, largest, shift, int(np.abs(steps.n).max())):
            return None
        hopeful = (first <= last) & ~done
        if not hopeful.any():
            continue
        some = steps.of_groups(hopeful)
        low_end, high_end = (end[hopeful].astype(np.int64) for end in (first, last))
        found = _factors(some, low_end, high_end, shift)
        best[hopeful] = np.where(found == NO_LIMIT, best[hopeful], found)
        done[hopeful] = found != NO_LIMIT
        if done.all():
            return Lines(best, roundest(*offsets(steps, best, shift)), shift), largest
    return None


def _between(low: F64, high: F64) -> tuple[F64, F64]:
    """Return the first and last integer between two numbers that rounding made inexact."""
    slack = 1e-9 * np.maximum(np.abs(low), np.abs(high)) + 1e-9
    return np.ceil(low - slack), np.floor(high + slack)


def _fits(steps: Steps, multiplier: float, shift: int, size: int) -> bool:
    """Return whether no sum can pass what offsets are compared in, for inputs up to a size."""
    product = int(multiplier) * size
    result = (int(np.abs(steps.level).max()) + 1) << shift
    return product + result < NO_LIMIT // 2


def _factors(steps: Steps, first: RawArray, last: RawArray, shift: int) -> RawArray:
    """Return for each group a factor that serves, of few signed digits, or ``NO_LIMIT``."""
    best = np.full(len(first), NO_LIMIT, np.int64)
    digits = np.full(len(first), NO_LIMIT, np.int64)
    seen: list[RawArray] = []
    for factor in _candidates(first, last):
        if any(np.array_equal(factor, other) for other in seen):
            continue
        seen.append(factor)
        least, most = offsets(steps, factor, shift)
        better = (least <= most) & (csd_digits(factor) < digits)
        best = np.where(better, factor, best)
        digits = np.where(better, csd_digits(factor), digits)
    return best


def offsets(steps: Steps, factor: RawArray, shift: int) -> tuple[RawArray, RawArray]:
    """Return the least and greatest offset that serves each group with a factor."""
    low, high = steps.limits(shift)
    product = factor[steps.group] * steps.n
    least = np.maximum.reduceat(low - product, steps.begin)
    return bounded(least, np.minimum.reduceat(high - product, steps.begin))


def bounded(least: RawArray, most: RawArray) -> tuple[RawArray, RawArray]:
    """Return intervals without limit cut to a part that holds 0 or else a power of two."""
    no_least, no_most = least < -NO_LIMIT // 2, most > NO_LIMIT // 2
    low = np.where(no_least, np.where(no_most, 0, 2 * np.minimum(most, 0)), least)
    high = np.where(no_most, np.where(no_least, 0, 2 * np.maximum(least, 0)), most)
    return low, high


def _candidates(first: RawArray, last: RawArray) -> Iterator[RawArray]:
    """Yield a few integers between two for each group: the roundest, and some in the middle."""
    middle = first + (last - first) // 2
    quarter = np.maximum((last - first) // 4, 0)
    yield roundest(first, last)
    yield roundest(middle - quarter, middle + quarter)
    for step in (0, 1, -1, 2, -2):
        yield np.clip(middle + step, first, last)


def roundest(low: RawArray, high: RawArray) -> RawArray:
    """Return the integer of fewest significant bits in each interval ``low .. high``."""
    mirrored = high < 0
    a, b = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    best = b
    for bits in range(MAX_TYPE_WIDTH):
        candidate = (b >> bits) << bits
        best = np.where(candidate >= a, candidate, best)
    best = np.where((low <= 0) & (high >= 0), 0, best)
    return np.where(mirrored, -best, best)
