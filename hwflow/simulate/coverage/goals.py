"""What data can reach in each layer of a graph, and which of it a batch reaches.

A goal that the proven ranges rule out is none. What makes a goal:

- an eighth of the proven range of a channel, or one value where there are no more than eight;
- a run of a requantiser, either side of a relu or a sign, the ends of a clip;
- an entry of a table;
- for a cast: that it drops bits which are not 0, and that it saturates low and high.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.graph import Graph, Node
from hwflow.ir.pieces import Kind
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.ops.shared.casts import cast_cells, cast_goals
from hwflow.simulate.coverage.step import Step

PARTS = 8
"""Parts of a channel's proven range that are goals of their own."""

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Watch:
    """Some goals of a layer.

    Attributes:
        cells: from a computation to the cells that its values fell into, batch first.
        table: for each cell the number of a goal of the layer, int64, -1 for none.
    """

    cells: Callable[[Step], tuple[RawArray, ...]]
    table: RawArray


@dataclass(frozen=True, eq=False)
class LayerGoals:
    """The goals of one layer.

    Attributes:
        node: the layer.
        kinds: what each goal is.
        watches: what finds out which are reached.
        base: the number of the first one among those of the graph.
    """

    node: Node
    kinds: tuple[Kind, ...]
    watches: tuple[Watch, ...]
    base: int

    def reached(self, step: Step) -> Bits:
        """Return which goals a batch reaches, shape ``(goals,)``."""
        found = np.zeros(len(self.kinds) + 1, bool)
        for watch in self.watches:
            met = np.zeros(len(watch.table), bool)
            for cells in watch.cells(step):
                met[cells.ravel()] = True
            found[watch.table[met]] = True  # the last place collects what is no goal
        return found[:-1]

    def reached_by_sample(self, step: Step) -> Bits:
        """Return which goals each sample reaches, shape ``(samples, goals)``."""
        samples = len(step.value.raw)
        found = np.zeros((samples, len(self.kinds) + 1), bool)
        rows = np.arange(samples)[:, None]
        for watch in self.watches:
            for cells in watch.cells(step):
                found[rows, watch.table[cells.reshape(samples, -1)]] = True
        return found[:, :-1]


@dataclass(frozen=True, eq=False)
class Goals:
    """All goals of a graph, numbered layer by layer.

    Attributes:
        layers: layers by node name, in order of computation.
        count: how many goals there are in all.
    """

    layers: dict[str, LayerGoals]
    count: int

    @classmethod
    def of(cls, graph: Graph) -> Goals:
        """Return the goals of a graph."""
        layers: dict[str, LayerGoals] = {}
        levels: dict[str, RawArray | None] = {}
        count = 0
        for node in graph.nodes:
            levels[node.name] = _levels(graph, node, levels)
            kinds, watches = _collected(_parts(graph, node, levels[node.name]))
            layers[node.name] = LayerGoals(node, kinds, watches, count)
            count += len(kinds)
        return cls(layers, count)


Part = tuple[list[Kind], list[Watch]]
"""Kinds of goals numbered from 0, and what watches them."""


def _collected(parts: Iterable[Part]) -> tuple[tuple[Kind, ...], tuple[Watch, ...]]:
    kinds: list[Kind] = []
    watches: list[Watch] = []
    for own, watching in parts:
        for watch in watching if own else ():
            table = np.where(watch.table < 0, -1, watch.table + len(kinds))
            watches.append(Watch(watch.cells, table))
        kinds += own
    return tuple(kinds), tuple(watches)


def _parts(graph: Graph, node: Node, levels: RawArray | None) -> Iterator[Part]:
    yield _range(graph.types[node.name], levels)
    if not isinstance(node.op, Input) and node.op.result_t is not None:
        yield from _cast(node, node.op.exact(*graph.input_types(node)))
    pieces = graph.pieces[node.name]
    if pieces is not None:
        watches = [Watch(lambda step: step.cells, table) for table in pieces.goals]
        yield list(pieces.kinds), watches


def _levels(graph: Graph, node: Node, known: dict[str, RawArray | None]) -> RawArray | None:
    """Return every mantissa that a value can have, ascending, where they are known to be few."""
    pieces = graph.pieces[node.name]
    if node.op.result_t is not None:
        return None
    if pieces is not None and pieces.levels is not None:
        return pieces.levels
    grids = {graph.types[n].dtype.fractional for n in (*node.inputs, node.name)}
    if not node.op.selects or len(grids) > 1:
        return None
    found = [known[name] for name in node.inputs]
    several = [levels for levels in found if levels is not None]
    return np.unique(np.concatenate(several)) if len(several) == len(found) > 0 else None


def _range(value: TensorType, levels: RawArray | None) -> Part:
    """Return the parts of the proven range of each channel."""
    lo, hi = value.lo, value.hi
    spans = (hi - lo + 1).astype(np.float64)
    parts = np.minimum(spans, PARTS)
    factor, first = parts / spans, np.arange(len(lo)) * PARTS

    def cells(step: Step) -> tuple[RawArray, ...]:
        inside = ((step.value.raw - lo) * factor).astype(np.int64)
        return (np.minimum(inside, PARTS - 1) + first,)

    goal = np.arange(PARTS) < parts[:, None]
    goal[spans < 2] = False  # a constant is always reached
    if levels is not None:
        met = np.zeros_like(goal)
        for channel in range(len(lo)):
            own = levels[(levels >= lo[channel]) & (levels <= hi[channel])]
            at = ((own - lo[channel]) * factor[channel]).astype(np.int64)
            met[channel, np.minimum(at, PARTS - 1)] = True
        goal &= met
    table = np.where(goal, np.cumsum(goal.ravel()).reshape(goal.shape) - 1, -1).ravel()
    return [Kind.RANGE] * int(goal.sum()), [Watch(cells, table)]


def _cast(node: Node, exact: TensorType) -> Iterator[Part]:
    """Yield what the cast of a layer can do to its exact result."""
    to = node.op.result_t
    assert to is not None
    if node.op.rectified and exact.lo.min() < 0 <= exact.hi.max():
        sign = Watch(lambda step: ((step.full.raw >= 0).astype(np.int64),), np.arange(2))
        yield [Kind.STEPS] * 2, [sign]
    kinds = cast_goals(exact.lo, exact.hi, exact.dtype.fractional, to)
    if node.op.rectified and Kind.LOW in kinds:
        kinds.remove(Kind.LOW)
    number = {kind: place for place, kind in enumerate(kinds)}
    sides = np.array([-1, number.get(Kind.LOW, -1), number.get(Kind.HIGH, -1)])
    rounding = np.repeat([-1, number.get(Kind.ROUNDING, -1)], 3)

    def cells(step: Step) -> tuple[RawArray, ...]:
        return (cast_cells(step.full.raw, step.full.dtype.fractional, to),)

    yield kinds, [Watch(cells, np.tile(sides, 2)), Watch(cells, rounding)]
