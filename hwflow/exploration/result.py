"""What an exploration has found: a front for each board, in plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.estimate.graph import estimate
from hwflow.estimate.report import EstimateReport, Utilisation
from hwflow.exploration.budgets import available_of
from hwflow.exploration.costs import ENERGY, F64, SUMS
from hwflow.exploration.explorer import Explorer, Priced
from hwflow.exploration.found import Found
from hwflow.exploration.front import costs_of, knee, pareto, told_apart, wilson
from hwflow.exploration.sensitivity import next_bits, sensitivity_of
from hwflow.exploration.stability import rivals, stability
from hwflow.exploration.within import NOTHING, within

FORMAT = "hwflow exploration 1"
"""What ``front.json`` says first."""


def front_of(explorer: Explorer, priced: Priced, found: Found) -> dict[str, Any]:
    """Return the front on one board.

    A configuration is on it where it keeps to all limits, and no other that does has as many right
    answers and costs no more.

    Raises:
        CompileError: HW344, none keeps to the limits.
    """
    found, left_out = within(explorer, priced, found)
    column = 0 if explorer.search.labels is not None else 1
    figures = priced.figures(found.numbers)
    names = explorer.request.cost
    quality, compared = found.counts[:, column].astype(np.int64), costs_of(figures, names)
    rows = pareto(quality, compared)
    numbers = found.numbers[rows]
    right = explorer.tree(explorer.held_out).right(np.sort(numbers))
    order = np.argsort(np.argsort(numbers))
    held = right[:, order]
    points = []
    for i, number in enumerate(numbers.tolist()):
        report = _estimated(priced, number)
        points.append(
            {
                "id": number,
                "bits": explorer.space.choices(number),
                "search": _shares(found.counts[rows[i]].tolist(), explorer.search.size),
                "held_out": _judged(held[:, i], column == 0),
                "cost": costs_of_report(report),
                "share": float(figures["share"][rows[i]]),
                "fits": report.fits,
                "board": {u.resource: _board_share(u) for u in report.utilisation},
                "beats": _beaten_by(int(rows[i]), quality, compared),
            }
        )
    _mark(points, held[column])
    best = knee(quality[rows].astype(np.float64), compared[rows][:, 0])
    return {
        "board": priced.name,
        "part": priced.target.part,
        "clock_period_ns": priced.target.clock_period_ns,
        "io_type": priced.target.io_type,
        "cost": list(names),
        "available": available_of(priced.board),
        "stability": _stable(points, explorer, priced, found, (quality, compared)),
        "limits": [*explorer.request.most, *explorer.request.least],
        "left_out": left_out,
        "points": points,
        "knee": points[best]["id"],
        "next_bits": next_bits(
            explorer, priced, points[best]["id"], explorer.tree(explorer.search)
        ),
    }


def _stable(
    points: list[dict[str, Any]], explorer: Explorer, priced: Priced, found: Found,
    compared: tuple[npt.NDArray[np.int64], F64],
) -> dict[str, Any] | None:  # fmt: skip
    """Say of each point how often it is on the front as costs are drawn; return what is drawn."""
    rows = rivals(*compared)
    request = explorer.request
    drawn = stability(
        priced, found.numbers[rows], compared[0][rows], request.cost, request.seed
    )  # fmt: skip
    for i, point in enumerate(points):
        point["stable"] = None if drawn is None else drawn[0][i]
    return None if drawn is None else drawn[1]


def _beaten_by(row: int, quality: npt.NDArray[np.int64], costs: F64) -> int:
    """Return how many configurations are nowhere better than one, and somewhere worse."""
    no_better = (quality <= quality[row]) & (costs >= costs[row]).all(axis=1)
    worse = (quality < quality[row]) | (costs > costs[row]).any(axis=1)
    return int((no_better & worse).sum())


def _board_share(use: Utilisation) -> dict[str, Any]:
    """Return what is used of a resource, with intervals; shares are of 1."""
    share = _ends(use.percent.scaled(0.01)) if use.available else None
    return {"used": _ends(use.used), "available": use.available, "share": share, "fits": use.fits}


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


def costs_of_report(report: EstimateReport) -> dict[str, Any]:
    """Return the figures of an estimate with their intervals, by the names of ``FIGURES``."""
    total = report.total
    found: dict[str, Any] = {
        name: _ends(getattr(total, name)) for name in (*SUMS, "ii", "latency_cycles")
    }
    found["latency_ns"] = _ends(report.latency_ns)
    if report.power is not None:
        found[ENERGY] = _ends(report.power.single_uj)
    return found


def _ends(figure: Any) -> list[float]:
    return [figure.value, figure.low, figure.high]


def result_of(explorer: Explorer, found: Found) -> dict[str, Any]:
    """Return everything that was found, for ``front.json``.

    Raises:
        CompileError: HW344, nothing keeps to the limits on any board.
    """
    fronts, nothing = _fronts(explorer, found)
    space, bench = explorer.space, explorer.bench
    wanted = explorer.held_out.wanted
    labels = explorer.held_out.labels
    return {
        "format": FORMAT,
        "model": bench.reference.source,
        "reference": bench.kind,
        "digests": explorer.request.keys(),
        "certified": found.certified,
        "configurations": space.size,
        "evaluated": len(found.numbers),
        "variables": [
            {"name": v.name, "options": list(v.options), "of": list(v.members)}
            for v in space.variables
        ],
        "search_samples": explorer.search.size,
        "held_out_samples": explorer.held_out.size,
        "float_accuracy": None if labels is None else float(np.mean(wanted == labels)),
        "sensitivity": sensitivity_of(explorer),
        "nothing_fits": nothing,
        "fronts": fronts,
    }


def _fronts(
    explorer: Explorer, found: Found
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:  # fmt: skip
    """Return the fronts of the boards that have one, and why others have none."""
    fronts: list[dict[str, Any]] = []
    findings: list[Diagnostic] = []
    for priced in explorer.boards:
        try:
            fronts.append(front_of(explorer, priced, found))
        except CompileError as error:
            if any(finding.code != NOTHING for finding in error.diagnostics):
                raise
            findings += error.diagnostics
    if not fronts:
        raise CompileError(findings)
    said = [{"board": f.where, "nearest": f.found, "help": f.help} for f in findings]
    return fronts, said
