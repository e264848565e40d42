"""Samples found by search: parents near a goal are changed until a child reaches it.

Everything runs on the simulation's own integers. How much is tried is bounded by a number of
operations, not by time, so that the same graph and seed give the same samples anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.graph import Graph
from hwflow.samples.cover import greedy_cover, hits_of
from hwflow.samples.goals import Probe, computed, probes_of
from hwflow.samples.ports import PortRange

Levels = Mapping[str, RawArray]
"""Mantissas by input node, batch first, channels last."""

AT_ONCE = 128
"""Children of a round: few, so that most parents are the nearest that are known."""

PATIENCE = 12
"""Rounds that reach nothing new before the search ends."""

FAR = np.int64(2**62)


@dataclass(eq=False)
class Aim:
    """The goals of a layer that have a place on an axis, and the parent nearest to each.

    Attributes:
        probe: whose goals.
        base: number of its first goal among all.
        nearest: distance of the parent.
        parent: row of the pool.
        tries: how often children were made for it.
    """

    probe: Probe
    base: int
    nearest: RawArray = field(init=False)
    parent: RawArray = field(init=False)
    tries: RawArray = field(init=False)

    def __post_init__(self) -> None:
        """Know no parent yet."""
        count = len(self.probe.goals)
        self.nearest = np.full(count, FAR)
        self.parent, self.tries = np.zeros(count, np.int64), np.zeros(count, np.int64)

    def open(self, seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
        """Return the targets whose goals nothing has reached."""
        return np.flatnonzero(~seen[self.base + self.probe.goals])

    def update(self, positions: RawArray, first: int, seen: npt.NDArray[np.bool_]) -> None:
        """Take samples that are nearer than the parents.

        Args:
            positions: of the samples, one row each.
            first: row of the pool where the first of them is.
            seen: goals that were reached.
        """
        which = self.open(seen)
        if not len(which):
            return
        assert self.probe.targets is not None
        flat = positions.ravel()
        order = np.argsort(flat, kind="stable")
        values, targets = flat[order], self.probe.targets[which]
        at = np.searchsorted(values, targets)
        for place in (np.maximum(at - 1, 0), np.minimum(at, len(values) - 1)):
            distance = np.abs(values[place] - targets)
            better = distance < self.nearest[which]
            self.nearest[which[better]] = distance[better]
            self.parent[which[better]] = first + order[place[better]] // positions.shape[1]
            self.tries[which[better]] = 0


class Search:
    """Goals of a graph, and the samples that reach them."""

    def __init__(self, graph: Graph, ports: Mapping[str, PortRange], seed: int) -> None:
        """Take a graph and the ranges of its inputs, by node name."""
        self.graph, self.ports = graph, ports
        self.rng = np.random.default_rng((seed, 1))
        self.probes: dict[str, list[tuple[int, Probe]]] = {}
        self.aims: list[Aim] = []
        size = 0
        for node in graph.nodes:
            for probe in probes_of(graph, node) if node.inputs else ():
                self.probes.setdefault(node.name, []).append((size, probe))
                if probe.targets is not None:
                    self.aims.append(Aim(probe, size))
                size += probe.size
        self.seen = np.zeros(size, bool)
        self.pool = {name: np.empty((0, *p.lo.shape), np.int64) for name, p in ports.items()}
        self.kept: list[int] = []

    def offer(self, levels: Levels) -> int:
        """Compute samples, keep those that reach something new, and return how many do."""
        first, count = self._append(levels)
        samples: list[RawArray] = []
        goals: list[RawArray] = []
        aims = {id(aim.probe): aim for aim in self.aims}
        near: list[tuple[Aim, RawArray]] = []
        for step in computed(self.graph, levels):
            for base, probe in self.probes.get(step.node.name, ()):
                reached = probe.reached(step)
                known = self.seen[base : base + probe.size][reached]
                sample, goal = hits_of(np.where(known, -1, reached), probe.size)
                samples.append(sample)
                goals.append(goal + base)
                if probe.targets is not None:
                    near.append((aims[id(probe)], probe.positions(step)))
        sample, goal = np.concatenate(samples), np.concatenate(goals)
        self.seen[goal] = True
        for aim, positions in near:
            aim.update(positions, first, self.seen)
        new = greedy_cover(sample, goal, count)
        self.kept += [first + s for s in new]
        return len(new)

    def _append(self, levels: Levels) -> tuple[int, int]:
        first = len(next(iter(self.pool.values())))
        for name, found in levels.items():
            self.pool[name] = np.concatenate([self.pool[name], found])
        return first, len(found)

    def compact(self) -> None:
        """Forget the samples that are neither kept nor a parent."""
        parents = [aim.parent[aim.open(self.seen)] for aim in self.aims]
        wanted = np.unique(np.concatenate([np.array(self.kept, np.int64), *parents]))
        number = np.zeros(len(next(iter(self.pool.values()))), np.int64)
        number[wanted] = np.arange(len(wanted))
        self.pool = {name: found[wanted] for name, found in self.pool.items()}
        self.kept = number[self.kept].tolist()
        for aim in self.aims:
            aim.parent = number[aim.parent]

    def run(self, samples: int) -> None:
        """Try so many children at most."""
        idle = 0
        for _ in range(samples // AT_ONCE):
            parents, mates, distances = self._parents(AT_ONCE)
            if not len(parents):
                break
            children = {
                name: self._children(name, parents, mates, distances) for name in self.ports
            }
            idle = 0 if self.offer(children) else idle + 1
            if idle == PATIENCE:
                break
            if len(next(iter(self.pool.values()))) > 4096:
                self.compact()

    def _parents(self, count: int) -> tuple[RawArray, RawArray, RawArray]:
        """Return rows of the pool to change, others to cross them with, and how far they are."""
        found: list[tuple[RawArray, RawArray, RawArray]] = []
        open_ = [(aim, which) for aim in self.aims if len(which := aim.open(self.seen))]
        for number, (aim, which) in enumerate(open_):
            share = count // len(open_) + (number < count % len(open_))
            tired = aim.tries[which] + self.rng.random(len(which))
            chosen = which[np.resize(np.argsort(tired)[:share], share)]
            aim.tries[chosen] += 1
            mates = aim.parent[self.rng.choice(which, share)]
            found.append((aim.parent[chosen], mates, aim.nearest[chosen]))
        if not found:
            return (np.empty(0, np.int64),) * 3
        parents, mates, distances = zip(*found, strict=True)
        return np.concatenate(parents), np.concatenate(mates), np.concatenate(distances)

    def _children(
        self, name: str, parents: RawArray, mates: RawArray, distances: RawArray
    ) -> RawArray:
        """Return changed parents: nearby levels, other levels, ends, or parts of the mates."""
        port, rng = self.ports[name], self.rng
        own = self.pool[name][parents]
        flat = (len(own), -1)
        size = own[0].size
        close = distances <= 16
        share = np.where(
            close, rng.choice((1, 1, 2, 3), len(own)) / size, 2.0 ** -rng.uniform(0, 5, len(own))
        )
        some = rng.random(own.shape) < share.reshape(-1, *[1] * (own.ndim - 1))
        some.reshape(flat)[np.arange(len(own)), rng.integers(size, size=len(own))] = True
        tweak = own + rng.choice((-2, -1, -1, 1, 1, 2), own.shape)
        fresh = rng.integers(port.lo, port.hi, own.shape, endpoint=True)
        ends = np.where(rng.random(own.shape) < 0.5, port.lo, port.hi)
        ways = np.stack([tweak, fresh, ends, self.pool[name][mates]])
        way = np.where(close, rng.choice((0, 0, 0, 1), len(own)), rng.choice(4, len(own)))
        changed = ways[way, np.arange(len(own))]
        return port.snapped(np.where(some, changed, own))

    def best(self, most: int) -> Levels:
        """Return the smallest set of kept samples found that reaches all that they reach."""
        levels = {name: found[self.kept] for name, found in self.pool.items()}
        samples: list[RawArray] = []
        goals: list[RawArray] = []
        for step in computed(self.graph, levels):
            for base, probe in self.probes.get(step.node.name, ()):
                sample, goal = hits_of(probe.reached(step), probe.size)
                samples.append(sample)
                goals.append(goal + base)
        chosen = greedy_cover(np.concatenate(samples), np.concatenate(goals), most)
        return {name: found[chosen] for name, found in levels.items()}
