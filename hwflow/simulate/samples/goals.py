"""What samples should reach: the places where a layer's function changes, on every range proven.

A wrong threshold, bias or rounding mode shows only at an input next to the place where it decides.
Goals name those places: both sides of every step of a requantiser, the sums beside the boundaries
of a cast, the weights whose last bit matters, and the shares of each exact result's range. They are
finer than what ``hwflow.simulate.coverage`` reports, which the search wants, too.
"""

from __future__ import annotations

from abc import ABC

import numpy as np

from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding
from hwflow.ir.graph import Graph, Node
from hwflow.ir.tensor import TensorType
from hwflow.ops.dense import Dense
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.requantization.problem import ends_by_row, weighted
from hwflow.ops.requantize import Requantize
from hwflow.simulate.coverage.goals import Bits
from hwflow.simulate.coverage.step import Step
from hwflow.simulate.samples.cover import hits_of

MOST_TARGETS = 1 << 16
"""Goals of one layer; of more, so many are taken at equal distances."""

SHARES = 16
"""Parts of each channel's proven range, each a goal."""

MOST_PRODUCTS = 1 << 12
"""Weights of a dense layer that are goals each; beyond, others reach most of them."""

PARTS = 32
"""Parts of the range of an operand of a sum."""


class Probe(ABC):
    """Goals of one layer, numbered from 0.

    Attributes:
        size: how many there are.
        targets: positions to be reached, ascending, each with the goal of the same place in
            ``goals``; None where no position is nearer to a goal than another.
        goals: see there.
    """

    size: int
    targets: RawArray | None = None
    goals: RawArray

    def hits(self, step: Step, seen: Bits) -> tuple[RawArray, RawArray]:
        """Return sample and goal of every hit, each pair once, of goals that are not seen yet."""
        reached = self.reached(step)
        return hits_of(np.where(seen[reached], -1, reached), self.size)

    def reached(self, step: Step) -> RawArray:
        """Return the goals that each sample reaches, batch first; -1 for none."""
        raise NotImplementedError

    def positions(self, step: Step) -> RawArray:
        """Return where each sample is, batch first, on the axis of ``targets``."""
        raise NotImplementedError


class Runs(Probe):
    """Every run of a requantiser, and both sides of every place between two runs.

    A weighted sum need not take every value; what is nearer to such a place than the least step
    of an operand is beside it.
    """

    def __init__(self, op: Requantize, types: tuple[TensorType, ...]) -> None:
        """Take the function on the inputs that can occur."""
        op = op.at(*types)
        function = op.function_of(*types)
        self._rows = rows = function.rows
        lo, hi = weighted(op.weights, np.arange(rows), ends_by_row(rows, types))
        self._shift = _row_shifts(lo, hi)
        found = [
            starts[(starts > lo[row]) & (starts <= hi[row])] + self._shift[row]
            for row, starts in enumerate(function.starts)
        ]
        self._starts = _thinned(np.concatenate(found))
        weights = [np.abs(w[w != 0]).min(initial=1 << 40) for w in op.weights or ()]
        self._near = int(min(weights, default=1))
        count = len(self._starts)
        self._before = count + rows
        self.size = self._before + 2 * count
        order = np.argsort(both := np.concatenate([self._starts - 1, self._starts]), kind="stable")
        self.targets, self.goals = both[order], self._before + order

    def _by_element(self, shape: tuple[int, ...]) -> bool:
        return self._rows not in (1, shape[-1])

    def positions(self, step: Step) -> RawArray:
        op = step.node.op
        assert isinstance(op, Requantize)
        n = op.argument(*step.inputs)
        shape = n.shape[1:]
        shift = self._shift.reshape(shape) if self._by_element(shape) else self._shift
        return (n + shift).reshape(len(n), -1)

    def reached(self, step: Step) -> RawArray:
        shape = step.value.raw.shape[1:]
        rows = np.arange(self._rows)
        row = rows.reshape(shape) if self._by_element(shape) else np.broadcast_to(rows, shape)
        positions, count = self.positions(step), len(self._starts)
        run = np.searchsorted(self._starts, positions, side="right")
        if not count:
            return run + row.ravel()
        above = positions - self._starts[np.maximum(run - 1, 0)]
        below = self._starts[np.minimum(run, count - 1)] - 1 - positions
        at = np.where((above >= 0) & (above < self._near), self._before + count + run - 1, -1)
        before = np.where((below >= 0) & (below < self._near), self._before + run, -1)
        return np.concatenate([run + row.ravel(), at, before], axis=1)


class Pairs(Probe):
    """What the first two operands of a sum are at the same time, each in a few parts."""

    def __init__(self, types: tuple[TensorType, ...]) -> None:
        """Take the operands' ranges."""
        self._parts = [(t.bounds[0], -(-(t.bounds[1] - t.bounds[0] + 1) // PARTS)) for t in types]
        self.size = PARTS * PARTS

    def reached(self, step: Step) -> RawArray:
        part = [
            (x.raw - lo) // width
            for x, (lo, width) in zip(step.inputs[:2], self._parts[:2], strict=True)
        ]
        return (part[0] * PARTS + part[1]).reshape(len(part[0]), -1)


class Shares(Probe):
    """Equal parts of the range that each channel's exact result is proven to stay in."""

    def __init__(self, exact: TensorType) -> None:
        """Take the range."""
        self._lo, span = exact.lo, exact.hi - exact.lo + 1
        self._width = -(-span // SHARES)
        self._shift = _row_shifts(exact.lo, exact.hi)
        self.size = exact.channels * SHARES
        first = self._width[:, None] * np.arange(SHARES)
        middle = np.minimum(first + self._width[:, None] // 2, span[:, None] - 1)
        targets = (middle + (self._lo + self._shift)[:, None]).ravel()
        inside = np.flatnonzero((first < span[:, None]).ravel())
        self.goals = inside[np.argsort(targets[inside], kind="stable")]
        self.targets = targets[self.goals]

    def positions(self, step: Step) -> RawArray:
        return (step.full.raw + self._shift).reshape(len(step.full.raw), -1)

    def reached(self, step: Step) -> RawArray:
        raw = step.full.raw
        part = (raw - self._lo) // self._width
        part = np.clip(part, 0, SHARES - 1) + SHARES * np.arange(len(self._lo))
        return part.reshape(len(raw), -1)


KINDS = 16
"""Goals of a cast in each channel: below, at and above a boundary, by sign and parity; clips."""


class Boundaries(Probe):
    """The sums beside the boundaries of a cast, and both its saturations, in every channel."""

    def __init__(self, full: TensorType, to: FixedType) -> None:
        """Take the type before the cast and the one behind."""
        self._to, self._channels = to, full.channels
        self.size = KINDS * full.channels

    def reached(self, step: Step) -> RawArray:
        to, raw = self._to, step.full.raw
        dropped = step.full.dtype.fractional - to.fractional
        half = 0 if to.rounding in (Rounding.TRN, Rounding.TRN_ZERO) else 1 << max(dropped, 1) >> 1
        moved = raw + half if dropped > 0 else raw
        floor = moved >> max(dropped, 0)
        low = moved - (floor << max(dropped, 0))
        last = (1 << max(dropped, 0)) - 1
        place = np.select([low == 0, low == last, low == 1], [0, 1, 2], -1)
        kind = np.where(place < 0, -1, place + 3 * (floor & 1) + 6 * (raw < 0))
        if to.overflow is not Overflow.WRAP:
            up = -min(dropped, 0)
            kind = np.where(floor << up > to.raw_max, 12, kind)
            kind = np.where(floor << up < to.raw_min, 13, kind)
        kind = np.where(step.full.raw == 0, 14, kind)
        kind = np.where(kind < 0, -1, kind + KINDS * np.arange(self._channels))
        return kind.reshape(len(raw), -1)


class Edges(Probe):
    """Operands of a ``FixedQuant`` next to which the result changes, for every element."""

    def __init__(self, op: FixedQuant, operand: TensorType) -> None:
        """Take the operator."""
        self._op, self._count = op, operand.size
        self.size = 4 * operand.size

    def reached(self, step: Step) -> RawArray:
        (x,) = step.inputs
        raw, here = x.raw, step.full.raw
        found = []
        for number, move in enumerate((1, -1)):
            beside = np.clip(raw + move, x.dtype.raw_min, x.dtype.raw_max)
            other = self._op.compute(FixedArray(beside, x.dtype)).raw
            kind = 2 * number + (here & 1)
            goal = np.arange(self._count) + self._count * kind.reshape(len(raw), -1)
            found.append(np.where((other != here).reshape(len(raw), -1), goal, -1))
        return np.concatenate(found, axis=1)


class Products(Probe):
    """Weights of a dense layer whose last bit changes the layer's result."""

    def __init__(self, op: Dense, to: FixedType) -> None:
        """Take the operator and the type behind it."""
        self._op, self._to = op, to
        self.shape: tuple[int, int] = op.weight.raw.shape[0], op.weight.raw.shape[1]
        self.size = op.weight.raw.size

    def hits(self, step: Step, seen: Bits) -> tuple[RawArray, RawArray]:
        (x,) = step.inputs
        rows, columns = self.shape
        left = ~seen.reshape(rows, columns)
        raw = x.raw.reshape(-1, rows)
        place, row = np.nonzero((raw != 0) & left.any(1))
        full, value = (a.raw.reshape(-1, columns)[place] for a in (step.full, step.value))
        power = step.full.dtype.fractional - x.dtype.fractional - self._op.weight.dtype.fractional
        moved = FixedArray(full + (raw[place, row, None] << max(power, 0)), step.full.dtype)
        which, column = np.nonzero((moved.cast(self._to).raw != value) & left[row])
        sample = place[which] // (len(raw) // len(x.raw))
        goal = row[which] * columns + column
        if len(raw) == len(x.raw):
            return sample, goal
        marks = np.unique(sample * self.size + goal)
        return marks // self.size, marks % self.size


def probes_of(graph: Graph, node: Node) -> list[Probe]:
    """Return the goals of a layer."""
    types, to = graph.input_types(node), graph.types[node.name].dtype
    exact = node.op.exact(*types)
    found: list[Probe] = []
    if isinstance(node.op, Requantize):
        found.append(Runs(node.op, types))
        if len(types) > 1:
            found.append(Pairs(types))
    elif isinstance(node.op, FixedQuant):
        found.append(Edges(node.op, types[0]))
    elif isinstance(node.op, Dense) and node.op.weight.raw.size <= MOST_PRODUCTS:
        found.append(Products(node.op, to))
    if not to.holds(*exact.bounds, exact.dtype.fractional):
        found.append(Boundaries(exact, to))
    if not (node.op.selects or isinstance(node.op, Requantize)):
        found.append(Shares(exact))
    return found


def _row_shifts(lo: RawArray, hi: RawArray) -> RawArray:
    """Return what to add to each row's positions so that rows lie apart by more than their length.

    Raises:
        OverflowError: they pass 62 bits.
    """
    span = int((hi.astype(object) - lo.astype(object)).max()) + 2
    if 2 * span * len(lo) >= 2**62:
        raise OverflowError("the ranges of all rows together pass 62 bits")
    return np.asarray(2 * span * np.arange(len(lo)) - lo, np.int64)


def _thinned(targets: RawArray) -> RawArray:
    if len(targets) <= MOST_TARGETS:
        return targets
    return targets[np.linspace(0, len(targets) - 1, MOST_TARGETS).astype(np.int64)]
