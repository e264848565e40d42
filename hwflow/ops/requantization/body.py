"""The golden body of a requantisation: a line that provably gives every result, or else a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.ir.body.values import DOUBLE_BITS, Carrier, NoGoldenError, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization.floating_lines import Line, line_of
from hwflow.ops.requantization.problem import Problem, Weights
from hwflow.ops.shared.tables import LONGEST, looked_up

Finish = Callable[[Body, Tensor], Tensor]
"""Writes the rest of a layer."""

MOST_STEPS = 256
"""Steps of a function that is added up step by step."""
F64 = npt.NDArray[np.float64]


def write_requantized(body: Body, n: Tensor, problem: Problem) -> Tensor:
    """Write the function of a problem.

    Args:
        body: the body that is written.
        n: what the function is of.
        problem: the function on all inputs that can occur.

    Raises:
        NoGoldenError: no line gives the function, and it has too many steps.
    """
    n, problem = _narrowed(body, n, problem)
    line = line_of(problem)
    if line is not None:
        return _finished(body, _total(body, n, problem, line), line=line)
    if int((problem.hi - problem.lo + 1).astype(object).sum()) <= LONGEST:
        return _tabulated(body, n, problem)
    return _stepped(body, n, problem)


def write_argument(
    body: Body, operands: Sequence[Tensor], types: Sequence[TensorType], weights: Weights
) -> Tensor:
    """Write what a requantisation is of: its operand, or the weighted sum of its operands."""
    if weights is None:
        return operands[0]
    reach = sum(
        int(np.abs(w).max()) * max(map(abs, t.bounds)) for w, t in zip(weights, types, strict=True)
    )
    within = carrier(reach, "a weighted sum")
    first = all(x.first for x in operands)
    total: Tensor | None = None
    for x, weight in zip(operands, weights, strict=True):
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
    narrow = Problem(
        row=problem.row, first=first, last=last, level=problem.level, weights=None, ends=ends
    )
    return body.carried(n, carrier(int(size.max()))), narrow


def _spread(values: npt.NDArray[Any], x: Tensor) -> npt.NDArray[Any]:
    """Return one value for all, one per channel, or one per element in the value's shape."""
    values = np.asarray(values)
    if values.size == 1:
        return values.reshape(())
    if (values == values.flat[0]).all():
        return np.asarray(values.flat[0])
    return values if values.size == x.shape[-1] else values.reshape(x.shape)


def write_unfinished(body: Body, n: Tensor, problem: Problem) -> tuple[Tensor, Finish] | None:
    """Write the part of a rising line in float32 before rounding and clipping, which it returns.

    None where there is no such line.
    """
    if problem.weights is not None or n.carrier is not Carrier.FLOAT32:
        return None
    line = line_of(problem)
    if line is None or line.carrier is not Carrier.FLOAT32 or (line.factor <= 0).any():
        return None
    return _total(body, n, problem, line), partial(_finished, line=line)


def _total(body: Body, n: Tensor, problem: Problem, line: Line) -> Tensor:
    """Return what a line rounds."""
    if n.carrier is Carrier.FLOAT32:
        # no value is beyond: but ONNX Runtime would fold the factor into the weights of a
        # convolution before it, where it is not exact, and fuses the clipping
        n = _between(body, n, *map(np.array, problem.range))
    n = body.carried(n, line.carrier)
    channels = n.shape[-1]
    if n.first and n.carrier is Carrier.FLOAT32 and line.factor.shape == (channels,):
        # one operator, in the layout of the convolutions around it
        weight = line.factor.reshape(-1, *(1 for _ in n.shape))
        constants = (
            body.constant(values, np.float32, name)
            for values, name in ((weight, "factor"), (line.offset, "offset"))
        )
        kernel = [1] * (len(n.shape) - 1)
        return body.apply("Conv", n, *constants, group=channels, kernel_shape=kernel)
    factor = body.number(n, _spread(line.factor, n), "factor")
    total = body.apply("Div" if line.divides else "Mul", n, factor)
    if np.any(line.offset):
        total = body.apply("Add", total, body.number(n, _spread(line.offset, n), "offset"))
    return total


def _finished(body: Body, total: Tensor, *, line: Line) -> Tensor:
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
