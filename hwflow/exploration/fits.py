"""Configurations with the settings of hardware that suit each best, by the solver of a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.config import Config, settings_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.checks import differs
from hwflow.exploration.costs import F64, SUMS
from hwflow.exploration.explorer import Explorer, Priced
from hwflow.exploration.front import costs_of, pareto
from hwflow.exploration.request import GOALS
from hwflow.fitting.advice import changes, nearest_miss
from hwflow.fitting.budgets import parse_budgets
from hwflow.fitting.finder import Finder
from hwflow.fitting.record import Plan
from hwflow.fitting.settings import chosen_config
from hwflow.fitting.tradeoff import FITTING_TRIES
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

MOST = 32
"""Configurations that are fitted for a board: each is compiled, and takes about as long as
``hwflow fit``."""

NOTHING = "HW336"
"""What is said where nothing fits the budgets."""

PROXIES = ("share", "lut_synth", "dsp", "bram_18k_synth")
"""Figures without chosen settings, by which configurations that may fit are looked for."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A configuration with its best settings.

    Attributes:
        row: which of the evaluated configurations it is.
        plan: what was chosen, with its estimate.
        config: the settings of the design.
    """

    row: int
    plan: Plan
    config: Config

    def cost(self, name: str) -> float:
        """Return one of ``GOALS``; the share is of 1."""
        if name == "share":
            return self.plan.cost("share") / 100.0
        if name == "latency_ns":
            return self.plan.latency_ns
        return float(getattr(self.plan.report.total, name).value)

    def plain(self) -> dict[str, Any]:
        """Return what a front keeps of it, settings as they stand in ``hwflow.toml``."""
        layers = self.plan.layers
        return {
            "proven": self.plan.proven,
            "settings": settings_of(self.config),
            "layers": {layer.name: dict(layer.settings) for layer in layers if layer.settings},
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """What was fitted for a board.

    Attributes:
        fitted: those for which something keeps to the budgets, best quality first.
        rows: all that were looked at.
        size: configurations that they are of.
        proven: whether each has the best settings there are, or none.
    """

    fitted: list[Fitted]
    rows: Rows
    size: int
    proven: bool

    def plain(self, explorer: Explorer) -> dict[str, Any]:
        """Return what a front says of it."""
        request = explorer.request
        return {
            "goal": request.cost[0],
            "budgets": dict(request.fit or {}),
            "candidates": len(self.rows),
            "kept": len(self.fitted),
            "of": self.size,
            "proven": self.proven,
        }

    def unbeaten(self, name: str, quality: Rows) -> list[Fitted]:
        """Return those that no other is as good as at no more cost, best quality first."""
        rows = np.array([fit.row for fit in self.fitted])
        costs = costs_of({name: np.array([fit.cost(name) for fit in self.fitted])}, [name])
        return [self.fitted[i] for i in pareto(quality[rows], costs).tolist()]


def candidates(quality: Rows, figures: dict[str, F64], names: Sequence[str]) -> Rows:
    """Return rows that are worth a fit, best quality first, ``MOST`` at most.

    They are those that nothing beats in quality against one figure, for each of the figures; then
    the same of what is left. Of the last that are too many, every few in the order of quality.

    Args:
        quality: right answers of each configuration.
        figures: what they cost without chosen settings.
        names: the figures to look at.
    """
    left, kept = np.arange(len(quality)), np.empty(0, np.int64)
    while len(left) and len(kept) < MOST:
        fronts = [left[pareto(quality[left], costs_of(figures, [n])[left])] for n in names]
        for front in fronts:
            new = np.setdiff1d(front, kept)
            new = new[np.lexsort((new, -quality[new]))]
            room = min(MOST - len(kept), len(new))
            spread = np.unique(np.linspace(0, len(new) - 1, room).round().astype(np.int64))
            kept = np.concatenate([kept, new[spread]])
        left = np.setdiff1d(left, np.concatenate(fronts))
    return np.asarray(kept[np.lexsort((kept, -quality[kept]))])


def fits_of(
    explorer: Explorer, priced: Priced, numbers: Rows, quality: Rows,
    progress: Callable[[float], None] = lambda done: None,
) -> Fits:  # fmt: skip
    """Choose the settings of the configurations that are worth it, on one board.

    Args:
        explorer: the model; its request has budgets.
        priced: the board.
        numbers: the configurations that were evaluated.
        quality: right answers of each.
        progress: called with the share that is done.

    Raises:
        CompileError: HW336, nothing fits.
    """
    figures = priced.figures(numbers)
    names = [*dict.fromkeys([explorer.request.cost[0], *PROXIES])]
    rows = candidates(quality, figures, names)
    fitted, proven = [], True
    for i, row in enumerate(rows.tolist()):
        progress(i / len(rows))
        finder = _finder(explorer, priced, int(numbers[row]))
        case = finder.case(priced.board, priced.target)
        proven &= not case.why and (case.plan is None or case.plan.proven)
        if case.plan is not None:
            config = chosen_config(finder.config, case.plan, priced.name)
            fitted.append(Fitted(row=row, plan=case.plan, config=config))
    progress(1.0)
    if not fitted:
        least = int(rows[np.argmin(figures["share"][rows])])
        finder = _finder(explorer, priced, int(numbers[least]))
        raise CompileError([_nothing_fits(finder, priced, len(rows))])
    return Fits(fitted=fitted, rows=rows, size=len(numbers), proven=proven)


def confirm(explorer: Explorer, number: int, fit: Fitted) -> None:
    """Compile a configuration with its settings, and compare the estimate.

    Raises:
        CompileError: HW329, it is another one.
    """
    ours, theirs = fit.plan.report.total, _design(explorer, number, fit.config).estimate().total
    for name in (*SUMS, "ii", "latency_cycles"):
        figures = [getattr(total, name) for total in (ours, theirs)]
        if figures[0] != figures[1]:
            raise CompileError([differs(number, f"fitted {name}", *figures)])


def _finder(explorer: Explorer, priced: Priced, number: int) -> Finder:
    """Return what finds the settings of a configuration."""
    request = explorer.request
    given = {k: v for k, v in request.target.items() if k not in ("strategy", "reuse_factor")}
    config = replace(request, target=given).config(priced.name)
    strategy = request.target.get("strategy")
    return Finder(
        unsettled=_design(explorer, number, config).origin.unsettled, config=config,
        goal=GOALS[request.cost[0]], asked=parse_budgets(request.fit or {}),
        progress=lambda stage, done: None, strategies=() if strategy is None else (strategy,),
        tries=FITTING_TRIES,
    )  # fmt: skip


def _design(explorer: Explorer, number: int, config: Config) -> Design:
    return compile_model(explorer.bench.quantized(explorer.space.bits(number)), config=config)


def _nothing_fits(finder: Finder, priced: Priced, tried: int) -> Diagnostic:
    """Return why nothing fits, by the smallest that was tried, and what would help it."""
    found, helps = f"none of {tried} configurations keeps to them", ""
    miss = nearest_miss(finder, priced.board, priced.target)
    if miss is not None:
        most = max(miss.uses, key=lambda use: use.share, default=None)
        if most is not None:
            found += f"; the smallest takes {most.share:.0f} % of {most.budget.said} at least"
        better = (c for c in changes(finder, miss) if c.fits and "budgets" in c.settings)
        helps = next((f"{change}; " for change in better), "")
    return Diagnostic(
        code=NOTHING, title="nothing fits the budgets", where=priced.name, found=found,
        help=f"{helps}or give fewer bits, or a larger board".removeprefix(
            "or " if not helps else " "
        ),
    )  # fmt: skip
