"""The best choice for each target: proven, and of all that are as good, the one of least area."""

from __future__ import annotations

import numpy as np

from hwflow.core.board import RESOURCES
from hwflow.fitting.problem import Problem
from hwflow.fitting.search import TIE, Found, Search

TARGETS = ("latency", "throughput", "area")

COSTS = {"share": "excess", "area": "area", **{resource: resource for resource in RESOURCES}}
"""What else can be made least, with what a search calls it: the multiple of the board's budgets is
the share of its fullest resource."""


def solve(problem: Problem, target: str) -> Found | None:
    """Return the best choice within the budgets, or None where there is none.

    Args:
        problem: the layers and budgets.
        target: one of ``TARGETS`` or ``COSTS``.

    Raises:
        TimeoutError: HiGHS found nothing in its time.
    """
    within = problem.within("ii", problem.limit_of("ii"))
    if within is None:
        return None
    if target in COSTS:
        return Search(within, COSTS[target], problem.most_cycles).best()
    if target == "throughput":
        return _least_ii(within)
    first = Search(within, "latency").best()
    if first is None:
        return None
    return _of_least_area(within, first)


def least(problem: Problem, figure: str) -> Found | None:
    """Return the choice with the least of a figure within the budgets.

    Args:
        problem: the layers and budgets.
        figure: a resource of boards, ``latency`` or ``ii``.
    """
    within = problem.within("ii", problem.limit_of("ii"))
    if within is None:
        return None
    return _least_ii(within) if figure == "ii" else Search(within, figure).best()


def _of_least_area(problem: Problem, first: Found) -> Found:
    """Return the choice of least area with the latency of the one that was found."""
    second = Search(problem, "area", first.total.latency_cycles.value + TIE).best()
    if second is None:
        return first
    return Found(second.options, second.total, first.proven and second.proven)


def _least_ii(problem: Problem) -> Found | None:
    """Return the choice of least area with the least II for which there is one at all."""
    columns = problem.column("ii")
    least = max((column.min() for column in columns), default=1.0)
    levels = np.unique(np.concatenate([[least], *columns]))
    levels = levels[levels >= least]
    below, reached = -1, len(levels)  # nothing fits up to the one, something from the other on
    while reached - below > 1:
        middle = (below + reached) // 2
        within = problem.within("ii", float(levels[middle]))
        if within is None or Search(within, "any").best() is None:
            below = middle
        else:
            reached = middle
    within = problem.within("ii", float(levels[reached])) if reached < len(levels) else None
    return None if within is None else Search(within, "area").best()
