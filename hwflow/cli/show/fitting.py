"""What the command line prints about a fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, print_json, table, warnings
from hwflow.cli.terminal.text import escape
from hwflow.estimate.stages import COLUMNS

if TYPE_CHECKING:
    from hwflow.fitting.fitted import Case, Fit
    from hwflow.fitting.record import LayerChoice, Plan

LEAST = {"latency": "least latency", "throughput": "largest throughput", "area": "least area"}


def print_fit(found: Fit, path: Path, *, json: bool) -> None:
    """Print what was found, and where its settings lie."""
    plan = found.best
    if json:
        print_json({**found.to_dict(), "settings": str(path) if plan else None})
        return
    if len(found.cases) > 1:
        _print_cases(found)
    if plan is None:
        _print_nothing(found)
        return
    _print_layers(found, plan)
    _print_uses(found, plan)
    if found.design is not None:
        warnings(found.design.warnings)
        warnings(found.design.estimate().warnings)
    console.print(escape(f"settings  {path}"), soft_wrap=True)


def _print_cases(found: Fit) -> None:
    columns = (
        "board", "io type", ">clock ns", "fits", ">latency ns", ">inferences/s", ">area %", "proven"
    )  # fmt: skip
    title = f"{found.source}: {LEAST[found.goal]}, estimated"
    shown = table(columns, title=title)
    for case in found.cases:
        best = case.plan is not None and case.plan is found.best
        cells = (case.board.name, case.target.io_type, f"{case.target.clock_period_ns:g}")
        shown.add_row(*map(escape, cells), *_outcome(case), style="bold" if best else "")
    console.print(shown)


def _outcome(case: Case) -> Iterator[str]:
    plan = case.plan
    if plan is None:
        yield escape(case.why) if case.why else "no"
        return
    yield {"yes": "yes", "borderline": "may"}.get(plan.report.fits, plan.report.fits)
    yield f"{plan.latency_ns:,.0f}"
    yield f"{1e9 / plan.interval_ns:,.0f}"
    yield f"{plan.area:.1f}"
    yield "yes" if plan.proven else "no"


def _print_layers(found: Fit, plan: Plan) -> None:
    title = (
        f"{found.source} on {plan.board.name}, {plan.target.io_type}, "
        f"{plan.target.clock_period_ns:g} ns: {LEAST[found.goal]}, estimated"
    )
    columns = ("layer", "operator", "chosen", ">of", *(f">{title}" for title in COLUMNS.values()))
    shown = table(columns, title=title)
    for layer in plan.layers:
        of = f"{layer.tried:,}" if layer.settings else ""
        shown.add_row(escape(layer.name), layer.kind, _chosen(layer), of, *_figures(layer.cost))
    shown.add_section()
    shown.add_row("total", "", "", "", *_figures(plan.report.total))
    console.print(shown)


def _chosen(layer: LayerChoice) -> str:
    return escape(", ".join(f"{key} = {value}" for key, value in layer.settings.items()))


def _figures(cost: Any) -> Iterator[str]:
    for figure in COLUMNS:
        yield f"{getattr(cost, figure).value:,.0f}"


def _print_uses(found: Fit, plan: Plan) -> None:
    """Print what is used of the board and of the budgets, and what was proven."""
    for use in plan.report.utilisation:
        if use.available:
            percent = use.percent
            text = f"{percent.value:.1f} % ({percent.low:.1f}-{percent.high:.1f})"
            console.print(f"{use.resource:<9} {text} of {use.available:,}: {use.answer}")
    for each in plan.uses:
        figures = f"{each.used:,.1f} of {each.limit:,.1f}, {each.share:.1f} %"
        binds = "" if each.without is None else f"; binds: {_without(found, each.without)}"
        console.print(escape(f"budget    {each.budget}: {figures}{binds}"), soft_wrap=True)
    interval = (
        f"II {plan.report.total.ii.value:,.0f} cycles, {1e9 / plan.interval_ns:,.0f} a second"
    )
    console.print(
        f"latency   {plan.latency_ns:,.0f} ns, {interval}; area {plan.area:.1f} % of the board"
    )
    console.print(
        f"{LEAST[found.goal]} of all legal settings, proven"
        if plan.proven
        else f"best found in the time given, not proven to be the {LEAST[found.goal]}"
    )


def _without(found: Fit, value: float) -> str:
    """Return what the target would be without a budget."""
    if found.goal == "area":
        return f"without it, area {value:.1f} %"
    if found.goal == "throughput":
        return f"without it, {1e9 / value:,.0f} a second"
    return f"without it, latency {value:,.0f} ns"


def _print_nothing(found: Fit) -> None:
    budgets = ", ".join(map(str, found.budgets)) or "no budgets beside the boards'"
    console.print(escape(f"nothing fits: {budgets}"), soft_wrap=True)
    for case in found.cases:
        if case.why:
            text = f"{case.board.name}, {case.target.io_type}: {case.why}"
            console.print(escape(text), soft_wrap=True)
    if found.miss is None:
        return
    miss, to = found.miss, found.miss.target
    where = f"{miss.board.name}, {to.io_type}, {to.clock_period_ns:g} ns"
    console.print(escape(f"nearest: {where}, {100 * miss.excess:.0f} % of a budget"))
    for use in miss.uses:
        figures = f"{use.used:,.0f} of {use.limit:,.0f} ({use.share:.0f} %)"
        text = f"  {use.budget.figure}: {figures}, {use.budget.said}"
        console.print(escape(text), soft_wrap=True)
    if found.changes:
        console.print("what would help, each alone:")
    for change in found.changes:
        console.print(escape(f"  {change}"), soft_wrap=True)
