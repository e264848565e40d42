"""How many values a layer clipped, wrapped or rounded next to a tie.

A value is *saturated* where it would leave the range of what ends it, after rounding: the type of a
cast, the levels of a quantiser or port, the bounds of a clip, the span of a table. It is counted
once, on the side where its result lies. What is below 0 at a relu, or at a clip from 0 on, is the
function and not saturation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.pieces import Flags, Pieces
from hwflow.ops.shared.casts import kept
from hwflow.simulate.coverage.ports import PortCounts
from hwflow.simulate.coverage.step import Step

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What happened to one layer's values over the data.

    Attributes:
        elements: how many values the layer gave.
        saturated_low: values that were below the range and clipped.
        saturated_high: values that were above the range and clipped.
        wrapped: values that were out of range and wrapped around.
        near_ties: values within 1/64 of a step of the point where rounding changes the result.
        observed: smallest and largest result, as real numbers.
    """

    elements: int = 0
    saturated_low: int = 0
    saturated_high: int = 0
    wrapped: int = 0
    near_ties: int = 0
    observed: tuple[float, float] = (np.inf, -np.inf)

    @property
    def saturated(self) -> int:
        """Values that were out of range and clipped, on either side."""
        return self.saturated_low + self.saturated_high

    @property
    def saturated_share(self) -> float:
        """Share of the values that were clipped."""
        return self.saturated / self.elements if self.elements else 0.0

    def __add__(self, other: Counters) -> Counters:
        """Add the counts of another batch."""
        return Counters(
            elements=self.elements + other.elements,
            saturated_low=self.saturated_low + other.saturated_low,
            saturated_high=self.saturated_high + other.saturated_high,
            wrapped=self.wrapped + other.wrapped,
            near_ties=self.near_ties + other.near_ties,
            observed=(
                min(self.observed[0], other.observed[0]),
                max(self.observed[1], other.observed[1]),
            ),
        )


def count_step(step: Step) -> Counters:
    """Return what a layer and its cast did to values."""
    full, to = step.full, step.value.dtype
    limited = step.pieces is not None and step.pieces.limits
    low, high = kept(full.dtype.fractional, to)
    ends = _raw_ends(full)
    cast = ends[0] < low or ends[1] > high
    below, above, wrapped = 0, 0, 0
    if limited and cast:
        below, above, wrapped = _count_both(step, low, high)
    elif limited:
        assert step.pieces is not None
        below, above, wrapped = _count_cells(step, step.pieces)
    elif cast:
        under = 0 if step.node.op.rectified else int((full.raw < low).sum())
        below, above = under, int((full.raw > high).sum())
        if to.overflow is Overflow.WRAP:
            below, above, wrapped = 0, 0, below + above
    ties = 0
    dropped = full.dtype.fractional - to.fractional
    if dropped > 0:
        ties = near_ties(np.ldexp(full.raw.astype(np.float64), -dropped), to)
    return Counters(
        elements=step.value.raw.size,
        saturated_low=below,
        saturated_high=above,
        wrapped=wrapped,
        near_ties=ties,
        observed=real_ends(step.value),
    )


def _count_cells(step: Step, pieces: Pieces) -> tuple[int, int, int]:
    """Return how many values an operator clipped low and high, and wrapped, all by itself."""
    shape, found = step.value.raw.shape, np.zeros(3, np.int64)
    for cells in step.cells:
        times = int(np.prod(shape)) // max(cells.size, 1)  # one for several values
        counts = np.bincount(cells.ravel(), minlength=len(pieces.low)) * times
        sides = (pieces.low, pieces.high, pieces.wrapped)
        found += np.array([counts[flags].sum() for flags in sides])
    return int(found[0]), int(found[1]), int(found[2])


def _count_both(step: Step, low: int, high: int) -> tuple[int, int, int]:
    """Return the same where the cast changes values, too: each counts once, for the cast first."""
    pieces, full, to = step.pieces, step.full, step.value.dtype
    assert pieces is not None
    under, over = full.raw < low, full.raw > high
    if step.node.op.rectified:
        under = np.zeros_like(under)
    wraps = to.overflow is Overflow.WRAP
    by_cast = [np.zeros_like(under), np.zeros_like(under), under | over]
    masks = by_cast if wraps else [under, over, np.zeros_like(under)]
    taken: Flags = under | over
    for cells in step.cells:
        sides = (pieces.low, pieces.high, pieces.wrapped)
        masks = [mask | (flags[cells] & ~taken) for mask, flags in zip(masks, sides, strict=True)]
    return int(masks[0].sum()), int(masks[1].sum()), int(masks[2].sum())


def count_port(real: F64, value: FixedArray, found: PortCounts, *, wraps: bool) -> Counters:
    """Return what a port did to the numbers that entered it.

    Args:
        real: what the port's type rounds: real numbers, or levels that the host has made of them.
        value: what the port made of them.
        found: which of them were beyond its ends.
        wraps: whether those wrapped around.
    """
    to = value.dtype
    low, high, wrapped = (0, 0, found.outside) if wraps else (found.low, found.high, 0)
    ties = near_ties(np.ldexp(real, to.fractional), to)
    return Counters(
        elements=value.raw.size,
        saturated_low=low,
        saturated_high=high,
        wrapped=wrapped,
        near_ties=ties,
        observed=real_ends(value),
    )


def near_ties(scaled: F64, to: FixedType) -> int:
    """Count values so close to a rounding boundary that float arithmetic may decide otherwise."""
    truncates = to.rounding in (Rounding.TRN, Rounding.TRN_ZERO)
    rest = scaled - np.floor(scaled)
    distance = np.minimum(rest, 1.0 - rest) if truncates else np.abs(rest - 0.5)
    on_grid = (scaled == np.floor(scaled)) if truncates else np.zeros(scaled.shape, bool)
    inside = (scaled > to.raw_min - 1) & (scaled < to.raw_max + 1)
    return int(((distance < 1 / 64) & inside & ~on_grid).sum())


def _raw_ends(array: FixedArray) -> tuple[int, int]:
    return (int(array.raw.min()), int(array.raw.max())) if array.raw.size else (0, 0)


def real_ends(array: FixedArray) -> tuple[float, float]:
    """Return the least and greatest value; 0 where there is none."""
    low, high = _raw_ends(array)
    return low * array.dtype.step, high * array.dtype.step
