"""Binary search among the inputs where results change; serves every function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedType, RawArray
from hwflow.ir.op import Target
from hwflow.ops.requantization import cost
from hwflow.ops.requantization.cost import Lanes
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem

NAME = "thresholds"

MOST_RUNS = 2**18
"""Most runs over all rows: beyond, the C++ gets longer than tools can read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Thresholds(Plan):
    """The number of thresholds that an input reaches tells its result.

    Attributes:
        starts: ascending thresholds, shape ``(rows, 2**stages - 1)``, the last ones out of reach.
        results: what each count stands for, shape ``(rows, 2**stages)``; of each row the first
            alone where each count is one more (or less) than the one before.
        step: what each threshold adds to the first result, or 0 where ``results`` lists all.
    """

    kernel: ClassVar[str] = "thresholds"

    implementation: str = NAME
    starts: RawArray
    results: RawArray
    step: int

    @property
    def stages(self) -> int:
        """Comparisons one after the other."""
        return int(self.starts.shape[1] + 1).bit_length() - 1

    def levels(self, n: RawArray, row: RawArray) -> RawArray:
        at = np.zeros_like(n)
        for stage in reversed(range(self.stages)):
            probe = at + (1 << stage)
            at = np.where(n >= self.starts[row, probe - 1], probe, at)
        if self.step:
            return np.asarray(self.results[row, 0] + self.step * at)
        return np.asarray(self.results[row, at])

    def constants(self) -> Mapping[str, RawArray]:
        return {"thresholds": self.starts, "results": self.results}

    def numbers(self) -> Mapping[str, int]:
        return {"stages": self.stages, "step": self.step}

    def types(self) -> Mapping[str, FixedType]:
        return {"count": FixedType.covering(0, 2**self.stages - 1, 0)}

    def lanes(self, target: Target) -> Lanes:
        return cost.search_lanes(self.stages, self._listed_bits, self.lo, self.hi)

    def shared_lane(self, target: Target) -> Lanes:
        lo, hi = self.lo.min(keepdims=True), self.hi.max(keepdims=True)
        return cost.search_lanes(self.stages, self._listed_bits, lo, hi, rows=self.rows)

    @property
    def _listed_bits(self) -> int:
        """Width of a listed result; 0 where results follow from the count."""
        low, high = int(self.results.min()), int(self.results.max())
        return 0 if self.step else FixedType.covering(low, high, 0).width

    @property
    def detail(self) -> str:
        return f"{self.stages} comparison{'s' * (self.stages > 1)}"


def find(problem: Problem) -> Plan | None:
    """Return the search, proven, or None where there are too many or too wide thresholds."""
    runs = np.diff(np.append(problem.begin, len(problem.row)))
    stages = max(ceil(log2(int(runs.max()))), 1)
    if problem.rows << stages > MOST_RUNS:
        return None
    place = np.arange(len(problem.row)) - problem.begin[problem.row]
    out_of_reach = int(problem.last.max()) + 1
    starts = np.full((problem.rows, 2**stages), out_of_reach, np.int64)
    starts[problem.row, place] = problem.first
    results = np.repeat(problem.level[problem.begin][:, None], 2**stages, axis=1)
    results[problem.row, place] = problem.level
    step = _common_step(problem)
    plan = Thresholds(
        **problem.parts,
        starts=starts[:, 1:],
        results=results[:, :1] if step else results,
        step=step,
    )
    return plan.proven(problem)


def _common_step(problem: Problem) -> int:
    """Return the step between neighbouring results where it is 1 or -1 throughout, else 0."""
    within = np.diff(problem.row) == 0
    steps = np.unique(np.diff(problem.level)[within])
    return int(steps[0]) if len(steps) == 1 and abs(steps[0]) == 1 else 0
