"""A real function by its numbers: exact wherever its operand is one of the points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hwflow.ir.grid import Rationals
from hwflow.ir.real.expression import Bounded, Expression, Points, Unary


@dataclass(frozen=True, eq=False)
class Tabulated(Unary):
    """The number of the point that is nearest to the operand; see ``hwflow.ir.qonnx.table``.

    Attributes:
        x: gives points only, so that rounding errors of its evaluation change nothing.
        first: the first point.
        step: distance from one point to the next.
        values: the numbers.
    """

    first: float
    step: float
    values: npt.NDArray[np.float64]

    def evaluate(self, at: Points) -> Bounded:
        """Return the numbers, which are exact."""
        x, _ = self.x.evaluate(at)
        place = np.rint((x - self.first) / self.step).astype(np.int64)
        values = self.values[np.clip(place, 0, len(self.values) - 1)]
        return values, np.zeros(values.shape)

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        """Return the table of the operand with every constant changed."""
        return Tabulated(self.x.map(change), self.first, self.step, self.values)

    def apply(self, x: Fraction, row: int) -> Fraction:
        """Return the number of the point that is nearest to ``x``."""
        place = round((x - Fraction(self.first)) / Fraction(self.step))
        return Fraction(float(self.values[min(max(place, 0), len(self.values) - 1)]))
