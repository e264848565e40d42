"""The body of Requantize: a line that provably gives every result, or else a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.golden.body import Body
from hwflow.golden.emit.tables import LONGEST, looked_up
from hwflow.golden.values import DOUBLE_BITS, Carrier, NoGoldenError, Span, Tensor, carrier
from hwflow.ir.tensor import TensorType
from hwflow.ops._requantize import multiply_add_shift
from hwflow.ops._requantize.problem import Problem
from hwflow.ops.requantize import Requantize

Result = tuple[Tensor, Span, bool]

SEARCHES = 120
"""Steps of the search for a slope: each leaves two thirds, and 120 of them a double's bits."""

MOST_STEPS = 256
"""Steps of a function that is added up step by step."""
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """``clip(floor(n * factor + offset), least, most)`` in one arithmetic.

    Attributes:
        factor: of each row.
        offset: of each row.
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
            yield (n * factor.astype(np.float64) + offset).astype(to)

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
    free = np.array(-np.inf), np.array(np.inf)
    largest = max(map(abs, problem.range))
    if carrier(largest, "an input") is Carrier.FLOAT32:
        plan = multiply_add_shift.find(problem)
        if isinstance(plan, multiply_add_shift.MultiplyAddShift):
            exact = [np.ldexp(a.astype(np.float64), -plan.drop)
                     for a in (plan.multiplier, plan.offset)]  # fmt: skip
            near = [a.astype(np.float32).astype(np.float64) for a in exact]
            yield Line(near[0], near[1], *free, Carrier.FLOAT32)
            yield Line(exact[0], exact[1], *free, Carrier.FLOAT64)
    slope, offset = _fitted(problem, problem.rows)
    yield Line(slope, offset, *free, Carrier.FLOAT64)
    yield Line(*spaced(problem), *free, Carrier.FLOAT64, divides=True)


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


def requantize(
    op: Requantize, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> Result:
    """Write the function of an operand, or of a weighted sum of operands."""
    op = op.at(*types)
    function = op.function_of(*types)
    problem = Problem.of(function, op.weights, types)
    span = Span(min(int(v) for v in problem.levels), max(int(v) for v in problem.levels),
                op.fractional)  # fmt: skip
    n, problem = _narrowed(body, _summed(op, body, operands, types), problem)
    for line in _lines(problem):
        if line.equals(problem):
            return _on_line(body, n, problem, line), span, False
    if int((problem.hi - problem.lo + 1).astype(object).sum()) <= LONGEST:
        return _tabulated(body, n, problem), span, False
    return _stepped(body, n, problem), span, False


def _summed(
    op: Requantize, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> Tensor:
    """Return what the function is of."""
    if op.weights is None:
        return operands[0]
    reach = sum(
        int(np.abs(w).max()) * max(map(abs, t.bounds))
        for w, t in zip(op.weights, types, strict=True)
    )
    within = carrier(reach, "a weighted sum")
    first = all(x.first for x in operands)
    total: Tensor | None = None
    for x, weight in zip(operands, op.weights, strict=True):
        x = body.carried(x if first else body.channels_last(x), within)
        term = body.apply("Mul", x, body.number(x, _spread(weight, x), "weight"))
        total = term if total is None else body.apply("Add", total, term.name)
    assert total is not None
    return total


def _narrowed(body: Body, n: Tensor, problem: Problem) -> tuple[Tensor, Problem]:
    """Return an integer of int64 cut to where the function changes, and the function of that."""
    if n.carrier is not Carrier.INT64:
        return n, problem
    stop = np.append(problem.begin[1:], len(problem.row)) - 1
    low = problem.last[problem.begin]
    high = np.maximum(problem.first[stop], low)
    size = high - low
    if size.max() > 2**DOUBLE_BITS:
        return n, problem
    n = body.apply("Max", n, body.number(n, _spread(low, n), "first"))
    n = body.apply("Min", n, body.number(n, _spread(high, n), "last"))
    n = body.apply("Sub", n, body.number(n, _spread(low, n), "first"))
    first, last = (
        np.clip(end, low[problem.row], high[problem.row]) - low[problem.row]
        for end in (problem.first, problem.last)
    )
    ends = ((np.zeros_like(size), size),)
    narrow = Problem(problem.row, first, last, problem.level, None, ends)
    return body.carried(n, carrier(int(size.max()))), narrow


def _spread(values: npt.NDArray[Any], x: Tensor) -> npt.NDArray[Any]:
    """Return one value for all, one per channel, or one per element in the value's shape."""
    values = np.asarray(values)
    if values.size == 1:
        return values.reshape(())
    if (values == values.flat[0]).all():
        return np.asarray(values.flat[0])
    return values if values.size == x.shape[-1] else values.reshape(x.shape)


def _on_line(body: Body, n: Tensor, problem: Problem, line: Line) -> Tensor:
    if n.carrier is Carrier.FLOAT32:
        # no value is beyond: but ONNX Runtime would fold the factor into the weights of a
        # convolution before it, where it is not exact, and fuses the clipping
        n = _between(body, n, *map(np.array, problem.range))
    n = body.carried(n, line.carrier)
    factor = body.number(n, _spread(line.factor, n), "factor")
    total = body.apply("Div" if line.divides else "Mul", n, factor)
    if np.any(line.offset):
        total = body.apply("Add", total, body.number(n, _spread(line.offset, n), "offset"))
    y = body.apply("Round" if line.divides else "Floor", total)
    return _between(body, y, line.least, line.most)


def _between(body: Body, x: Tensor, least: F64, most: F64) -> Tensor:
    """Return values between ends, one pair for all or one for each row."""
    least, most = _spread(least, x), _spread(most, x)
    low, high = body.number(x, least, "least"), body.number(x, most, "most")
    if least.ndim == most.ndim == 0:
        return body.apply("Clip", x, low, high)
    return body.apply("Min", body.apply("Max", x, low), high)


def _tabulated(body: Body, n: Tensor, problem: Problem) -> Tensor:
    """Return the results from a table with an entry for every input of every row."""
    lo, hi = problem.lo, problem.hi
    sizes = hi - lo + 1
    entries = np.repeat(problem.level, problem.last - problem.first + 1)
    shift = np.concatenate([[0], np.cumsum(sizes[:-1])]) - lo
    places = np.abs(shift).max() + max(np.abs(lo).max(), np.abs(hi).max())
    n = body.carried(n, carrier(int(places), "a place in a table"))
    index = body.apply("Add", n, body.number(n, _spread(shift, n), "shift"))
    return looked_up(body, index, entries)


def _stepped(body: Body, n: Tensor, problem: Problem) -> Tensor:
    """Return the results as the sum of the steps below each input."""
    runs = np.diff(np.append(problem.begin, len(problem.row)))
    if runs.max() > MOST_STEPS:
        raise NoGoldenError(f"a function of {runs.max()} steps that no line gives")
    largest = max(*map(abs, problem.range), *map(abs, problem.levels))
    n = body.carried(n, max(n.carrier, carrier(largest, "an input")))
    y = body.number(n, _spread(problem.level[problem.begin], n), "level")
    for step in range(1, int(runs.max())):
        there = step < runs
        place = np.where(there, problem.begin + step, problem.begin)
        rise = np.where(there, problem.level[place] - problem.level[place - there], 0)
        above = body.node(
            "GreaterOrEqual", n.name, body.number(n, _spread(problem.first[place], n), "from")
        )
        rise_name = body.number(n, _spread(rise, n), "rise")
        y = body.node("Add", y, body.node("Where", above, rise_name, body.number(n, 0.0)))
    return replace(n, name=y)


EMITTERS: dict[Any, Callable[..., Result]] = {Requantize: requantize}
