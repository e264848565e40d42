"""How much fronts reach, and what one reaches that another does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwflow.core.errors import CompileError
from hwflow.exploration.front import hypervolume
from hwflow.exploration.points import cost_of, kind_of, no_such, on_board
from hwflow.exploration.run import Run

Plain = Mapping[str, Any]

SAME = 1 + 1e-9
"""Costs that differ by less are equal: sums of float64 in another order."""


def reach(front: Plain, names: Sequence[str], most: float) -> float:
    """Return the mean over all budgets of the best held-out share that fits in them.

    It is the hypervolume of the front, over the budgets from 0 to a greatest one.

    Args:
        front: the front.
        names: what counts; the first is the budget.
        most: the greatest budget.
    """
    points = front["points"]
    quality = np.array([p["held_out"][kind_of(p)] for p in points])
    costs = np.array([cost_of(p, names[0])[0] for p in points])
    return hypervolume(quality, costs, (0.0, most)) / most if most else 0.0


def lost(front: Plain, baseline: Plain, tolerance: float) -> list[Plain]:
    """Return the points of a baseline that a front does not reach at no more cost.

    Args:
        front: the front.
        baseline: the other one; the costs that counted there count.
        tolerance: how much less the held-out share of right answers may be.
    """
    names = baseline["cost"]
    return [
        wanted
        for wanted in baseline["points"]
        if not any(_reaches(point, wanted, names, tolerance) for point in front["points"])
    ]


def _reaches(point: Plain, wanted: Plain, names: Sequence[str], tolerance: float) -> bool:
    kind = kind_of(wanted)
    if kind not in point["held_out"]:
        return False
    good = point["held_out"][kind] >= wanted["held_out"][kind] - tolerance - 1e-12
    costs = [(cost_of(point, n)[0], cost_of(wanted, n)[0]) for n in names]
    return good and all(found <= limit * SAME for found, limit in costs)


def runs_compared(one: Run, other: Run, board: str | None = None) -> dict[str, Any]:
    """Return how the fronts of two runs compare, for each board that both have.

    Returns:
        ``different``: digests that differ; ``fronts``: for each board the ``points`` of both,
        their ``reach`` over the same budgets, and the points of each that the other does not
        reach at no more cost.

    Raises:
        CompileError: HW331, they have no board in common, or not this one.
    """
    a, b = ({f["board"]: f for f in on_board(r, board).result["fronts"]} for r in (one, other))
    common = [name for name in a if name in b]
    if not common:
        raise CompileError([no_such("board of both runs", ", ".join(a), list(b))])
    keys = one.result["digests"]
    return {
        "runs": [str(one.folder), str(other.folder)],
        "different": [k for k, v in keys.items() if other.result["digests"].get(k) != v],
        "fronts": [_fronts_compared(a[name], b[name]) for name in common],
    }


def _fronts_compared(a: Plain, b: Plain) -> dict[str, Any]:
    names = a["cost"]
    most = max(cost_of(p, names[0])[0] for f in (a, b) for p in f["points"]) * SAME
    return {
        "board": a["board"],
        "cost": names[0],
        "quality": kind_of(a["points"][0]),
        "points": [len(a["points"]), len(b["points"])],
        "reach": [reach(a, names, most), reach(b, names, most)],
        "only_first": [p["id"] for p in lost(b, a, 0.0)],
        "only_second": [p["id"] for p in lost(a, b, 0.0)],
    }
