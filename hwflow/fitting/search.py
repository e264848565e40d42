"""The best choice of a problem, where in streams the slowest layer overlaps with all others.

A design's latency in io_stream is that of its longest path, and what overlaps: the largest interval
of any layer. As a variable that would make HiGHS' bounds weak. So the search splits it: for
intervals between two values, options above the larger are left out and the smaller is counted,
which bounds from below what is between; ranges are looked at, best bound first, until a choice is
what its bound says.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count, product

import numpy as np

from hwflow.core.board import RESOURCES
from hwflow.fitting.model import Model
from hwflow.fitting.options import Option
from hwflow.fitting.problem import Problem, figures_of, held, loosened
from hwflow.fitting.program import Vector
from hwflow.ir.cost import Basis, Cost, Estimate

GOALS = (*RESOURCES, "latency", "area", "excess", "any")
"""What can be made least: blocks, cycles, area, the largest multiple of a budget; or nothing."""

TIE = 1e-6
"""Cycles, and part of a budget, by which two figures may differ that count as the same."""


@dataclass(frozen=True, eq=False)
class Found:
    """The best choice.

    Attributes:
        options: what each layer is, in the order of the graph.
        total: the estimate of the design.
        proven: whether no other choice is better.
    """

    options: tuple[Option, ...]
    total: Cost
    proven: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class _Range:
    """Intervals from one to another of the levels, and the best choice for them.

    Upper ends of areas follow from other rules by what they rest on: each basis of those that
    budgets are for has ranges of its own.
    """

    bases: tuple[Basis, ...]
    low: int
    high: int
    found: Found
    overlap: float
    goal: float


class Search:
    """A search for the best choice.

    Attributes:
        problem: what is asked.
        goal: one of ``GOALS``.
        most_cycles: the largest latency that is taken, beside the budgets.
    """

    def __init__(self, problem: Problem, goal: str, most_cycles: float = float("inf")) -> None:
        self.problem, self.goal, self.most_cycles = problem, goal, most_cycles
        self._seen: set[tuple[int, ...]] = set()
        columns = problem.column("interval")
        least = max((column.min() for column in columns if len(column)), default=0.0)
        levels = np.unique(np.concatenate([[least], *columns]))
        self.timed = goal in ("latency", "excess") or most_cycles < float("inf")
        self.timed |= any(b.figure == "latency" for b in problem.budgets)
        self.levels = levels[levels >= least] if self.timed else levels[-1:]

    def best(self) -> Found | None:
        """Return the best choice; None where there is none.

        Raises:
            TimeoutError: HiGHS found nothing in its time.
        """
        order = count()
        waiting: list[tuple[float, int, _Range]] = []
        upper = sum(budget.high for budget in self.problem.budgets)
        ranges = [(bases, 0, len(self.levels) - 1) for bases in product(Basis, repeat=upper)]
        proven = True
        while True:
            for bases, low, high in ranges:
                one = self._solved(bases, low, high) if low <= high else None
                if one is not None:
                    heappush(waiting, (one.goal, next(order), one))
            if not waiting:
                return None
            _, _, one = heappop(waiting)
            proven &= one.found.proven
            if self._exact(one):
                return Found(one.found.options, one.found.total, proven)
            at = int(np.searchsorted(self.levels, one.overlap))
            ranges = [(one.bases, one.low, at - 1), (one.bases, at, one.high)]

    def _exact(self, one: _Range) -> bool:
        """Return whether a choice has no more overlap than was counted, or that does not matter."""
        if one.overlap <= self.levels[one.low]:
            return True
        if self.goal == "latency":
            return False
        total = one.found.total
        if self.goal == "excess":
            return excess_of(self.problem, total) <= one.goal * (1 + TIE)
        late = [b for b in self.problem.broken(total) if b.figure == "latency"]
        return not late and total.latency_cycles.value <= self.most_cycles + TIE

    def _solved(self, bases: tuple[Basis, ...], low: int, high: int) -> _Range | None:
        """Return the best choice for a range of intervals, with the least overlap in it counted."""
        within = self.problem.within("interval", float(self.levels[high]))
        if within is None:
            return None
        model = Model(within, float(self.levels[low]) if self.timed else 0.0)
        return self._minimum(model, bases, low, high)

    def _minimum(
        self, model: Model, bases: tuple[Basis, ...], low: int, high: int
    ) -> _Range | None:
        problem, program = model.problem, model.program
        scale = model.scale if self.goal == "excess" else None
        ends = iter(bases)
        for budget in problem.budgets:
            model.keep(budget, next(ends) if budget.high else Basis.FITTED, scale)
        if problem.dataflow:
            plain = program.sum_of(problem.column("plain"))
            program.at_most(plain, program.constant(len(problem.layers) - 1.0))
        for options in problem.excluded:
            indices = [
                layer.index(option) for layer, option in zip(problem.layers, options, strict=True)
            ]
            if None not in indices:
                program.forbid([i for i in indices if i is not None])
        if self.most_cycles < float("inf"):
            program.at_most(model.latency, program.constant(self.most_cycles + TIE / 2))
        goal = self._goal(model)
        while (choice := program.minimum(goal)) is not None:
            chosen = [*zip(problem.layers, choice.options, strict=True)]
            options = tuple(layer.options[i] for layer, i in chosen)
            found = Found(options, problem.total(options), choice.proven)
            overlap = max((float(layer.column("interval")[i]) for layer, i in chosen), default=0.0)
            one = _Range(
                bases=bases, low=low, high=high, found=found, overlap=overlap, goal=choice.goal
            )
            if not self._excluded(model, one, choice.options):
                return one
        return None

    def _goal(self, model: Model) -> Vector:
        if self.goal in RESOURCES:
            return model.areas[self.goal]
        named = {"latency": "latency", "area": "area", "excess": "scale"}
        return getattr(model, named[self.goal]) if self.goal in named else model.program.zero()

    def _excluded(self, model: Model, one: _Range, taken: tuple[int, ...]) -> bool:
        """Return whether a choice breaks a budget, which the overlap does not explain; exclude it.

        HiGHS takes a constraint for kept that is broken by a part in a million.
        """
        problem, figures = model.problem, figures_of(one.found.total, model.problem.board)
        late = model.overlap - one.overlap if self.timed else 0.0
        counted = {**figures, "latency": figures["latency"] + Estimate(late, late, late)}
        scale = one.goal * (1 + TIE) if self.goal == "excess" else 1.0
        broken = [
            b for b in problem.budgets if held(counted, b) > loosened(problem.limit(b) * scale)
        ]
        if not broken:
            return False
        cuts = [model.cut(budget, taken) for budget in broken if budget.high]
        if not any(cuts) or taken in self._seen:
            model.program.forbid(taken)
        self._seen.add(taken)
        return True


def excess_of(problem: Problem, total: Cost) -> float:
    """Return the largest multiple of a budget that a design takes, of those that are not 0."""
    figures, limits = (
        figures_of(total, problem.board),
        [(b, problem.limit(b)) for b in problem.budgets],
    )
    return max((held(figures, budget) / limit for budget, limit in limits if limit), default=0.0)
