"""What an exploration has found: a front for each board, in plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.estimate.graph import estimate
from hwflow.estimate.report import EstimateReport
from hwflow.exploration import fits
from hwflow.exploration.budgets import available_of
from hwflow.exploration.costs import F64
from hwflow.exploration.explorer import Explorer, Priced, Progress
from hwflow.exploration.found import Found
from hwflow.exploration.front import costs_of, knee, pareto, told_apart, wilson
from hwflow.exploration.reported import board_share, costs_of_report
from hwflow.exploration.sensitivity import next_bits, sensitivity_of
from hwflow.exploration.stability import rivals, stability
from hwflow.exploration.within import NOTHING, within

FORMAT = "hwflow exploration 1"
"""What ``front.json`` says first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Members:
    """The configurations on a front.

    Attributes:
        rows: which of the evaluated ones.
        reports: what each costs.
        shares: each one's share of the fullest resource.
        costs: what counts, each.
        beats: how many configurations each is nowhere worse than.
        more: what else is said of each.
        stable: how often each stays on the front, as costs are drawn, and what is drawn.
        fitted: what was fitted, where settings were.
    """

    rows: npt.NDArray[np.int64]
    reports: list[EstimateReport]
    shares: list[float]
    costs: F64
    beats: list[int]
    more: list[dict[str, Any]]
    stable: tuple[list[float], dict[str, Any]] | None
    fitted: dict[str, Any] | None = None


def front_of(
    explorer: Explorer, priced: Priced, found: Found,
    progress: Callable[[float], None] = lambda done: None, *, finished: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Return the front on one board.

    A configuration is on it where it keeps to all limits, and no other that does has as many right
    answers and costs no more.

    Args:
        explorer: the model.
        priced: the board.
        found: what was evaluated.
        progress: called with the share that is done of a fit.
        finished: nothing more is going to be evaluated; otherwise nothing is compiled that a search
            may not know yet, and next bits are left out.

    Raises:
        CompileError: HW344, none keeps to the limits; HW336, nothing fits the budgets; HW329, a
            fitted design costs something else.
    """
    found, left_out = within(explorer, priced, found)
    column = 0 if explorer.search.labels is not None else 1
    quality = found.counts[:, column].astype(np.int64)
    members = _members(explorer, priced, found, quality, progress)
    rows = members.rows
    numbers = found.numbers[rows]
    right = explorer.tree(explorer.held_out).right(np.sort(numbers))
    order = np.argsort(np.argsort(numbers))
    held = right[:, order]
    points = []
    for i, (number, report) in enumerate(zip(numbers.tolist(), members.reports, strict=True)):
        points.append(
            {
                "id": number,
                "bits": explorer.space.choices(number),
                "search": _shares(found.counts[rows[i]].tolist(), explorer.search.size),
                "held_out": _judged(held[:, i], column == 0),
                "cost": costs_of_report(report),
                "share": members.shares[i],
                "fits": report.fits,
                "board": {u.resource: board_share(u) for u in report.utilisation},
                "beats": members.beats[i],
                "stable": None if members.stable is None else members.stable[0][i],
                **members.more[i],
            }
        )
    _mark(points, held[column])
    best = points[knee(quality[rows].astype(np.float64), members.costs[:, 0])]["id"]
    return {
        **_place(priced),
        "cost": list(explorer.request.cost),
        "available": available_of(priced.board),
        "stability": None if members.stable is None else members.stable[1],
        "limits": [*explorer.request.most, *explorer.request.least],
        "left_out": left_out,
        "points": points,
        "knee": best,
        **(_of_knee(explorer, priced, best, members) if finished else {"next_bits": []}),
    }


def _place(priced: Priced) -> dict[str, Any]:
    """Return what designs are for."""
    target = priced.target
    return {
        "board": priced.name, "part": target.part, "clock_period_ns": target.clock_period_ns,
        "io_type": target.io_type,
    }  # fmt: skip


def _of_knee(explorer: Explorer, priced: Priced, best: int, members: _Members) -> dict[str, Any]:
    """Return the next bits from the knee; of fitted settings, which others need, how they are."""
    if members.fitted is not None:
        return {"next_bits": [], "fitted": members.fitted}
    return {"next_bits": next_bits(explorer, priced, best, explorer.tree(explorer.search))}


def _members(
    explorer: Explorer, priced: Priced, found: Found, quality: npt.NDArray[np.int64],
    progress: Callable[[float], None],
) -> _Members:  # fmt: skip
    """Return what is on a front, with settings that were given or fitted."""
    if explorer.request.fit is None:
        return _explored(explorer, priced, found, quality)
    return _fitted(explorer, priced, found, quality, progress)


def _explored(
    explorer: Explorer, priced: Priced, found: Found, quality: npt.NDArray[np.int64]
) -> _Members:
    """Return what nothing beats, with the settings that were given."""
    figures, request = priced.figures(found.numbers), explorer.request
    compared = costs_of(figures, request.cost)
    rows, drawn = pareto(quality, compared), rivals(quality, compared)
    return _Members(
        rows=rows,
        reports=[_estimated(priced, number) for number in found.numbers[rows].tolist()],
        shares=[float(share) for share in figures["share"][rows]],
        costs=compared[rows],
        beats=[_beaten_by(row, quality, compared) for row in rows.tolist()],
        more=[{} for _ in rows],
        stable=stability(
            priced, found.numbers[drawn], quality[drawn], request.cost, request.seed
        ),
    )  # fmt: skip


def _fitted(
    explorer: Explorer, priced: Priced, found: Found, quality: npt.NDArray[np.int64],
    progress: Callable[[float], None],
) -> _Members:  # fmt: skip
    """Return what nothing beats of the configurations whose settings are fitted."""
    name = explorer.request.cost[0]
    tried = fits.fits_of(explorer, priced, found.numbers, quality, progress)
    kept = tried.unbeaten(name, quality)
    for fit in kept:
        fits.confirm(explorer, int(found.numbers[fit.row]), fit)
    every = np.array([fit.row for fit in tried.fitted])
    costs = costs_of({name: np.array([fit.cost(name) for fit in tried.fitted])}, [name])
    places = [tried.fitted.index(fit) for fit in kept]
    return _Members(
        rows=every[places],
        reports=[fit.plan.report for fit in kept],
        shares=[fit.cost("share") for fit in kept],
        costs=costs[places],
        beats=[_beaten_by(place, quality[every], costs) for place in places],
        more=[fit.plain() for fit in kept],
        stable=None,
        fitted=tried.plain(explorer),
    )  # fmt: skip


def _beaten_by(row: int, quality: npt.NDArray[np.int64], costs: F64) -> int:
    """Return how many configurations are nowhere better than one, and somewhere worse."""
    no_better = (quality <= quality[row]) & (costs >= costs[row]).all(axis=1)
    worse = (quality < quality[row]) | (costs > costs[row]).any(axis=1)
    return int((no_better & worse).sum())


def _estimated(priced: Priced, number: int) -> EstimateReport:
    graph = priced.table.composed(priced.table.path(number))
    return estimate(graph, priced.target, priced.board)


def _shares(counts: Sequence[int], samples: int) -> dict[str, Any]:
    right, agree = counts
    found: dict[str, Any] = {"samples": samples, "agreement": agree / samples}
    if right >= 0:
        found |= {"right": right, "accuracy": right / samples}
    return found | {"agree": agree}


def _judged(held: npt.NDArray[np.bool_], labelled: bool) -> dict[str, Any]:
    """Return shares on held-out samples, (2, samples), with their 95 % intervals."""
    right, agree = held.sum(axis=1).tolist()
    samples = held.shape[1]
    found = _shares([right if labelled else -1, agree], samples)
    found["agreement_interval"] = list(wilson(agree, samples))
    if labelled:
        found["accuracy_interval"] = list(wilson(right, samples))
    return found


def _mark(points: list[dict[str, Any]], held: npt.NDArray[np.bool_]) -> None:
    """Say of each point which cheapest point the held-out samples do not tell from it."""
    for i, point in enumerate(points):
        alike = [j for j in range(i + 1, len(points)) if not told_apart(held[i], held[j])]
        point["like"] = points[alike[-1]]["id"] if alike else None


def result_of(
    explorer: Explorer, found: Found, progress: Progress = lambda stage, done: None,
    *, finished: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Return everything that was found, for ``front.json``.

    Args:
        explorer: the model.
        found: what was evaluated.
        progress: called as stages go on.
        finished: nothing more is going to be evaluated.

    Raises:
        CompileError: HW344 or HW336, nothing keeps to the limits on any board; HW329.
    """
    fronts, nothing = _fronts(explorer, found, progress, finished=finished)
    space, bench = explorer.space, explorer.bench
    wanted = explorer.held_out.wanted
    labels = explorer.held_out.labels
    fitted = [front["fitted"] for front in fronts if "fitted" in front]
    whole = all(fit["proven"] and fit["candidates"] == fit["of"] for fit in fitted)
    return {
        "format": FORMAT,
        "model": bench.reference.source,
        "reference": bench.kind,
        "digests": explorer.request.keys(),
        "finished": finished,
        "certified": found.certified and whole,
        "certified_part": None if found.part is None else dict(found.part),
        "configurations": space.size,
        "evaluated": len(found.numbers),
        "variables": [
            {"name": v.name, "options": list(v.options), "of": list(v.members)}
            for v in space.variables
        ],
        "search_samples": explorer.search.size,
        "held_out_samples": explorer.held_out.size,
        "float_accuracy": None if labels is None else float(np.mean(wanted == labels)),
        "sensitivity": sensitivity_of(explorer) if finished else {"losses": {}},
        "nothing_fits": nothing,
        "fronts": fronts,
    }


def _fronts(
    explorer: Explorer, found: Found, progress: Progress, *, finished: bool
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:  # fmt: skip
    """Return the fronts of the boards that have one, and why others have none."""
    fronts: list[dict[str, Any]] = []
    findings: list[Diagnostic] = []
    for priced in explorer.boards:
        try:
            said = partial(progress, f"fit {priced.name}")
            fronts.append(front_of(explorer, priced, found, said, finished=finished))
        except CompileError as error:
            if any(finding.code not in (NOTHING, fits.NOTHING) for finding in error.diagnostics):
                raise
            findings += error.diagnostics
    if not fronts:
        raise CompileError(findings)
    return fronts, [{"board": f.where, "nearest": f.found, "help": f.help} for f in findings]
