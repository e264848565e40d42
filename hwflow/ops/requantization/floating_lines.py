"""Lines in floating point that give a requantisation, proven.

A line is ``clip(floor(n * factor + offset), least, most)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.ir.body.values import Carrier, carrier
from hwflow.ops.requantization import multiply_add_shift
from hwflow.ops.requantization.choice import found_by
from hwflow.ops.requantization.problem import Problem

SEARCHES = 120
"""Steps of the search for a slope: each leaves two thirds, and 120 of them a double's bits."""

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Line:
    """``clip(floor(n * factor + offset), least, most)`` in one arithmetic.

    Attributes:
        factor: factor of each row.
        offset: offset of each row.
        least: least result: one, or one for each row.
        most: greatest result: likewise.
        carrier: the arithmetic, a floating-point one.
        divides: ``round(n / factor + offset)`` instead, halves to even: exact where a quotient is.
    """

    factor: F64
    offset: F64
    least: F64
    most: F64
    carrier: Carrier
    divides: bool = False

    def totals(self, n: npt.NDArray[Any], row: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
        """Yield what is rounded: each operation rounded once, and product and sum in one."""
        to = self.carrier.dtype
        x, factor, offset = n.astype(to), self.factor[row].astype(to), self.offset[row].astype(to)
        yield (x / factor if self.divides else x * factor) + offset
        if self.carrier is Carrier.FLOAT32:
            yield rounded_once(n * factor.astype(np.float64), offset.astype(np.float64))

    def levels(self, n: npt.NDArray[Any], row: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
        """Yield the results, as runtimes differ in ``totals``."""
        least, most = (np.broadcast_to(v, self.factor.shape)[row] for v in (self.least, self.most))
        for total in self.totals(n, row):
            rounded = np.rint(total) if self.divides else np.floor(total)
            yield np.clip(rounded, least, most).astype(np.int64)

    def equals(self, problem: Problem) -> bool:
        """Return whether every result is right: at the ends of all runs; it is monotone between."""
        n = np.concatenate([problem.first, problem.last])
        row, level = np.tile(problem.row, 2), np.tile(problem.level, 2)
        return all(np.array_equal(levels, level) for levels in self.levels(n, row))


def rounded_once(a: F64, b: F64) -> npt.NDArray[np.float32]:
    """Return ``a + b`` rounded to float32 once, as a fused multiply-add rounds.

    The sum is taken to the odd one of its neighbours in float64 first, which leaves float32's
    rounding as it is (Boldo and Melquiond, Emulation of FMA and correctly rounded sums, 2008).
    """
    total = a + b
    back = total - a
    error = (a - (total - back)) + (b - back)  # exact: Knuth's TwoSum
    even = total.view(np.int64) % 2 == 0
    beyond = np.nextafter(total, np.copysign(np.inf, error))
    return np.where((error != 0) & even, beyond, total).astype(np.float32)


def line_of(problem: Problem) -> Line | None:
    """Return the quickest line that gives every result, or None."""
    return next((line for line in _lines(problem) if line.equals(problem)), None)


def _lines(problem: Problem) -> Iterator[Line]:
    """Yield lines to try, the quicker ones first: narrow arithmetic, the same ends for all rows."""
    begin = problem.begin
    least, most = (
        ends.reduceat(problem.level, begin).astype(np.float64) for ends in (np.minimum, np.maximum)
    )
    for line in _slopes(problem):
        yield replace(line, least=least.min(), most=most.max())
        yield replace(line, least=least, most=most)


def _slopes(problem: Problem) -> Iterator[Line]:
    """Yield lines without ends."""
    unlimited = partial(Line, least=np.array(-np.inf), most=np.array(np.inf))
    largest = max(map(abs, problem.range))
    if carrier(largest, "an input") is Carrier.FLOAT32:
        plan = found_by(multiply_add_shift.NAME, 0, problem)
        if isinstance(plan, multiply_add_shift.MultiplyAddShift):
            exact = [np.ldexp(a.astype(np.float64), -plan.drop)
                     for a in (plan.multiplier, plan.offset)]  # fmt: skip
            near = [a.astype(np.float32).astype(np.float64) for a in exact]
            yield unlimited(factor=near[0], offset=near[1], carrier=Carrier.FLOAT32)
            yield unlimited(factor=exact[0], offset=exact[1], carrier=Carrier.FLOAT64)
    slope, offset = _fitted(problem, problem.rows)
    yield unlimited(factor=slope, offset=offset, carrier=Carrier.FLOAT64)
    step, offset = spaced(problem)
    yield unlimited(factor=step, offset=offset, carrier=Carrier.FLOAT64, divides=True)


def spaced(problem: Problem) -> tuple[F64, F64]:
    """Return the distance between runs, and the result at 0, of rows whose runs begin at halves.

    The run of a level ``b`` begins at the first ``n >= (b - offset - 0.5) * distance``, or after it
    where halves go to even: every run leaves an interval for the distance. Its middle is a single
    point where runs begin at halves.
    """
    stop = np.append(problem.begin[1:], len(problem.row)) - 1
    start = np.minimum(problem.begin + 1, stop)
    apart = (problem.first[stop] - problem.first[start]).astype(np.float64)
    rough = np.maximum(apart / np.maximum(problem.level[stop] - problem.level[start], 1), 1.0)
    offset = np.rint(problem.level[start] - 0.5 - problem.first[start] / rough)
    inner = np.flatnonzero(problem.row[1:] == problem.row[:-1]) + 1
    row = problem.row[inner]
    half = problem.level[inner] - offset[row] - 0.5
    ends = np.sort([(problem.first[inner] - 1) / half, problem.first[inner] / half], axis=0)
    several = np.bincount(row, minlength=problem.rows) > 0
    low, high = np.where(several, -np.inf, 1.0), np.where(several, np.inf, 1.0)
    np.maximum.at(low, row, ends[0])
    np.minimum.at(high, row, ends[1])
    return np.maximum((low + high) / 2, 1.0), offset


def _fitted(problem: Problem, rows: int) -> tuple[F64, F64]:
    """Return slope and offset of each row's line with the most room on both sides.

    A line is right where a run begins at ``t`` with level ``b`` behind level ``a`` when
    ``slope * t + offset >= b`` and ``slope * (t - 1) + offset < a + 1``. The room that a slope
    leaves for the offset is a concave function of it, whose maximum ternary search finds.
    """
    starts = np.flatnonzero(problem.row[1:] == problem.row[:-1]) + 1
    if not len(starts):
        return np.zeros(rows), problem.level[problem.begin].astype(np.float64)
    row = problem.row[starts]
    at, after = problem.first[starts].astype(np.float64), problem.level[starts]
    before = problem.level[starts - 1]
    cuts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    stepped = row[cuts]

    def room(slope: F64) -> tuple[F64, F64]:
        each = np.repeat(slope, np.diff(np.append(cuts, len(row))))
        low = np.maximum.reduceat(after - each * at, cuts)
        return low, np.minimum.reduceat(before + 1 - each * (at - 1), cuts)

    low, high = (
        np.zeros(len(cuts)),
        np.full(len(cuts), float(problem.levels[1] - problem.levels[0] + 1)),
    )
    for _ in range(SEARCHES):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        rising = np.less(*(b - a for a, b in (room(left), room(right))))
        low, high = np.where(rising, left, low), np.where(rising, high, right)
    slope = np.zeros(rows)
    offset = problem.level[problem.begin].astype(np.float64)
    slope[stepped] = (low + high) / 2
    bottom, top = room(slope[stepped])
    offset[stepped] = (bottom + top) / 2
    return slope, offset
