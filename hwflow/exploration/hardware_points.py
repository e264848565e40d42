"""Points and fronts of explorations of hardware, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwflow.core.errors import CompileError
from hwflow.exploration.comparison import SAME
from hwflow.exploration.points import cost_of, no_such, on_board
from hwflow.exploration.run import Run
from hwflow.verify.checks import COST, Check

Plain = Mapping[str, Any]


def hardware_compared(a: Plain, b: Plain) -> dict[str, Any]:
    """Return what another point has more or less than one: ``settings`` and ``cost``, as pairs."""
    one, two = ({**_settings(p), **_place(p)} for p in (a, b))
    costs = {n: [cost_of(a, n)[0], cost_of(b, n)[0]] for n in (*a["cost"], "share")}
    return {
        "settings": {
            name: [one.get(name), two.get(name)]
            for name in dict.fromkeys([*one, *two])
            if one.get(name) != two.get(name)
        },
        "cost": {name: pair for name, pair in costs.items() if pair[0] != pair[1]},
    }


def _place(point: Plain) -> dict[str, Any]:
    return {name: point[name] for name in ("io_type", "clock_period_ns")}


def _settings(point: Plain) -> dict[str, Any]:
    return {f"{la}.{name}": v for la, own in point["layers"].items() for name, v in own.items()}


def hardware_lost(front: Plain, baseline: Plain, tolerance: float) -> list[Plain]:
    """Return the points of a baseline that no point of a front is as fast and as cheap as.

    Args:
        front: the front.
        baseline: the other one.
        tolerance: share of time and cost that may be more.
    """
    most = SAME + tolerance
    return [
        wanted
        for wanted in baseline["points"]
        if not any(
            all(point[name] <= wanted[name] * most for name in ("time_ns", "least"))
            for point in front["points"]
        )
    ]


def hardware_runs_compared(one: Run, other: Run, board: str | None = None) -> dict[str, Any]:
    """Return how the fronts of two runs compare, for each board that both have.

    Raises:
        CompileError: HW331, they have no board in common, or do not compare the same figures.
    """
    a, b = ({f["board"]: f for f in on_board(r, board).result["fronts"]} for r in (one, other))
    counts = [", ".join((r.result["time"], r.result["cost"])) for r in (one, other)]
    if counts[0] != counts[1]:
        raise CompileError([no_such("pair of time and cost", counts[1], counts[:1])])
    common = [name for name in a if name in b]
    if not common:
        raise CompileError([no_such("board of both runs", ", ".join(a), list(b))])
    return {
        "runs": [str(one.folder), str(other.folder)],
        "different": [k for k, v in one.result["digests"].items()
                      if other.result["digests"].get(k) != v],
        "time": one.result["time"],
        "cost": one.result["cost"],
        "fronts": [
            {
                "board": name,
                "points": [len(a[name]["points"]), len(b[name]["points"])],
                "only_first": [p["id"] for p in hardware_lost(b[name], a[name], 0.0)],
                "only_second": [p["id"] for p in hardware_lost(a[name], b[name], 0.0)],
            }
            for name in common
        ],
    }  # fmt: skip


def hardware_gate(run: Run, baseline: Plain, tolerance: float) -> list[Check]:
    """Hold the fronts of a run against a baseline's: each of its points is reached.

    Args:
        run: the run.
        baseline: what ``hardware.json`` of another one holds.
        tolerance: share of time and cost that may be more.
    """
    fronts = {front["board"]: front for front in run.result["fronts"]}
    return [_check(fronts.get(f["board"]), f, baseline, tolerance) for f in baseline["fronts"]]


def _check(front: Plain | None, wanted: Plain, result: Plain, tolerance: float) -> Check:
    gone = wanted["points"] if front is None else hardware_lost(front, wanted, tolerance)
    said: Sequence[str] = [
        f"{p['id']} ({p['time_ns']:,.0f} ns at {result['cost']} {p['least']:,.4g})" for p in gone
    ]
    return Check(
        name=f"points {wanted['board']}", about=COST,
        value="no front for the board" if front is None else f"{len(gone)} lost", limit="0 lost",
        passed=not gone,
        detail=f"nothing is as fast and as cheap as {', '.join(said)}" if said else
        f"all {len(wanted['points'])} are reached, or one as fast and as cheap",
        figures=(len(gone), 0),
    )  # fmt: skip
