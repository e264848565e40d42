"""Estimates as plain data, with intervals."""

from __future__ import annotations

from typing import Any

from hwflow.estimate.report import EstimateReport, Utilisation
from hwflow.exploration.costs import ENERGY, SUMS


def board_share(use: Utilisation) -> dict[str, Any]:
    """Return what is used of a resource, with intervals; shares are of 1."""
    share = _ends(use.percent.scaled(0.01)) if use.available else None
    return {"used": _ends(use.used), "available": use.available, "share": share, "fits": use.fits}


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
