"""How far each layer's results came in any sample, and where they ought to come nearer.

A channel that has one value in every sample hides every weight in it. A result that never uses its
type's first bit hides that the type is too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwflow.fixed import RawArray
from hwflow.ir.graph import Graph, Node
from hwflow.simulate.coverage.goals import Bits
from hwflow.simulate.coverage.step import Step

NEAREST = 2
"""Channels of a layer, nearest to the type's first bit, that are summits on either side."""


@dataclass(frozen=True)
class Summit:
    """A channel of a layer whose exact result should become as great, or as small, as it can.

    Attributes:
        node: name of the layer.
        channel: which.
        up: whether great.
    """

    node: str
    channel: int
    up: bool


class Reach:
    """The least and greatest that each channel of each layer was in any sample."""

    def __init__(self, graph: Graph) -> None:
        """Know no sample yet."""
        self._graph = graph
        self._ends: dict[str, tuple[RawArray, RawArray, RawArray, RawArray]] = {}

    def take(self, step: Step) -> None:
        """Take in one layer's computation on a batch."""
        flat = [a.raw.reshape(-1, a.raw.shape[-1]) for a in (step.full, step.value)]
        full, value = flat
        low, high, least, most = full.min(0), full.max(0), value.min(0), value.max(0)
        if step.node.name in self._ends:
            before = self._ends[step.node.name]
            low, least = np.minimum(low, before[0]), np.minimum(least, before[2])
            high, most = np.maximum(high, before[1]), np.maximum(most, before[3])
        self._ends[step.node.name] = low, high, least, most

    def summits(self) -> list[Summit]:
        """Return what is worth climbing: channels with one value first, then wide results."""
        nodes = [n for n in self._graph.nodes if n.inputs and not n.op.selects]
        return [s for find in (self._still, self._wide) for node in nodes for s in find(node)]

    def _still(self, node: Node) -> Iterator[Summit]:
        tensor = self._graph.types[node.name]
        _, _, least, most = self._ends[node.name]
        still = least == most
        for up, away in ((True, most < tensor.hi), (False, least > tensor.lo)):
            yield from (Summit(node.name, int(c), up) for c in np.flatnonzero(still & away))

    def _wide(self, node: Node) -> Iterator[Summit]:
        exact = node.op.exact(*self._graph.input_types(node))
        low, high, _, _ = self._ends[node.name]
        half = exact.dtype.raw_max >> 1
        if high.max() <= half:
            yield from _nearest(node.name, high, exact.hi > half, up=True)
        if low.min() >= ~half and exact.dtype.signed:
            yield from _nearest(node.name, -low, exact.lo < ~half, up=False)


def _nearest(name: str, came: RawArray, may: Bits, *, up: bool) -> Iterator[Summit]:
    order = np.argsort(-came, kind="stable")
    yield from (Summit(name, int(c), up) for c in order[may[order]][:NEAREST])
