"""Samples in which an input of a dense layer is not 0, or an output not at an end of its range.

A weight matters only where both meet; from one of each, children are made that have both.
"""

from __future__ import annotations

import numpy as np

from hwflow.fixed import RawArray
from hwflow.simulate.coverage.goals import Bits
from hwflow.simulate.coverage.step import Step
from hwflow.simulate.samples.goals import Products

KEPT = 4
"""Samples that are remembered for each input and output."""


class Feeders:
    """Rows of the pool that feed the inputs and outputs of a layer's open weights."""

    def __init__(self, probe: Products, base: int, rng: np.random.Generator) -> None:
        """Know none yet.

        Args:
            probe: the goals of the layer's weights.
            base: number of the first among all goals.
            rng: chooses among samples.
        """
        self.probe, self.base, self._rng = probe, base, rng
        rows, columns = probe.shape
        self.inputs = np.full((rows, KEPT), -1)
        self.outputs = np.full((columns, KEPT), -1)

    def _open(self, seen: Bits) -> Bits:
        left: Bits = ~seen[self.base : self.base + self.probe.size]
        return left.reshape(self.probe.shape)

    def take(self, step: Step, first: int, seen: Bits) -> None:
        """Remember samples of a batch; arguments as for ``Aim.take``."""
        left = self._open(seen)
        if not left.any():
            return
        (x,), value = step.inputs, step.value
        ends = value.dtype.raw_min, value.dtype.raw_max
        between = (value.raw != ends[0]) & (value.raw != ends[1])
        for where, table, wanted in (
            (x.raw != 0, self.inputs, left.any(1)),
            (between, self.outputs, left.any(0)),
        ):
            flat = where.reshape(len(where), -1, where.shape[-1]).any(1) & wanted
            sample, place = np.nonzero(flat)
            mixed = self._rng.permutation(len(sample))
            table[place[mixed], self._rng.integers(KEPT, size=len(sample))] = first + sample[mixed]

    def pairs(self, count: int, seen: Bits) -> RawArray:
        """Return rows of the pool for open weights: some that feed the output, some the input."""
        row, column = np.nonzero(self._open(seen))
        if not len(row):
            return np.empty((2, 0), np.int64)
        which = self._rng.integers(len(row), size=count)
        slot = self._rng.integers(KEPT, size=(2, count))
        found = np.stack([self.outputs[column[which], slot[0]], self.inputs[row[which], slot[1]]])
        return np.asarray(found[:, (found >= 0).all(0)])

    def renumber(self, number: RawArray) -> None:
        """Take over new numbers of the pool's rows; -1 for rows that are forgotten."""
        self.inputs = np.where(self.inputs < 0, -1, number[self.inputs])
        self.outputs = np.where(self.outputs < 0, -1, number[self.outputs])
