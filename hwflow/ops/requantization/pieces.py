"""The runs of a requantiser, cut where the model's quantiser or clips limit the value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.grid import ONE, Rationals, rationals
from hwflow.ir.real.expression import Expression, substituted
from hwflow.ir.real.functions import FUNCTIONS
from hwflow.ir.real.nodes import Clamp, Function, Linear, Rounded, Slopes
from hwflow.ir.real.tabulation import tabulate
from hwflow.ir.step_function import StepFunction

LOW, HIGH = -1, 1
"""Sides of a range."""

FAR = rationals(2**60)
"""Number beyond every whole number that a quantiser gives."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """Runs cut into cells.

    Attributes:
        cells: from ``n`` to the number of the cell that it lies in.
        run: the run that each cell is part of, counted over all rows.
        first: least ``n`` of each cell.
        last: greatest ``n`` of each cell.
        row: the row of each cell.
        side: -1 where the value is clipped from below, 1 from above, else 0.
    """

    cells: StepFunction
    run: RawArray
    first: RawArray
    last: RawArray
    row: RawArray
    side: RawArray


def cut(function: StepFunction, sides: StepFunction | None) -> Cut:
    """Return the runs of a function as cells of one side each.

    Args:
        function: from ``n`` to results.
        sides: from ``n`` to its side, with as many rows and on the same range; None where the
            function limits nothing.
    """
    starts, runs, found = [], [], []
    before = 0
    for row, own in enumerate(function.starts):
        at = own if sides is None else _refined(own, sides.starts[row], function.hi[row])
        starts.append(at)
        runs.append(before + np.searchsorted(own, at, side="right") - 1)
        before += len(own)
        if sides is not None:
            place = np.searchsorted(sides.starts[row], at, side="right") - 1
            found.append(sides.levels[row][place])
    sizes = [len(at) for at in starts]
    edges = np.cumsum(sizes)
    numbers = np.split(np.arange(edges[-1]), edges[:-1])
    last = [np.append(at[1:] - 1, end) for at, end in zip(starts, function.hi, strict=True)]
    flat = np.concatenate(starts)
    return Cut(
        cells=StepFunction(tuple(starts), tuple(numbers), function.hi),
        run=np.concatenate(runs),
        first=flat,
        last=np.concatenate(last),
        row=np.repeat(np.arange(len(sizes)), sizes),
        side=np.zeros(len(flat), np.int64) if sides is None else np.concatenate(found),
    )


def _refined(own: RawArray, others: RawArray, hi: int) -> RawArray:
    """Return the starts of runs with those of others that lie within them."""
    return np.union1d(own, others[(others > own[0]) & (others <= hi)])


def sides_of(tree: Expression | None, lo: RawArray, hi: RawArray) -> StepFunction | None:
    """Return where a tree limits its value, and on which side the result then lies.

    A value is limited where the quantiser at the end of the tree would round it to a level that it
    does not have, or where a ``Clip`` before it changes it. A ``Clip`` from 0 on is a relu.

    Args:
        tree: the tree of a requantiser; None where it is not known.
        lo: first input of each row.
        hi: last input of each row.

    Returns:
        From inputs to -1, 0 or 1; None where nothing is limited anywhere.
    """
    found: list[tuple[int, StepFunction, int]] = []
    for side, indicator, level in _indicators(tree):
        spread = indicator.map(lambda c: c.reshape(-1))
        function = tabulate(spread, lo, hi)
        if any((levels == level).any() for levels in function.levels):
            found.append((side, function, level))
    if not found:
        return None
    starts, sides = [], []
    for row in range(len(lo)):
        at = np.unique(np.concatenate([f.starts[row] for _, f, _ in found]))
        met = np.zeros(len(at), np.int64)
        for side, function, level in found:
            place = np.searchsorted(function.starts[row], at, side="right") - 1
            met[function.levels[row][place] == level] = side
        starts.append(at)
        sides.append(met)
    return StepFunction(tuple(starts), tuple(sides), hi)


Indicator = tuple[int, Expression, int]
"""A side of the result, a whole-numbered tree, and the number that it gives on that side."""


def _indicators(tree: Expression | None) -> Iterator[Indicator]:
    """Yield a tree for each limit, the last quantiser's first."""
    while isinstance(tree, Linear) and all(s > 0 for s in tree.scale.ravel()):
        tree = tree.x  # from levels to results
    if isinstance(tree, Clamp):  # of whole numbers, as TFLite has it; from 0 on it is a relu
        floor = tree.lo is not None and not np.any(tree.lo)
        yield from _beyond(tree.x, None if floor else tree.lo, tree.hi)
        yield from _clips(tree.x, 1)
    elif isinstance(tree, Rounded) and tree.mode != "SIGN":
        before = tree.x
        if isinstance(before, Linear) and np.all(before.scale == 1):  # a half, before a floor
            before = before.x
        if isinstance(before, Clamp) and _whole(before):
            limits, inner = before, before.x
            whole = substituted(tree, lambda part: inner if part is limits else None)
            yield from _beyond(whole, limits.lo, limits.hi)
            before = inner
        yield from _clips(before, 1)


def _whole(limits: Clamp) -> bool:
    return all(b.denominator == 1 for c in limits.constants() for b in c.ravel())


def _beyond(whole: Expression, lo: Rationals | None, hi: Rationals | None) -> Iterator[Indicator]:
    """Yield where whole numbers are a step or more beyond limits that are whole.

    Where both limits are the same there is only one result, and nothing to leave.
    """
    if lo is not None:
        least = lo if hi is None else _unless(lo == hi, lo, -FAR)
        yield LOW, Linear(Clamp(whole, least - ONE, least), ONE, ONE - least), 0
    if hi is not None:
        most = hi if lo is None else _unless(lo == hi, hi, FAR)
        yield HIGH, Linear(Clamp(whole, most, most + ONE), ONE, -most), 1


def _unless(same: npt.NDArray[np.bool_], limit: Rationals, far: Rationals) -> Rationals:
    return np.where(same, far, limit)


def _clips(tree: Expression | None, sign: int) -> Iterator[Indicator]:
    """Yield where clips on the way to the quantiser change a value; ``sign`` -1 turns sides."""
    while isinstance(tree, (Clamp, Linear, Slopes, Function, Rounded)):
        if isinstance(tree, Clamp):
            if tree.lo is not None and np.any(tree.lo != 0):
                yield LOW * sign, Rounded(Linear(tree.x, ONE, -tree.lo), "SIGN"), -1
            if tree.hi is not None:
                yield HIGH * sign, Rounded(Linear(tree.x, -ONE, tree.hi), "SIGN"), -1
        sign *= _direction(tree)
        tree = tree.x if sign else None


def _direction(tree: Clamp | Linear | Slopes | Function | Rounded) -> int:
    """Return 1 where a node only rises, -1 where it only falls, 0 where neither is known."""
    if isinstance(tree, Linear):
        signs = {1 if s > 0 else -1 for s in tree.scale.ravel() if s != 0}
        return signs.pop() if len(signs) == 1 else 0
    if isinstance(tree, Slopes):
        return int(all(s >= 0 for s in tree.slope.ravel()))
    if isinstance(tree, Function):
        return int(not FUNCTIONS[tree.name].turns(tree.parameters))
    return 1


def reachable(found: Cut, lo: RawArray, hi: RawArray, unit: RawArray) -> npt.NDArray[np.bool_]:
    """Return which cells a value of some place can fall into.

    Args:
        found: the cells; of one row for all places, or one row a place.
        lo: least ``n`` of each place.
        hi: greatest ``n`` of each place.
        unit: what ``n`` is a multiple of, for each row.
    """
    step = unit[found.row]
    if len(found.cells.starts) == 1:
        pairs = np.unique(np.stack([lo, hi]), axis=1)
        met = np.zeros(len(found.first), bool)
        for least, greatest in pairs.T.tolist():
            met |= _meets(found, np.array(least), np.array(greatest), step)
        return met
    return _meets(found, lo[found.row], hi[found.row], step)


def _meets(found: Cut, lo: RawArray, hi: RawArray, step: RawArray) -> npt.NDArray[np.bool_]:
    first, last = np.maximum(found.first, lo), np.minimum(found.last, hi)
    return np.asarray((first <= last) & (last // step * step >= first))
