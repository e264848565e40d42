"""Observers of a simulation that find out which goals are reached."""

from __future__ import annotations

import numpy as np

from hwflow.simulate.coverage.goals import Bits, Goals
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.coverage.step import Step


class Meter:
    """Finds out which goals all samples together reach, batch by batch."""

    def __init__(self, goals: Goals) -> None:
        """Take the goals of the graph whose simulation is observed."""
        self.goals = goals
        self.bits: Bits = np.zeros(goals.count, bool)

    def see(self, step: Step) -> None:
        """Take in one layer's computation; a layer that has nothing left to reach costs nothing."""
        layer = self.goals.layers[step.node.name]
        own = self.bits[layer.base : layer.base + len(layer.kinds)]
        if not own.all():
            own |= layer.reached(step)

    @property
    def coverage(self) -> Coverage:
        """What was reached up to now."""
        return Coverage.of_bits(self.goals, self.bits)


class SampleMeter:
    """Finds out which goals each sample reaches."""

    def __init__(self, goals: Goals, samples: int) -> None:
        """Take the goals of the graph, and the number of samples that will come in order."""
        self.goals = goals
        self.bits: Bits = np.zeros((samples, goals.count), bool)
        self._seen = dict.fromkeys(goals.layers, 0)

    def see(self, step: Step) -> None:
        """Take in one layer's computation on the next samples."""
        name, size = step.node.name, len(step.value.raw)
        layer, first = self.goals.layers[name], self._seen[name]
        columns = slice(layer.base, layer.base + len(layer.kinds))
        self.bits[first : first + size, columns] = layer.reached_by_sample(step)
        self._seen[name] = first + size
