"""The best settings for a board, with the estimate that is their optimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwflow.core.board import Board
from hwflow.estimate.report import EstimateReport, cost_dict
from hwflow.fitting.budgets import Budget
from hwflow.fitting.problem import cost_of
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target


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
        without: what the target would be without the budget, in ns or per cent, where it binds;
            None where it does not.
    """

    budget: Budget
    limit: float
    used: float
    without: float | None = None

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
        own = first[goal] if goal in first else self.cost(goal)
        return (own, self.area, self.latency_ns)

    def cost(self, figure: str) -> float:
        """Return what it takes: ``share`` in per cent, ``area``, or blocks of a resource."""
        return cost_of(self.report.total, self.board, figure)

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
                {"budget": str(u.budget), "limit": u.limit, "used": u.used, "without": u.without}
                for u in self.uses
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
