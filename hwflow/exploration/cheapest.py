"""All configurations up to a cost, found by branch and bound on what completions cost at least."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.workers import Processes
from hwflow.exploration.bounds import F64, Bounds, bounds_of
from hwflow.exploration.budgets import Budget, Limit, available_of
from hwflow.exploration.costs import SUMS
from hwflow.exploration.explorer import Explorer, Priced
from hwflow.exploration.front import costs_of
from hwflow.exploration.points import up_to
from hwflow.exploration.proof import REPORT, hold, prove
from hwflow.exploration.space import Numbers

BOUNDED = (*SUMS, "share")
"""Costs that have a bound: sums over layers, and what only grows with them."""

MOST = 100_000
"""Most configurations that are looked for: as many prefixes are held for each stage."""

BLOCK = 8192
"""Prefixes that are continued at a time: bounds the memory."""

SLACK = 1e-8
"""Relative error of a sum of costs in another order, far above what float64 leaves."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """All configurations of a space that keep to the upper limits and cost less than a limit.

    Attributes:
        bounds: what has shown that there are no others.
        cost: the cost.
        numbers: the configurations, ascending.
        below: all that cost less are among them; infinite where all are that keep to the limits.
        limits: the upper limits.
        priced: the space and the board.
        alone: there is no other board.
    """

    bounds: Bounds
    cost: str
    numbers: Numbers
    below: float
    limits: tuple[Limit, ...]
    priced: Priced
    alone: bool

    @property
    def whole(self) -> bool:
        """Whether all that keep to the limits are among them."""
        return bool(np.isinf(self.below))

    def plain(self) -> dict[str, Any]:
        """Return what a run says of it; ``up_to`` is the greatest cost of what is evaluated."""
        up_to = float(self.inside(self.numbers)[1].max(initial=0.0))
        return {
            "board": self.priced.name, "cost": self.cost, "up_to": up_to,
            "configurations": len(self.numbers), "whole": self.whole and self.alone,
            "limits": [limit.name for limit in self.limits],
        }  # fmt: skip

    def hold(self, numbers: Numbers) -> None:
        """Hold the bounds, and what they left out, against configurations that are evaluated.

        Raises:
            CompileError: HW345 or HW346, a bound is wrong; HW347, one of these is left out.
        """
        hold(self.bounds, self.priced, numbers)
        missing = np.setdiff1d(numbers[self.inside(numbers)[0]], self.numbers)
        if len(missing):
            raise CompileError([_left_out(int(missing[0]), self)])

    def inside(self, numbers: Numbers) -> tuple[Any, F64]:
        """Return which configurations belong to the part, by their exact cost, and that cost."""
        figures = self.priced.figures(numbers)
        costs = costs_of(figures, [self.cost])[:, 0]
        beyond = Budget(self.limits, available_of(self.priced.board)).excess(figures, {})
        cheap = (costs < self.below * (1 - SLACK)) | self.whole
        return (beyond.sum(axis=0) == 0) & cheap, costs


def _left_out(number: int, part: Part) -> Diagnostic:
    return Diagnostic(
        code="HW347", title="configuration that is not in the certified part",
        where=f"point {number}",
        found=f"it costs no more than {up_to(part.plain())} and was left out",
        help=f"{REPORT}; --evals 1200 explores without bounds",
    )  # fmt: skip


def part_of(explorer: Explorer, most: int, executor: Processes) -> Part | None:
    """Return the cheapest configurations on the first board, proven to be all of them.

    Args:
        explorer: the model.
        most: number of configurations at most.
        executor: what compiles.

    Returns:
        None where nothing is proven: the first of the costs has no bound, there are too many states
        of the network, or none of the cheapest keeps to the limits.

    Raises:
        CompileError: HW345 or HW346, a bound is wrong.
    """
    request, priced = explorer.request, explorer.boards[0]
    cost, most = request.cost[0], min(most, MOST)
    if request.fit is not None or cost not in BOUNDED or most < 1:
        return None
    bounds = bounds_of(priced, executor)
    if bounds is None:
        return None
    prove(bounds, priced)
    limits = tuple(limit for limit in request.limits if not limit.least)
    found, below = _below(bounds, priced, (cost, limits), most)
    if not len(found):
        return None
    part = Part(
        bounds=bounds, cost=cost, numbers=found, below=below, limits=limits, priced=priced,
        alone=len(explorer.boards) == 1,
    )  # fmt: skip
    inside = found[part.inside(found)[0]]
    return replace(part, numbers=inside) if len(inside) else None


@dataclass(frozen=True, eq=False)
class _Prefixes:
    """Partial configurations.

    Attributes:
        numbers: configurations that have them, and the first options otherwise.
        state: the state that each leads to.
        sums: what the stages so far cost at least, (prefixes, SUMS).
        least: the bound of the cost.
    """

    numbers: Numbers
    state: Numbers
    sums: F64
    least: F64

    def of(self, rows: Any) -> _Prefixes:
        return _Prefixes(self.numbers[rows], self.state[rows], self.sums[rows], self.least[rows])


def _below(
    bounds: Bounds, priced: Priced, asked: tuple[str, tuple[Limit, ...]], most: int
) -> tuple[Numbers, float]:
    """Return configurations and the least bound of what was left out and keeps to the limits.

    Stage by stage, the prefixes with the least bounds are continued. All completions of another
    cost at least its bound.
    """
    zero = np.zeros(1, np.int64)
    kept, below = _Prefixes(zero, zero, np.zeros((1, len(SUMS))), np.zeros(1)), np.inf
    for stage in range(len(bounds.strides)):
        parts: list[_Prefixes] = []
        for at in range(0, max(1, len(kept.numbers)), BLOCK):
            block = kept.of(slice(at, at + BLOCK))
            parts.append(_continued(bounds, priced, (stage, block), asked))
            if sum(len(p.numbers) for p in parts) > 4 * most:
                joined, below = _least(parts, most, below)
                parts = [joined]
        kept, below = _least(parts, most, below)
    return np.sort(kept.numbers), below


def _continued(
    bounds: Bounds, priced: Priced, at: tuple[int, _Prefixes], asked: tuple[str, tuple[Limit, ...]]
) -> _Prefixes:
    """Return prefixes with each choice of one more stage that may keep to the limits."""
    (stage, block), (cost, limits) = at, asked
    stride = bounds.strides[stage]
    numbers = (block.numbers[:, None] + stride.adds).ravel()
    state = stride.after[block.state].ravel()
    sums = (block.sums[:, None] + bounds.own[stage][block.state]).reshape(-1, len(SUMS))
    figures = priced.costs.of_sums(sums + bounds.rest[stage + 1][state])
    bounded = [limit for limit in limits if limit.figure in figures]
    slackened = {name: values * (1 - SLACK) for name, values in figures.items()}
    beyond = Budget(bounded, available_of(priced.board)).excess(slackened, {})
    rows = np.flatnonzero(beyond.sum(axis=0) == 0)
    return _Prefixes(numbers[rows], state[rows], sums[rows], figures[cost][rows])


def _least(parts: list[_Prefixes], most: int, below: float) -> tuple[_Prefixes, float]:
    """Return the prefixes with the least bounds, and the least bound that was ever left out."""
    joined = _Prefixes(*(np.concatenate([getattr(p, name) for p in parts])
                         for name in ("numbers", "state", "sums", "least")))  # fmt: skip
    keep = (joined.least < below) | np.isinf(below)
    if keep.sum() > most:
        below = float(np.partition(joined.least[keep], most)[most])
        keep = joined.least < below
    return joined.of(np.flatnonzero(keep)), below
