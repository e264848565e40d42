"""How many thresholds a number reaches: the function that a MultiThreshold is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwflow.ir.grid import ONE, Rationals
from hwflow.ir.real.decision import decide
from hwflow.ir.real.expression import Bounded, Expression, Points, Unary, constant_at
from hwflow.ir.real.nodes import Linear


@dataclass(frozen=True, eq=False)
class Steps(Unary):
    """The number of thresholds that are not above ``x``.

    Attributes:
        x: the tree below.
        thresholds: any order; each one number, or one for each row.
    """

    thresholds: tuple[Rationals, ...]

    def constants(self) -> list[Rationals]:
        """Return the thresholds."""
        return list(self.thresholds)

    def evaluate(self, at: Points) -> Bounded:
        """Return whole numbers; what lies within an error of a threshold is decided exactly."""
        x, error = self.x.evaluate(at)
        count = np.zeros(x.shape)
        for threshold in self.thresholds:
            limit, off = at.constant(threshold), at.conversion_error(threshold)
            reached = (x >= limit).astype(np.float64)
            unsure = np.flatnonzero((np.abs(x - limit) <= error + off) & (error + off > 0))
            if len(unsure):
                signs = decide(Linear(self.x, ONE, -threshold), "SIGN", at.at(unsure))
                reached[unsure] = signs > 0
            count += reached
        return count, np.zeros(x.shape)

    def apply(self, x: Fraction, row: int) -> Fraction:
        """Return the number of thresholds of a row that a number reaches."""
        return Fraction(sum(x >= constant_at(t, row) for t in self.thresholds))

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        """Return the tree with every constant changed."""
        return Steps(self.x.map(change), tuple(change(t) for t in self.thresholds))
