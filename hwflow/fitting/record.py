"""What a fit found: for each board the settings, with the estimate that is their optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hwflow.core.board import Board
from hwflow.core.config import Config
from hwflow.estimate.report import EstimateReport, cost_dict
from hwflow.fitting.budgets import Budget
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target

if TYPE_CHECKING:
    from hwflow.project.design import Design


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerChoice:
    """What was chosen for a layer.

    Attributes:
        name: the layer's name.
        origin: its framework name.
        kind: its operator.
        settings: what was chosen, as in ``[layer.NAME]``; empty where there was nothing to choose.
        cost: what it takes.
        tried: choices that it had.
    """

    name: str
    origin: str
    kind: str
    settings: Mapping[str, Any]
    cost: Cost
    tried: int


@dataclass(frozen=True)
class Use:
    """A budget, and what is used of it.

    Attributes:
        budget: the budget.
        limit: blocks of the board, or cycles.
        used: the same of the design; of the upper end of the estimate, where the budget is for it.
    """

    budget: Budget
    limit: float
    used: float

    @property
    def share(self) -> float:
        """What is used, in per cent of the limit."""
        return 100.0 * self.used / self.limit if self.limit else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The best settings for a board.

    Attributes:
        board: the board.
        target: backend, io type, part and clock.
        layers: what was chosen for each layer, in the order of the graph.
        report: the estimate with these settings.
        area: mean share of the board's resources, in per cent.
        proven: whether no other choice is better.
        uses: budgets of the user, and what is used of them.
    """

    board: Board
    target: Target
    layers: tuple[LayerChoice, ...]
    report: EstimateReport
    area: float
    proven: bool
    uses: tuple[Use, ...]

    @property
    def latency_ns(self) -> float:
        """Latency in nanoseconds."""
        return self.report.latency_ns.value

    @property
    def interval_ns(self) -> float:
        """Time between two inferences in nanoseconds."""
        return self.report.total.ii.value * self.target.clock_period_ns

    def rank(self, goal: str) -> tuple[float, ...]:
        """What comes first for a target: the least figure, then the least area."""
        first = {"latency": self.latency_ns, "throughput": self.interval_ns, "area": self.area}
        return (first[goal], self.area, self.latency_ns)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data, for JSON."""
        return {
            "board": self.board.name,
            "part": self.board.part,
            "io_type": self.target.io_type,
            "clock_period_ns": self.target.clock_period_ns,
            "proven": self.proven,
            "area_percent": round(self.area, 6),
            "latency_ns": self.latency_ns,
            "inferences_per_second": 1e9 / self.interval_ns,
            "fits": self.report.fits,
            "budgets": [
                {"budget": str(u.budget), "limit": u.limit, "used": u.used} for u in self.uses
            ],
            "layers": [
                {
                    "name": layer.name,
                    "origin": layer.origin,
                    "kind": layer.kind,
                    "settings": dict(layer.settings),
                    "choices": layer.tried,
                    **cost_dict(layer.cost),
                }
                for layer in self.layers
            ],
            "total": cost_dict(self.report.total),
            "utilisation": [use.to_dict() for use in self.report.utilisation],
        }


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
    """

    source: str
    goal: str
    budgets: tuple[Budget, ...]
    cases: tuple[Case, ...]
    plans: tuple[Plan, ...]
    config: Config
    design: Design | None = field(default=None, repr=False)

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
