"""Points of single boards, io types and clocks of an exploration of hardware, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hwflow
from hwflow.core.config import settings_of
from hwflow.core.digests import digest
from hwflow.core.files import write_file
from hwflow.exploration.reported import board_share, costs_of_report
from hwflow.fitting.finder import Finder
from hwflow.fitting.record import Plan
from hwflow.fitting.settings import chosen_config
from hwflow.fitting.tradeoff import Tradeoff, time_of
from hwflow.ir.op import Target

CASES = "hardware-cases.json"
"""What a folder keeps so that nothing is solved twice."""

FORMAT = "hwflow hardware cases 1"


@dataclass(frozen=True)
class Case:
    """What was found for a board, an io type and a clock.

    Attributes:
        points: as a front has them, but without numbers; the fastest first.
        why: why there are none, or not all.
    """

    points: list[dict[str, Any]]
    why: str


class Cases:
    """The cases that a folder keeps: each is written as soon as it is solved."""

    def __init__(self, folder: Path, model: str) -> None:
        self._path = folder / CASES
        self._model = model
        self._known: dict[str, dict[str, Any]] = {}
        if self._path.is_file():
            kept = json.loads(self._path.read_text())
            if (kept.get("format"), kept.get("model")) == (FORMAT, model):
                self._known = kept["cases"]

    def get(self, key: str) -> Case | None:
        """Return a case that was solved before."""
        return Case(**self._known[key]) if key in self._known else None

    def keep(self, key: str, case: Case) -> None:
        """Keep a case, whole or not at all."""
        self._known[key] = {"points": case.points, "why": case.why}
        content = {"format": FORMAT, "model": self._model, "cases": self._known}
        write_file(self._path, (json.dumps(content) + "\n").encode(), parents=True)


def case_key(asked: Mapping[str, Any], board: str, target: Target) -> str:
    """Return what tells a case from others.

    Args:
        asked: what is chosen from, and what counts.
        board: the board.
        target: io type, clock and part.
    """
    about = (hwflow.__version__, sorted(asked.items()), board, str(target))
    return digest(json.loads(json.dumps(about)))


def solved(finder: Finder, tradeoff: Tradeoff, board: str) -> Case:
    """Solve a case."""
    plans, why = tradeoff.plans()
    points = [_point(finder, tradeoff, plan, board) for plan in plans]
    return Case(points, why or ("" if points else "nothing fits"))


def _point(finder: Finder, tradeoff: Tradeoff, plan: Plan, board: str) -> dict[str, Any]:
    """Return a point as plain data, its settings as they stand in ``hwflow.toml``."""
    config = chosen_config(finder.config, plan, board)
    return {
        "io_type": plan.target.io_type,
        "clock_period_ns": plan.target.clock_period_ns,
        "time_ns": time_of(plan, tradeoff.time),
        "least": plan.cost(finder.goal),
        "share": plan.cost("share") / 100.0,
        "proven": plan.proven,
        "fits": plan.report.fits,
        "cost": costs_of_report(plan.report),
        "board": {use.resource: board_share(use) for use in plan.report.utilisation},
        "settings": settings_of(config),
        "layers": {layer.name: dict(layer.settings) for layer in plan.layers if layer.settings},
    }
