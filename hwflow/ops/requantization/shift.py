"""Shifts in place of multipliers: ``y = clamp((+-n * 2**k + B) >> S)``.

``k`` and ``S`` are the same for all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.estimate.products import constant_bits
from hwflow.fixed import RawArray
from hwflow.ir.op import Target
from hwflow.ops.requantization import cost
from hwflow.ops.requantization.cost import Lanes
from hwflow.ops.requantization.lines import LARGEST_SHIFT, Steps, offsets, roundest
from hwflow.ops.requantization.multiply_add_shift import MultiplyAddShift, asked
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem

NAME = "shift"

LARGEST_LEFT = 16
"""Largest shift to the left that is tried."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shift(MultiplyAddShift):
    """``MultiplyAddShift`` with one power of two, or its negative, as multiplier of all rows."""

    kernel: ClassVar[str] = "shift"

    implementation: str = NAME

    def constants(self) -> Mapping[str, RawArray]:
        return {k: v for k, v in super().constants().items() if k != "multiplier"}

    def numbers(self) -> Mapping[str, int]:
        factor = int(self.multiplier[0])
        left = abs(factor).bit_length() - 1
        return {**super().numbers(), "falls": int(factor < 0), "left": left}

    def lanes(self, target: Target) -> Lanes:
        lanes = cost.adder_lanes(self.multiplier, self.offset, self.lo, self.hi)
        return lanes + cost.clamp_lanes(self.rows, self.sums, self.drop, clamps=self.clamps)

    def shared_lane(self, target: Target) -> Lanes:
        lanes = cost.chosen_lane(int(constant_bits(self.offset).max()), self.rows)
        lanes += cost.varying_adder_lanes(1, 1, self.sums)
        return lanes + cost.clamp_lanes(1, self.sums, self.drop, clamps=self.clamps)

    @property
    def multiplier_bits(self) -> int:
        return self.factor_bits

    @property
    def detail(self) -> str:
        if self.implementation != NAME:
            return super().detail
        left = self.numbers()["left"]
        return f"<< {left}" if left else f">> {self.drop}"


def find(problem: Problem) -> Plan | None:
    """Return the implementation with the smallest shift, proven, or None."""
    for lowest, highest, steps in asked(problem):
        for factor, drop in _powers(steps):
            multiplier = np.full(problem.rows, factor, np.int64)
            least, most = offsets(steps, multiplier, drop)
            if (least <= most).all():
                return Shift(
                    **problem.parts, multiplier=multiplier, offset=roundest(least, most),
                    drop=drop, lowest=lowest, highest=highest,
                ).proven(problem)  # fmt: skip
    return None


def _powers(steps: Steps) -> Iterator[tuple[int, int]]:
    """Yield the factors and shifts that are a slope of every group."""
    low, high, absent = steps.slopes
    if absent.any():
        return
    least, most = float(low.max()), float(high.min())
    largest = steps.size.bit_length()
    room = 60 - int(np.abs(steps.level).max()).bit_length()
    for exponent in range(min(LARGEST_LEFT, 60 - largest), -min(LARGEST_SHIFT, room), -1):
        for sign in (1, -1):
            slope = sign * 2.0**exponent
            if least - 1e-9 * abs(slope) <= slope <= most + 1e-9 * abs(slope):
                yield sign << max(exponent, 0), max(-exponent, 0)
