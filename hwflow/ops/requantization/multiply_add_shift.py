"""One line for each row: ``y = clamp((M n + B) >> S)`` with the narrowest ``M`` that is equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from hwflow.fixed import RawArray
from hwflow.ir.op import Target
from hwflow.ops.requantization import cost
from hwflow.ops.requantization.cost import Lanes
from hwflow.ops.requantization.line_plan import LinePlan
from hwflow.ops.requantization.lines import Steps, fit
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem

NAME = "multiply_add_shift"


@dataclass(frozen=True, kw_only=True, eq=False)
class MultiplyAddShift(LinePlan):
    """``y = clamp((M n + B) >> S)`` with one ``M`` and ``B`` for each row.

    Attributes:
        lowest: least result, of shape ``(rows,)`` or ``(1,)``.
        highest: greatest result, likewise.
    """

    kernel: ClassVar[str] = "multiply_add_shift"

    implementation: str = NAME
    lowest: RawArray
    highest: RawArray

    def levels(self, n: RawArray, row: RawArray) -> RawArray:
        sums = self.multiplier[row] * n + self.offset[row]
        bounds = _at(self.lowest, row), _at(self.highest, row)
        return np.asarray(np.clip(sums >> self.drop, *bounds))

    @property
    def sums(self) -> tuple[int, int]:
        ends = np.stack([self.multiplier * e + self.offset for e in (self.lo, self.hi)])
        return int(ends.min()), int(ends.max())

    @property
    def clamps(self) -> bool:
        """Whether a sum can give a result beyond the bounds."""
        row = np.arange(self.rows)
        ends = np.stack([self.multiplier * e + self.offset for e in (self.lo, self.hi)])
        ends >>= self.drop
        return bool((ends < _at(self.lowest, row)).any() or (ends > _at(self.highest, row)).any())

    def constants(self) -> Mapping[str, RawArray]:
        return {
            "multiplier": self.multiplier,
            "offset": self.offset,
            "lowest": self.lowest,
            "highest": self.highest,
        }

    def numbers(self) -> Mapping[str, int]:
        return {"shift": self.drop, "clamps": int(self.clamps)}

    def lanes(self, target: Target) -> Lanes:
        lanes = cost.product_lanes(self.multiplier, self.lo, self.hi, target)
        lanes += cost.adder_lanes(self.multiplier, self.offset, self.lo, self.hi)
        return lanes + cost.clamp_lanes(self.rows, self.sums, self.drop, clamps=self.clamps)

    def shared_lane(self, target: Target) -> Lanes:
        lanes = cost.shared_line(self, self.rows)
        return lanes + cost.clamp_lanes(1, self.sums, self.drop, clamps=self.clamps)

    @property
    def detail(self) -> str:
        return f"{self.multiplier_bits}-bit multiplier, >> {self.drop}"


def _at(bounds: RawArray, row: RawArray) -> RawArray:
    """Return the bound of each input's row."""
    return np.asarray(bounds[row % len(bounds)])


def find(problem: Problem) -> Plan | None:
    """Return the implementation with the smallest shift, proven, or None."""
    for lowest, highest, steps in asked(problem):
        lines = fit(steps)
        if lines is not None:
            return MultiplyAddShift(
                **problem.parts, multiplier=lines.multiplier, offset=lines.offset,
                drop=lines.shift, lowest=lowest, highest=highest,
            ).proven(problem)  # fmt: skip
    return None


@lru_cache(maxsize=4)
def asked(problem: Problem) -> list[tuple[RawArray, RawArray, Steps]]:
    """Return where results may be clamped, and what all runs then ask of a line for each row.

    Results are clamped at the same levels in all rows, or in each row at its own.
    """
    bounds = [tuple(np.array([end], np.int64) for end in problem.levels)]
    lowest = np.minimum.reduceat(problem.level, problem.begin)
    highest = np.maximum.reduceat(problem.level, problem.begin)
    if (lowest > problem.levels[0]).any() or (highest < problem.levels[1]).any():
        bounds.append((lowest, highest))
    return [
        (low, high, Steps.of(
            problem.first, problem.last, problem.level, problem.begin,
            (_at(low, problem.row), _at(high, problem.row)),
        ))
        for low, high in bounds
    ]  # fmt: skip
