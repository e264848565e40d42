"""What time costs: the settings that nothing beats in time and in what they take of a board."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from hwflow.core.board import RESOURCES, Board
from hwflow.core.limits import Amount
from hwflow.fitting.budgets import Budget
from hwflow.fitting.finder import Finder
from hwflow.fitting.problem import Problem
from hwflow.fitting.record import Plan
from hwflow.fitting.search import TIE, Search
from hwflow.ir.op import Target

TIMES = {"latency_ns": "latency", "ii": "throughput"}
"""Times of a front, with what makes each least."""

COSTS = ("share", *RESOURCES)
"""Costs of a front: of the board's fullest resource in per cent, or blocks."""

FITTING_TRIES = 3
"""Choices that are looked at for each point while FIFOs take more than was counted."""


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """Points between the fastest settings and the cheapest ones on one board and target.

    Attributes:
        finder: what can be chosen; its goal is the cost.
        board: the board.
        target: backend, io type, part and clock.
        time: one of ``TIMES``.
        points: most points.
    """

    finder: Finder
    board: Board
    target: Target
    time: str
    points: int

    def plans(self) -> tuple[list[Plan], str]:
        """Return plans, the fastest first, none beaten by another; or why there can be none.

        Each is the cheapest of all that are as fast, proven by the solver where it says so.
        """
        problems, why = self.finder.problems(self.board, self.target)
        if why:
            return [], why
        steps = self._latencies(problems) if self.time == "latency_ns" else self._levels(problems)
        found: list[Plan] = []
        for limit in steps:
            plan = self._cheapest(problems, limit)
            if plan is not None:
                found.append(plan)
        return unbeaten(found, self.time, self.finder.goal), ""

    def _latencies(self, problems: list[Problem]) -> Iterator[float]:
        """Yield latencies from the least to that of the cheapest settings, evenly in ratio."""
        least = [
            found.total.latency_cycles.value
            for problem in problems
            if (found := Search(problem, "latency").best()) is not None
        ]
        cheapest = self._cheapest(problems, float("inf"))
        if not least or cheapest is None:
            return
        last = max(cheapest.report.total.latency_cycles.value, min(least))
        steps = np.geomspace(min(least), last, self.points).tolist()
        yield from dict.fromkeys([*steps[:-1], float("inf")])

    def _levels(self, problems: list[Problem]) -> Iterator[float]:
        """Yield initiation intervals that layers can have, thinned evenly in ratio."""
        columns = [column for problem in problems for column in problem.column("ii")]
        levels = np.unique(np.concatenate(columns))
        least = min(
            max(float(column.min()) for column in problem.column("ii")) for problem in problems
        )
        levels = levels[levels >= least]
        places = np.geomspace(1, len(levels), self.points) - 1
        yield from levels[np.unique(places.round().astype(np.int64))].tolist()

    def _cheapest(self, problems: list[Problem], limit: float) -> Plan | None:
        """Return the cheapest plan within a time, and of equally cheap ones the fastest."""
        found = []
        for problem in problems:
            within = self._within(problem, limit)
            plan = None if within is None else self.finder.best(within)
            if plan is None or within is None or plan.cost("share") > 100.0:
                continue
            found.append(self._fastest(within, plan))
        return min(found, key=lambda plan: plan.rank(self.finder.goal), default=None)

    def _within(self, problem: Problem, limit: float) -> Problem | None:
        if self.time == "ii":
            return problem.within("ii", limit)
        return replace(problem, most_cycles=limit)

    def _fastest(self, problem: Problem, plan: Plan) -> Plan:
        """Return the fastest plan that costs no more."""
        if self.time == "ii" or self.target.streams:
            return plan
        most = plan.cost(self.finder.goal)
        within = replace(problem, budgets=tuple(self._budgets(problem, most)))
        found = Search(within, "latency", problem.most_cycles).best()
        if found is None or found.total.latency_cycles.value >= (
            plan.report.total.latency_cycles.value - TIE
        ):
            return plan
        return self.finder.plan_of(problem, found)

    def _budgets(self, problem: Problem, most: float) -> Iterator[Budget]:
        """Yield the budgets of a problem, and that of a cost."""
        yield from problem.budgets
        for resource in RESOURCES if self.finder.goal == "share" else (self.finder.goal,):
            count = self.board.resources.count(resource)
            limit = most / 100.0 * count if self.finder.goal == "share" else most
            amount = Amount(Fraction(limit), percent=False, text=f"{limit:g}")
            name = {"bram_18k": "bram"}.get(resource, resource)
            yield Budget(name=name, text=amount.text, origin="a point of a front", amount=amount)


def time_of(plan: Plan, time: str) -> float:
    """Return the latency of a plan in ns, or its initiation interval in ns."""
    return plan.latency_ns if time == "latency_ns" else plan.interval_ns


def unbeaten(plans: list[Plan], time: str, cost: str) -> list[Plan]:
    """Return the plans that no other is as fast and as cheap as, the fastest first."""
    order = sorted(plans, key=lambda plan: (time_of(plan, time), plan.cost(cost)))
    found: list[Plan] = []
    for plan in order:
        if not found or plan.cost(cost) < found[-1].cost(cost) * (1 - 1e-9):
            found.append(plan)
    return found
