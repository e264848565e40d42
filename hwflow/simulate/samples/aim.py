"""The goals of a layer that lie on an axis, and the samples nearest to them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.simulate.coverage.step import Step
from hwflow.simulate.samples.goals import Probe

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

    def take(self, step: Step, first: int, seen: npt.NDArray[np.bool_]) -> None:
        """Take samples that are nearer than the parents.

        Args:
            step: the computation of the samples.
            first: row of the pool where the first of them is.
            seen: goals that were reached.
        """
        which = self.open(seen)
        if not len(which):
            return
        positions = self.probe.positions(step)
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
