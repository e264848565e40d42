"""Samples found by search: parents near a goal are changed until a child reaches it.

Everything runs on the simulation's own integers. How much is tried is bounded by a number of
operations, not by time, so that the same graph and seed give the same samples anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.graph import Graph
from hwflow.simulate.coverage.goals import Goals
from hwflow.simulate.coverage.step import Step
from hwflow.simulate.numpy import run_batch
from hwflow.simulate.samples.aim import FAR, Aim
from hwflow.simulate.samples.climb import climbed
from hwflow.simulate.samples.cover import greedy_cover
from hwflow.simulate.samples.feeders import Feeders
from hwflow.simulate.samples.goals import Probe, Products, Shares, probes_of
from hwflow.simulate.samples.ports import PortRange
from hwflow.simulate.samples.reach import Reach
from hwflow.simulate.samples.trends import extremes

Levels = Mapping[str, RawArray]
"""Mantissas by input node, batch first, channels last."""

AT_ONCE = 128
"""Children of a round: few, so that most parents are the nearest that are known."""

PATIENCE = 30
"""Rounds that reach nothing new before the search ends."""


class Search:
    """Goals of a graph, and the samples that reach them."""

    def __init__(self, graph: Graph, ports: Mapping[str, PortRange], seed: int) -> None:
        """Take a graph and the ranges of its inputs, by node name."""
        self.graph, self.ports = graph, ports
        self.rng = np.random.default_rng((seed, 1))
        self.probes: dict[str, list[tuple[int, Probe]]] = {}
        self.aims: dict[int, Aim] = {}
        self.feeders: dict[int, Feeders] = {}
        self.goals = Goals.of(graph)
        size = self.goals.count
        for node in graph.nodes:
            for probe in probes_of(graph, node) if node.inputs else ():
                self.probes.setdefault(node.name, []).append((size, probe))
                if probe.targets is not None:
                    self.aims[size] = Aim(probe, size)
                if isinstance(probe, Products):
                    self.feeders[size] = Feeders(probe, size, self.rng)
                size += probe.size
        self.seen = np.zeros(size, bool)
        self.pool = {name: np.empty((0, *p.lo.shape), np.int64) for name, p in ports.items()}
        self.kept: list[int] = []
        self.reach = Reach(graph)
        self.highest: list[int] = []

    def offer(self, levels: Levels, sums: list[RawArray] | None = None) -> int:
        """Compute samples, keep those that reach something new, and return how many do.

        Args:
            levels: levels of the samples.
            sums: where to put the exact results of layers with a range to reach the ends of.
        """
        first, count = self._append(levels)
        hits: list[tuple[RawArray, RawArray]] = []
        for step in self._computed(levels):
            hits += self._hits(step, self.seen)
            self.reach.take(step)
            for base, probe in self.probes.get(step.node.name, ()):
                if base in self.aims:
                    self.aims[base].take(step, first, self.seen)
                elif base in self.feeders:
                    self.feeders[base].take(step, first, self.seen)
                if sums is not None and isinstance(probe, Shares):
                    sums.append(step.full.raw.reshape(count, -1))
        sample, goal = (np.concatenate(part) for part in zip(*hits, strict=True))
        self.seen[goal] = True
        new = greedy_cover(sample, goal, count)
        self.kept += [first + s for s in new]
        return len(new)

    def _computed(self, levels: Levels) -> Iterator[Step]:
        types = self.graph.types
        points = {name: types[name].dtype.fractional for name in levels}
        real = {n: np.ldexp(a.astype(np.float64), -points[n]) for n, a in levels.items()}
        return run_batch(self.graph, real)

    def _hits(self, step: Step, seen: npt.NDArray[np.bool_]) -> Iterator[tuple[RawArray, RawArray]]:
        """Yield samples and the goals of a layer that they reach, without those seen."""
        layer = self.goals.layers[step.node.name]
        bits = layer.reached_by_sample(step)
        sample, goal = np.nonzero(bits & ~seen[layer.base : layer.base + bits.shape[1]])
        yield sample, goal + layer.base
        for base, probe in self.probes.get(step.node.name, ()):
            sample, goal = probe.hits(step, seen[base : base + probe.size])
            yield sample, goal + base

    def _append(self, levels: Levels) -> tuple[int, int]:
        first = len(next(iter(self.pool.values())))
        for name, found in levels.items():
            self.pool[name] = np.concatenate([self.pool[name], found])
        return first, len(found)

    def compact(self) -> None:
        """Forget the samples that are neither kept nor a parent."""
        parents = [aim.parent[aim.open(self.seen)] for aim in self.aims.values()]
        feeders = [t[t >= 0] for f in self.feeders.values() for t in (f.inputs, f.outputs)]
        wanted = np.unique(np.concatenate([np.array(self.kept, np.int64), *parents, *feeders]))
        number = np.zeros(len(next(iter(self.pool.values()))), np.int64)
        number[wanted] = np.arange(len(wanted))
        self.pool = {name: found[wanted] for name, found in self.pool.items()}
        self.kept, self.highest = number[self.kept].tolist(), number[self.highest].tolist()
        for aim in self.aims.values():
            aim.parent = number[aim.parent]
        for feeder in self.feeders.values():
            feeder.renumber(number)

    def run(self, drawn: Levels, tries: int, climbers: int) -> None:
        """Start with samples, then try so many others at most.

        First come those that a linear fit calls extreme, then some that climb to where none came
        near, then children of the nearest.

        Args:
            drawn: the samples to start with.
            tries: how many others to compute at most, without the climbers.
            climbers: how many samples climb.
        """
        sums: list[RawArray] = []
        self.offer(drawn, sums)
        far = extremes(self.ports, drawn, sums, self.rng, min(tries // 4, len(sums) * AT_ONCE))
        tried = len(next(iter(far.values())))
        if tried:
            self.offer(far)
        self._climb(drawn, climbers)
        idle = 0
        while tried + AT_ONCE <= tries and idle < PATIENCE:
            family = self._parents(AT_ONCE)
            children = {name: self._children(name, *family) for name in self.ports}
            idle = 0 if self.offer(children) else idle + 1
            tried += AT_ONCE
            if len(next(iter(self.pool.values()))) > 4096:
                self.compact()

    def _climb(self, drawn: Levels, count: int) -> None:
        """Offer the highest samples of ascents, and keep the best of each summit in any case."""
        rows = self.rng.permutation(len(next(iter(drawn.values()))))[:count]
        starts = {name: levels[rows] for name, levels in drawn.items()}
        found, highest = climbed(self.graph, self.ports, starts, self.reach.summits(), self.rng)
        if highest:
            first = len(next(iter(self.pool.values())))
            self.offer(found)
            self.highest = [first + row for row in highest]
            self.kept = list(dict.fromkeys([*self.kept, *self.highest]))

    def _parents(self, count: int) -> tuple[RawArray, RawArray, RawArray]:
        """Return rows of the pool to change, others to cross them with, and how far they are.

        Some feed weights that are open; of the others three quarters are the nearest to goals that
        are open, the rest any that are kept.
        """
        fed = [f.pairs(count // (4 * len(self.feeders)), self.seen) for f in self.feeders.values()]
        count -= sum(pairs.shape[1] for pairs in fed)
        open_ = [(aim, which) for aim in self.aims.values() if len(which := aim.open(self.seen))]
        aimed = 3 * count // 4 if open_ else 0
        any_ = self.rng.choice(self.kept, (2, count - aimed))
        pairs = np.concatenate([any_, *fed], axis=1)
        found = [(pairs[0], pairs[1], np.full(pairs.shape[1], FAR))]
        for number, (aim, which) in enumerate(open_):
            share = aimed // len(open_) + (number < aimed % len(open_))
            tired = aim.tries[which] + self.rng.random(len(which))
            chosen = which[np.resize(np.argsort(tired)[:share], share)]
            aim.tries[chosen] += 1
            mates = aim.parent[self.rng.choice(which, share)]
            found.append((aim.parent[chosen], mates, aim.nearest[chosen]))
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
        """Return the smallest set of kept samples found that reaches all that they reach.

        The highest ones of the ascents come first, for a quarter at most.
        """
        levels = {name: found[self.kept] for name, found in self.pool.items()}
        nothing = np.zeros_like(self.seen)
        hits = [hit for step in self._computed(levels) for hit in self._hits(step, nothing)]
        sample, goal = (np.concatenate(part) for part in zip(*hits, strict=True))
        highest = [self.kept.index(row) for row in self.highest[: most // 4]]
        chosen = list(dict.fromkeys([*highest, *greedy_cover(sample, goal, most)]))[:most]
        return {name: found[chosen] for name, found in levels.items()}
