"""A few lines for each row, told apart by comparing the input: kinks, curves, bumps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np

from hwflow.fixed import RawArray
from hwflow.ir.op import Target
from hwflow.ops.requantization import cost
from hwflow.ops.requantization.cost import Lanes
from hwflow.ops.requantization.keyed import Keyed
from hwflow.ops.requantization.line_plan import LinePlan
from hwflow.ops.requantization.lines import Lines, Steps, fit
from hwflow.ops.requantization.multiply_add_shift import asked
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem

NAME = "piecewise"

MOST_SEGMENTS = 16

LEAST_MARGIN = 2.0**-20
"""Share of a level that every segment keeps clear; without any, there would be segments that only
one real number serves, and no integers."""

MARGIN = 2.0**-8
"""Share of a level from which factors get narrower and segments little shorter."""

MOST_RUNS = 2**16
"""Most runs, over all rows, that are split."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Piecewise(LinePlan):
    """``y = clamp((M[s] n + B[s]) >> S)`` with ``s`` the number of cuts that ``n`` reaches.

    Multipliers and offsets have the shape ``(rows, segments)``.

    Attributes:
        cuts: ascending first inputs of all segments but the first, ``(rows, segments - 1)``.
        bounds: least and greatest result.
    """

    kernel: ClassVar[str] = "piecewise"

    implementation: str = NAME
    cuts: RawArray
    bounds: tuple[int, int]

    def levels(self, n: RawArray, row: RawArray) -> RawArray:
        segment = (n[:, None] >= self.cuts[row]).sum(axis=1)
        sums = self.multiplier[row, segment] * n + self.offset[row, segment]
        return np.asarray(np.clip(sums >> self.drop, *self.bounds))

    @property
    def sums(self) -> tuple[int, int]:
        lo, hi = self.lo[:, None], self.hi[:, None]
        first = np.minimum(np.concatenate([lo, self.cuts], axis=1), hi)
        last = np.minimum(np.concatenate([self.cuts - 1, hi], axis=1), hi)
        ends = np.stack([self.multiplier * e + self.offset for e in (first, last)])
        return int(ends.min()), int(ends.max())

    def constants(self) -> Mapping[str, RawArray]:
        return {
            "multiplier": self.multiplier,
            "offset": self.offset,
            "cuts": self.cuts,
            "lowest": np.array(self.bounds[:1]),
            "highest": np.array(self.bounds[1:]),
        }

    def numbers(self) -> Mapping[str, int]:
        return {"shift": self.drop, "segments": self.multiplier.shape[1]}

    def lanes(self, target: Target) -> Lanes:
        segments = self.multiplier.shape[1]
        lanes = cost.comparison_lanes(segments - 1, self.lo, self.hi)
        lanes += cost.varying_lanes(self.multiplier, self.lo, self.hi)
        lanes += cost.varying_adder_lanes(self.rows, segments, self.sums)
        return lanes + cost.clamp_lanes(self.rows, self.sums, self.drop, clamps=True)

    def shared_lane(self, target: Target) -> Lanes:
        cuts = self.multiplier.shape[1] - 1
        lo, hi = self.lo.min(keepdims=True), self.hi.max(keepdims=True)
        lanes = cost.comparison_lanes(cuts, lo, hi)
        lanes += cost.chosen_lane(cuts * int(cost.width(lo, hi)[0]), self.rows)
        lanes += cost.shared_line(self, self.multiplier.size)
        return lanes + cost.clamp_lanes(1, self.sums, self.drop, clamps=True)

    @property
    def detail(self) -> str:
        segments = self.multiplier.shape[1]
        return f"{segments} segments, {self.multiplier_bits}-bit multiplier, >> {self.drop}"


def find(problem: Problem) -> Plan | None:
    """Return the longest segments, proven; None where one serves, or ``MOST_SEGMENTS`` do not."""
    return _with_margin(problem, LEAST_MARGIN)


def find_narrow(problem: Problem) -> Plan | None:
    """Return shorter segments with narrower factors, proven, or None as ``find`` does."""
    return _with_margin(problem, MARGIN)


def _with_margin(problem: Problem, margin: float) -> Plan | None:
    if len(problem.row) > MOST_RUNS:
        return None
    steps = asked(problem)[0][2]
    begin = _segments(Keyed(steps), margin)
    if begin is None or len(begin) == problem.rows:
        return None
    lines = fit(_window(steps, begin, np.append(begin[1:], len(problem.row))))
    return None if lines is None else _plan(problem, begin, lines).proven(problem)


@lru_cache(maxsize=1024)
def _segments(keyed: Keyed[Steps], margin: float) -> RawArray | None:
    """Return the first run of every segment, each one as long as a line can be.

    Returns:
        Indices of runs, ascending; None where a row has too many segments.
    """
    steps = keyed.asked
    begin = steps.begin // 2
    ends = np.append(begin[1:], len(steps.n) // 2)
    found = [begin]
    for _ in range(MOST_SEGMENTS):
        reach = _reach(steps, begin, ends, margin)
        rest = reach < ends
        if not rest.any():
            return np.sort(np.concatenate(found))
        begin, ends = reach[rest], ends[rest]
        found.append(begin)
    return None


def _reach(steps: Steps, begin: RawArray, ends: RawArray, margin: float) -> RawArray:
    """Return how far one line serves from each of some runs on, by bisection."""
    good = np.where(_absent(steps, begin, ends, margin), begin + 1, ends)
    bad = np.where(good == ends, ends + 1, ends)
    while (bad - good > 1).any():
        middle = np.where(bad - good > 1, (good + bad) // 2, good)
        absent = _absent(steps, begin, middle, margin)
        good, bad = np.where(absent, good, middle), np.where(absent, middle, bad)
    return good


def _absent(steps: Steps, begin: RawArray, ends: RawArray, margin: float) -> RawArray:
    return np.asarray(_window(steps, begin, ends, margin).slopes[2])


def _window(steps: Steps, begin: RawArray, ends: RawArray, margin: float = 0.0) -> Steps:
    """Return what the runs ``begin .. ends - 1`` ask, one group for each pair."""
    lengths = ends - begin
    first = np.cumsum(lengths) - lengths
    pick = np.arange(int(lengths.sum())) + np.repeat(begin - first, lengths)
    n = steps.n.reshape(-1, 2)[pick]
    clamp = steps.lowest[::2][pick], steps.highest[::2][pick]
    found = Steps.of(n[:, 0], n[:, 1], steps.level[::2][pick], first, clamp)
    return replace(found, margin=margin, size=steps.size)


def _plan(problem: Problem, begin: RawArray, lines: Lines) -> Piecewise:
    """Return the lines of all segments, rows side by side; short rows repeat their last one."""
    row = problem.row[begin]
    place = np.arange(len(begin)) - np.searchsorted(row, row)
    segments = int(place.max()) + 1
    last = np.append(np.searchsorted(row, np.arange(1, problem.rows)), len(begin)) - 1
    shape = (problem.rows, segments)
    multiplier, offset = (
        np.broadcast_to(values[last][:, None], shape).copy()
        for values in (lines.multiplier, lines.offset)
    )
    cuts = np.full(shape, problem.range[1] + 1, np.int64)
    multiplier[row, place], offset[row, place] = lines.multiplier, lines.offset
    cuts[row, place] = problem.first[begin]
    return Piecewise(
        **problem.parts, multiplier=multiplier, offset=offset, cuts=cuts[:, 1:],
        drop=lines.shift, bounds=problem.levels,
    )  # fmt: skip
