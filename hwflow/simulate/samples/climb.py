"""Samples that climb: projected gradient ascent towards results that no sample has come near.

The sample is a real number at each input element while it moves, and rounded to levels when it is
computed, so that the heights are the hardware's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwflow.fixed import RawArray
from hwflow.ir.graph import Graph
from hwflow.simulate.coverage.step import Step
from hwflow.simulate.numpy import run_batch
from hwflow.simulate.samples.gradients import F64, Gradients, work
from hwflow.simulate.samples.ports import PortRange
from hwflow.simulate.samples.reach import Summit

STEPS = 30
"""Steps of an ascent."""

RATE, MOMENTUM = 0.3, 0.8
"""Share of a port's range that the steepest element moves at first, and what is kept of a step."""

MOST_WORK = 2**26
"""Work for the responses of layers, beyond which nothing climbs."""


def climbed(
    graph: Graph,
    ports: Mapping[str, PortRange],
    starts: Mapping[str, RawArray],
    summits: Sequence[Summit],
    rng: np.random.Generator,
) -> tuple[dict[str, RawArray], list[int]]:
    """Return the highest samples of all ascents, and the rows that are the best of each summit.

    Args:
        graph: the hardware graph.
        ports: ranges of its inputs, by node.
        starts: levels of samples to start at, shared out among the summits.
        summits: where to go; the last ones wait where there are fewer samples.
        rng: chooses the elements of the layers.
    """
    count = len(next(iter(starts.values())))
    summits = summits[:count]
    if not summits or work(graph) > MOST_WORK:
        return {name: levels[:0] for name, levels in starts.items()}, []
    goal = np.arange(count) % len(summits)
    seeds = _seeds(graph, [summits[g] for g in goal.tolist()], rng)
    best, heights = _ascend(graph, ports, starts, seeds)
    rows = [np.flatnonzero(goal == g) for g in range(len(summits))]
    return best, [int(own[heights[own].argmax()]) for own in rows]


def _ascend(
    graph: Graph,
    ports: Mapping[str, PortRange],
    starts: Mapping[str, RawArray],
    seeds: Mapping[str, F64],
) -> tuple[dict[str, RawArray], F64]:
    """Return the highest sample of each ascent, and its height."""
    gradients = Gradients(graph)
    at = {name: levels.astype(np.float64) for name, levels in starts.items()}
    speed = {name: np.zeros_like(levels) for name, levels in at.items()}
    best, height = dict(starts), np.full(len(next(iter(at.values()))), -np.inf)
    for number in range(STEPS):
        levels = {n: ports[n].snapped(np.rint(a).astype(np.int64)) for n, a in at.items()}
        steps = _computed(graph, levels)
        here = _heights(steps, seeds)
        for name, found in best.items():
            higher = (here > height).reshape(-1, *[1] * (found.ndim - 1))
            best[name] = np.where(higher, levels[name], found)
        height = np.maximum(height, here)
        rate = RATE * (1 - number / STEPS)
        for name, slope in gradients.at_inputs(steps, seeds).items():
            port = ports[name]
            steepest = np.maximum(np.abs(slope).max(1, keepdims=True), np.finfo(np.float64).tiny)
            speed[name] = MOMENTUM * speed[name] + (slope / steepest).reshape(speed[name].shape)
            moved = at[name] + rate * (port.hi - port.lo) * speed[name]
            at[name] = np.clip(moved, port.lo, port.hi)
    return best, height


def _seeds(graph: Graph, summits: Sequence[Summit], rng: np.random.Generator) -> dict[str, F64]:
    """Return a 1 or -1 for each sample, at an element of its summit's channel; by layer."""
    seeds: dict[str, F64] = {}
    for row, summit in enumerate(summits):
        tensor = graph.types[summit.node]
        seed = seeds.setdefault(summit.node, np.zeros((len(summits), tensor.size)))
        place = int(rng.integers(tensor.size // tensor.channels))
        seed[row, place * tensor.channels + summit.channel] = 1.0 if summit.up else -1.0
    return seeds


def _computed(graph: Graph, levels: Mapping[str, RawArray]) -> list[Step]:
    points = {name: graph.types[name].dtype.fractional for name in levels}
    real = {n: np.ldexp(a.astype(np.float64), -points[n]) for n, a in levels.items()}
    return list(run_batch(graph, real))


def _heights(steps: Sequence[Step], seeds: Mapping[str, F64]) -> F64:
    """Return how high each sample is on the axis of its own summit."""
    found = [
        (step.full.raw.reshape(len(step.full.raw), -1) * seeds[step.node.name]).sum(1)
        for step in steps
        if step.node.name in seeds
    ]
    return np.asarray(np.sum(found, axis=0))
