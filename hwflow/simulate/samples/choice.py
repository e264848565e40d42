"""The smallest set of samples found that reaches the most, of real ones and of made-up ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwflow.fixed import FixedArray, RawArray
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.graph import Graph
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.simulate.coverage.goals import Bits, Goals
from hwflow.simulate.coverage.meter import SampleMeter
from hwflow.simulate.numpy import BATCH, Data, run_batch
from hwflow.simulate.samples import Levels, made_data, numbers
from hwflow.simulate.samples.cover import greedy_cover

MOST_GIVEN = 2048
"""Samples of given data that are looked at: the first ones."""

MOST_BITS = 1 << 27
"""Goals of all samples that are looked at, of one byte each."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """Samples that reach the most together, given ones first.

    Attributes:
        layers: values of the ports, by node name, batch first, channels last.
        given: how many are of the data that was given.
        made: how many are made up.
        reached: goals of coverage that they reach.
        possible: goals of coverage in all.
    """

    layers: Mapping[str, FixedArray]
    given: int
    made: int
    reached: int
    possible: int

    def described(self, source: str) -> str:
        """Return where the samples come from, in words.

        Args:
            source: source of the data that was given; empty where there was none.
        """
        parts = [f"{self.given} samples of {source}"] if source else []
        parts += [f"{self.made} made-up samples (seed 0)"] if self.made or not source else []
        return (
            f"{' and '.join(parts)}, the smallest set found (greedily) that reaches "
            f"{self.reached:,} of {self.possible:,} goals of coverage"
        )


def entered(graph: Graph, data: Data) -> dict[str, RawArray]:
    """Return the mantissas that data becomes at the ports, by input node, channels last.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    arrays = prepare_inputs(graph, data)
    return {name: quantize_values(a, graph.types[name].dtype) for name, a in arrays.items()}


def chosen(graph: Graph, given: Levels | None, made: Levels | None, most: int) -> Chosen:
    """Return samples that together reach what all of given and made-up ones reach, or nearly.

    Args:
        graph: the hardware graph.
        given: mantissas of the data at the ports, by input node; None where no data was given.
        made: mantissas of made-up samples in the same form; None to make them.
        most: samples to return at most; where more were needed, those that reach the most.
    """
    goals = Goals.of(graph)
    limit = min(MOST_GIVEN, max(MOST_BITS // max(goals.count, 1), 1), 4 * numbers(graph)[0])
    if made is None:
        made = entered(graph, made_data(graph).inputs)
    pools = [made] if given is None else [given, made]
    pools = [{name: a[:limit] for name, a in pool.items()} for pool in pools]
    levels = {name: np.concatenate([pool[name] for pool in pools]) for name in pools[0]}
    count = len(next(iter(pools[0].values()))) if given is not None else 0
    bits, layers = _computed(graph, goals, levels)
    sample, goal = np.nonzero(bits)
    cover = sorted(greedy_cover(sample, goal, most)) or [0]
    return Chosen(
        {name: FixedArray(raw[cover], graph.types[name].dtype) for name, raw in layers.items()},
        sum(sample < count for sample in cover),
        sum(sample >= count for sample in cover),
        int(bits[cover].any(0).sum()),
        goals.count,
    )


def _computed(graph: Graph, goals: Goals, levels: Levels) -> tuple[Bits, dict[str, RawArray]]:
    """Return which goals each sample reaches, and the mantissas of every port."""
    samples = len(next(iter(levels.values())))
    meter = SampleMeter(goals, samples)
    parts: dict[str, list[RawArray]] = {p.value: [] for p in (*graph.inputs, *graph.outputs)}
    points = {name: graph.types[name].dtype.fractional for name in levels}
    for start in range(0, samples, BATCH):
        batch = {
            name: np.ldexp(raw[start : start + BATCH].astype(np.float64), -points[name])
            for name, raw in levels.items()
        }
        for step in run_batch(graph, batch):
            meter.see(step)
            if step.node.name in parts:
                parts[step.node.name].append(step.value.raw)
    return meter.bits, {name: np.concatenate(raws) for name, raws in parts.items()}
