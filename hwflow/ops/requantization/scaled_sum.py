"""Several operands, a narrow multiplier each: ``y = clamp((sum M_i h_i + B) >> S)``.

The exact weights of the operands can be wide: two scales rarely have a simple ratio. Narrower ones
serve as long as no rounding tells the difference.

**Proof**: for all values of the other operands, the values of the operand with the most of them at
which the exact sum reaches the next step follow by integer division. The plan's arithmetic is
compared on both sides of every such step; it is monotone in that operand, so that it is right in
between. The search keeps the few points that told candidates apart (counterexamples), so that
nearly all wrong candidates fail early.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from hwflow.fixed import RawArray
from hwflow.ops.requantization import multiply_add_shift
from hwflow.ops.requantization.lines import F64, NO_LIMIT, bounded, roundest
from hwflow.ops.requantization.multiply_add_shift import asked
from hwflow.ops.requantization.plan import Plan, Proof
from hwflow.ops.requantization.problem import Problem, weighted
from hwflow.ops.requantization.shift import Shift

MOST_POINTS = 2**22
"""Most points, over all rows, that are compared for each candidate."""

SHIFTS = 24
"""Shifts that are tried, from the one on at which the largest multiplier is 1."""

METHOD = (
    "both sides of every step, for every value of all operands but the one with the most; "
    "the implementation is monotone in that one"
)


@dataclass(frozen=True, eq=False)
class _Points:
    """The ends of every run of one operand, for all values of the others, of one row.

    Attributes:
        h: values of the operands, shape ``(operands, points)``.
        level: wanted results.
        floor: whether a lower result serves as well, since it is clamped.
        ceiling: whether a higher result does.
    """

    h: RawArray
    level: RawArray
    floor: RawArray
    ceiling: RawArray

    def offsets(self, factors: RawArray, shift: int) -> tuple[RawArray, RawArray]:
        """Return the least and greatest offset that serves each point."""
        total = factors @ self.h
        low = np.where(self.floor, -NO_LIMIT, (self.level << shift) - total)
        high = np.where(self.ceiling, NO_LIMIT, ((self.level + 1) << shift) - 1 - total)
        return low, high

    def at(self, places: RawArray) -> _Points:
        """Return some of the points."""
        return _Points(
            self.h[:, places], self.level[places], self.floor[places], self.ceiling[places]
        )


def find(problem: Problem) -> Plan | None:
    """Return the implementation with the smallest shift, proven; None for one operand alone."""
    if problem.weights is None:
        return None
    lowest, highest, steps = asked(problem)[0]
    low, high, absent = steps.slopes
    if absent.any():
        return None
    points = _all_points(problem)
    if points is None:
        return None
    exact = ((low + high) / 2)[:, None] * np.stack(problem.weights, axis=1).astype(np.float64)
    first = -int(np.floor(np.log2(max(float(np.abs(exact).max()), 2.0**-40)))) - 1
    kept = [p.at(np.linspace(0, len(p.level) - 1, 500).astype(np.int64)) for p in points]
    for shift in range(max(first, 0), max(first, 0) + SHIFTS):
        if (int(np.abs(problem.level).max()) + 1) << shift >= NO_LIMIT // 4:
            return None
        found = _at_shift(exact, shift, points, kept)
        if found is not None:
            factors, offset = found
            return _plan(
                problem,
                factors=factors,
                offset=offset,
                shift=shift,
                clamp=(lowest, highest),
                points=points,
            )
    return None


def _at_shift(
    exact: F64, shift: int, points: list[_Points], kept: list[_Points]
) -> tuple[RawArray, RawArray] | None:
    """Return factors of shape ``(rows, operands)`` and offsets for a shift, or None."""
    factors, offsets = [], []
    for row, every in enumerate(points):
        for candidate in _factors(exact[row], shift):
            offset, kept[row] = _offset(every, kept[row], candidate, shift)
            if offset is not None:
                factors.append(candidate)
                offsets.append(offset)
                break
        else:
            return None
    return np.stack(factors), np.array(offsets, np.int64)


def _factors(exact: F64, shift: int) -> Iterator[RawArray]:
    """Yield integers near the exact factors, the nearest first."""
    nearest = np.rint(np.ldexp(exact, shift)).astype(np.int64)
    steps = sorted(product((0, 1, -1), repeat=len(exact)), key=lambda s: sum(map(abs, s)))
    for step in steps:
        yield nearest + np.array(step)


def _offset(
    every: _Points, kept: _Points, factors: RawArray, shift: int
) -> tuple[int | None, _Points]:
    """Return an offset that serves all points, or None; and the points to try first from now on."""
    for points in (kept, every):
        low, high = points.offsets(factors, shift)
        least, most = low.max(), high.min()
        if least > most:
            if points is every:
                worst = np.array([low.argmax(), high.argmin()])
                kept = _joined(kept, every.at(worst))
            return None, kept
    return int(roundest(*bounded(np.array([least]), np.array([most])))[0]), kept


def _joined(a: _Points, b: _Points) -> _Points:
    return _Points(
        np.concatenate([a.h, b.h], axis=1),
        *(np.concatenate([getattr(a, f), getattr(b, f)]) for f in ("level", "floor", "ceiling")),
    )


def _all_points(problem: Problem) -> list[_Points] | None:
    points = []
    for row in range(problem.rows):
        found = _points(problem, row)
        if found is None:
            return None
        points.append(found)
    return points


def _points(problem: Problem, row: int) -> _Points | None:
    """Return all points to compare for a row, or None where they are too many."""
    assert problem.weights is not None
    weights = [int(w[row]) for w in problem.weights]
    ends = [(int(lo[row]), int(hi[row])) for lo, hi in problem.ends]
    sizes = [hi - lo + 1 if w else 0 for w, (lo, hi) in zip(weights, ends, strict=True)]
    main = int(np.argmax(sizes))
    others = [np.arange(lo, hi + 1) for i, (lo, hi) in enumerate(ends) if i != main]
    combinations = 1
    for values in others:
        combinations *= len(values)
    mine = problem.row == row
    runs = int(mine.sum())
    if not weights[main] or combinations * runs * problem.rows > MOST_POINTS:
        return None
    grid = np.stack([g.reshape(-1) for g in np.meshgrid(*others, indexing="ij")])
    rest = np.array([w for i, w in enumerate(weights) if i != main]) @ grid
    first, last = _ends_of_runs(
        problem.first[mine][:, None] - rest, problem.last[mine][:, None] - rest, weights[main]
    )
    first, last = np.maximum(first, ends[main][0]), np.minimum(last, ends[main][1])
    run, place = np.nonzero(first <= last)
    h = np.insert(grid[:, np.tile(place, 2)], main, 0, axis=0)
    h[main] = np.concatenate([first[run, place], last[run, place]])
    level = np.tile(problem.level[mine][run], 2)
    least, most = problem.levels
    return _Points(h, level, level == least, level == most)


def _ends_of_runs(first: RawArray, last: RawArray, weight: int) -> tuple[RawArray, RawArray]:
    """Return the least and greatest ``h`` with ``first <= weight * h <= last``."""
    if weight < 0:
        first, last, weight = -last, -first, -weight
    return -(-first // weight), last // weight


def _plan(
    problem: Problem,
    *,
    factors: RawArray,
    offset: RawArray,
    shift: int,
    clamp: tuple[RawArray, RawArray],
    points: list[_Points],
) -> Plan | None:
    """Return the plan, after comparing its own arithmetic at every point."""
    weights = tuple(factors.T)
    lo, hi = weighted(weights, np.arange(problem.rows), problem.ends)
    plan = Shift(
        rows=problem.rows, weights=weights, ends=problem.ends, lo=lo, hi=hi,
        implementation=multiply_add_shift.NAME, multiplier=np.ones(problem.rows, np.int64),
        offset=offset, drop=shift, lowest=clamp[0], highest=clamp[1],
    )  # fmt: skip
    for row, p in enumerate(points):
        sums = factors[row] @ p.h
        if not np.array_equal(plan.levels(sums, np.full(len(sums), row)), p.level):
            return None
    compared = sum(len(p.level) for p in points)
    proof = Proof(METHOD, compared, problem.range)
    return replace(plan, proof=proof) if plan.written_exactly else None
