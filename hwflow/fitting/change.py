"""What comes nearest where nothing fits, and single changes, with what each would give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwflow.core.board import Board
from hwflow.fitting.record import Plan, Use
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target


@dataclass(frozen=True, eq=False)
class Miss:
    """What comes nearest to the budgets of all that was looked at.

    Attributes:
        board: the board.
        target: backend, io type, part and clock.
        total: the estimate of the design.
        excess: the largest multiple of a budget that it takes.
        uses: the budgets that it breaks.
    """

    board: Board
    target: Target
    total: Cost
    excess: float
    uses: tuple[Use, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        return {
            "board": self.board.name,
            "io_type": self.target.io_type,
            "clock_period_ns": self.target.clock_period_ns,
            "excess": self.excess,
            "broken": [
                {"budget": str(u.budget), "limit": u.limit, "used": u.used} for u in self.uses
            ],
        }


@dataclass(frozen=True, eq=False)
class Change:
    """A single change, and what the estimator says with it.

    Attributes:
        settings: the change: ``budgets`` by name, ``clock_period_ns``, ``board``, or ``bits`` of
            the ``weights`` of a ``layer``.
        excess: the largest multiple of a budget that is then needed; 1 where something fits.
        plan: the best settings then; None where still nothing fits.
    """

    settings: Mapping[str, Any]
    excess: float
    plan: Plan | None

    @property
    def fits(self) -> bool:
        """Whether something fits with the change."""
        return self.plan is not None

    def __str__(self) -> str:
        """Return the change as one would write it, and what it gives."""
        if self.plan is None:
            return f"{self._said}: not yet, {100 * self.excess:.0f} % of a budget instead"
        total, fits = self.plan.report.total, self.plan.report.fits
        shares = ", ".join(
            f"{use.resource} {use.percent.value:.0f} %" for use in self.plan.report.utilisation
        )
        verdict = "fits" if fits == "yes" else "fits by the best values"
        return (
            f"{self._said}: {verdict}, {shares}, latency {self.plan.latency_ns:,.0f} ns, "
            f"II {total.ii.value:,.0f} cycles, {self.plan.target.io_type}"
        )

    @property
    def _said(self) -> str:
        settings = self.settings
        if "budgets" in settings:
            option = "--min" if "throughput" in settings["budgets"] else "--max"
            return f"{option} {','.join(f'{k}={v}' for k, v in settings['budgets'].items())}"
        if "bits" in settings:
            bits = settings["bits"]
            return f"weights of {bits['layer']} with {bits['weights']} bits"
        if "board" in settings:
            return f'--board "{settings["board"]}"'
        return f"--clock {settings['clock_period_ns']:g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the change as plain data, for JSON."""
        return {
            **self.settings,
            "fits": self.fits,
            "excess": self.excess,
            "plan": self.plan and self.plan.to_dict(),
        }
