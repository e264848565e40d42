"""What a fit found: everything that was looked at, and the best of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwflow.core.board import Board
from hwflow.core.config import Config
from hwflow.fitting.budgets import Budget
from hwflow.fitting.change import Change, Miss
from hwflow.fitting.record import Plan
from hwflow.ir.op import Target

if TYPE_CHECKING:
    from hwflow.project.design import Design


@dataclass(frozen=True, eq=False)
class Case:
    """One board, clock and io type that was looked at.

    Attributes:
        board: the board.
        target: backend, io type, part and clock.
        plan: the best settings; None where nothing keeps to the budgets.
        why: why nothing can be generated there at all; empty where something can.
    """

    board: Board
    target: Target
    plan: Plan | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """What was found for a model.

    Attributes:
        source: how the model is called in messages.
        goal: what was to be best: ``latency``, ``throughput`` or ``area``.
        budgets: what the design may take, beside what the boards have.
        cases: everything that was looked at.
        plans: the best for each board that something fits, the cheapest board first.
        config: the settings that ``plans[0]`` is, of which nothing else was changed.
        design: the model compiled with them; None where nothing fits.
        miss: what comes nearest where nothing fits.
        changes: what would help then, each alone: first what makes something fit.
    """

    source: str
    goal: str
    budgets: tuple[Budget, ...]
    cases: tuple[Case, ...]
    plans: tuple[Plan, ...]
    config: Config
    design: Design | None = field(default=None, repr=False)
    miss: Miss | None = None
    changes: tuple[Change, ...] = ()

    @property
    def best(self) -> Plan | None:
        """The best settings for the cheapest board that something fits; None where nothing does."""
        return self.plans[0] if self.plans else None

    def __repr__(self) -> str:
        """Return what was found in a line for each board."""
        head = f"Fit of {self.source} for {self.goal}: {len(self.plans)} of {self._boards} boards"
        return "\n".join([head, *(f"  {plan.board.name}: {_line(plan)}" for plan in self.plans)])

    @property
    def _boards(self) -> int:
        return len({case.board.name for case in self.cases})

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "kind": "estimated",
            "model": self.source,
            "target": self.goal,
            "budgets": [str(budget) for budget in self.budgets],
            "fits": bool(self.plans),
            "plans": [plan.to_dict() for plan in self.plans],
            "nearest": self.miss and self.miss.to_dict(),
            "changes": [change.to_dict() for change in self.changes],
            "cases": [
                {
                    "board": case.board.name,
                    "io_type": case.target.io_type,
                    "clock_period_ns": case.target.clock_period_ns,
                    "fits": case.plan is not None,
                    "why": case.why,
                }
                for case in self.cases
            ],
        }


def _line(plan: Plan) -> str:
    return (
        f"{plan.target.io_type}, {plan.target.clock_period_ns:g} ns: latency "
        f"{plan.latency_ns:,.0f} ns, II {plan.report.total.ii.value:,.0f} cycles, "
        f"area {plan.area:.1f} %"
    )


def best_plans(cases: Sequence[Case], goal: str) -> tuple[Plan, ...]:
    """Return the best plan of each board, the cheapest and then the smallest board first."""
    best: dict[str, Plan] = {}
    for plan in (case.plan for case in cases if case.plan is not None):
        known = best.get(plan.board.name)
        if known is None or plan.rank(goal) < known.rank(goal):
            best[plan.board.name] = plan
    return tuple(sorted(best.values(), key=lambda p: (p.board.price_rank, _luts(p.board))))


def _luts(board: Board) -> int:
    return board.resources.count("lut")
