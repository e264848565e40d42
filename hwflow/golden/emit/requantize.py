"""The body of Requantize: a line that provably gives every result, or else a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.golden.body import Body, NoGoldenError, Span, Tensor, carrier
from hwflow.golden.emit.tables import LONGEST, looked_up
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
    """``clip(floor(factor * clip(n, first, last) + offset), least, most)`` in one arithmetic.

    Attributes:
        factor: of each row.
        offset: of each row.
        first: least ``n`` that counts, of each row.
        last: greatest ``n`` that counts, of each row.
        least: least result, of each row.
        most: greatest result, of each row.
        wide: float64 rather than float32.
    """

    factor: F64
    offset: F64
    first: F64
    last: F64
    least: F64
    most: F64
    wide: bool

    def levels(self, n: npt.NDArray[Any], row: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the results as ONNX Runtime computes them: each operation rounded once."""
        to = np.float64 if self.wide else np.float32
        x = np.clip(n.astype(to), self.first[row].astype(to), self.last[row].astype(to))
        product = x * self.factor[row].astype(to)
        total = product + self.offset[row].astype(to)
        levels = np.clip(np.floor(total), self.least[row], self.most[row])
        return np.asarray(levels, np.int64)

    def equals(self, problem: Problem) -> bool:
        """Return whether every result is right: at the ends of all runs; it is monotone between."""
        n = np.concatenate([problem.first, problem.last])
        row, level = np.tile(problem.row, 2), np.tile(problem.level, 2)
        return bool(np.array_equal(self.levels(n, row), level))


def _lines(problem: Problem) -> Iterator[Line]:
    """Yield lines to try, those of narrower arithmetic first."""
    begin, rows = problem.begin, problem.rows
    first, last, least, most = (
        a.astype(np.float64)
        for a in (
            problem.lo, problem.hi, np.minimum.reduceat(problem.level, begin),
            np.maximum.reduceat(problem.level, begin),
        )
    )  # fmt: skip
    largest = max(map(abs, problem.range))
    if not carrier(largest, "an input"):
        plan = multiply_add_shift.find(problem)
        if isinstance(plan, multiply_add_shift.MultiplyAddShift):
            exact = [np.ldexp(a.astype(np.float64), -plan.drop)
                     for a in (plan.multiplier, plan.offset)]  # fmt: skip
            near = [a.astype(np.float32).astype(np.float64) for a in exact]
            yield Line(near[0], near[1], first, last, least, most, wide=False)
            yield Line(exact[0], exact[1], first, last, least, most, wide=True)
    slope, offset = _fitted(problem, rows)
    yield Line(slope, offset, first, last, least, most, wide=True)


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
    n = _summed(op, body, operands, types)
    for line in _lines(problem):
        if line.equals(problem):
            return _on_line(body, n, line), span, False
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
    wide = carrier(reach, "a weighted sum")
    first = all(x.first for x in operands)
    total: Tensor | None = None
    for x, weight in zip(operands, op.weights, strict=True):
        x = body.widened(x if first else body.channels_last(x), wide)
        term = body.apply("Mul", x, body.number(x, _spread(weight, x), "weight"))
        total = term if total is None else body.apply("Add", total, term.name)
    assert total is not None
    return total


def _spread(values: npt.NDArray[Any], x: Tensor) -> npt.NDArray[Any]:
    """Return one value for all, one per channel, or one per element in the value's shape."""
    values = np.asarray(values)
    if values.size == 1:
        return values.reshape(())
    if (values == values.flat[0]).all():
        return np.asarray(values.flat[0])
    return values if values.size == x.shape[-1] else values.reshape(x.shape)


def _on_line(body: Body, n: Tensor, line: Line) -> Tensor:
    n = body.widened(n, n.wide or line.wide)
    n = body.widened(n, line.wide)

    def spread(values: F64, name: str) -> str:
        return body.number(n, _spread(values, n), name)

    # between the convolution before it and the product: ONNX Runtime would fold the factor into
    # the weights, where it is not exact
    inside = body.apply("Max", n, spread(line.first, "first"))
    inside = body.apply("Min", inside, spread(line.last, "last"))
    total = body.apply("Mul", inside, spread(line.factor, "factor"))
    total = body.apply("Add", total, spread(line.offset, "offset"))
    y = body.apply("Floor", total)
    least, most = spread(line.least, "least"), spread(line.most, "most")
    return body.apply("Min", body.apply("Max", y, least), most)


def _tabulated(body: Body, n: Tensor, problem: Problem) -> Tensor:
    """Return the results from a table with an entry for every input of every row."""
    lo, hi = problem.lo, problem.hi
    sizes = hi - lo + 1
    entries = np.repeat(problem.level, problem.last - problem.first + 1)
    shift = np.concatenate([[0], np.cumsum(sizes[:-1])]) - lo
    places = np.abs(shift).max() + max(np.abs(lo).max(), np.abs(hi).max())
    n = body.widened(n, carrier(int(places), "a place in a table"))
    index = body.apply("Add", n, body.number(n, _spread(shift, n), "shift"))
    return looked_up(body, index, entries)


def _stepped(body: Body, n: Tensor, problem: Problem) -> Tensor:
    """Return the results as the sum of the steps below each input."""
    runs = np.diff(np.append(problem.begin, len(problem.row)))
    if runs.max() > MOST_STEPS:
        raise NoGoldenError(f"a function of {runs.max()} steps that no line gives")
    largest = max(*map(abs, problem.range), *map(abs, problem.levels))
    n = body.widened(n, n.wide or carrier(largest, "an input"))
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
