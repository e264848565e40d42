"""Points and fronts of a run, found by what users call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING, Any

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean

if TYPE_CHECKING:
    from hwflow.exploration.run import Run

Plain = Mapping[str, Any]


def on_board(run: Run, board: str | None) -> Run:
    """Return a run with the front of one board alone, or as it is.

    Raises:
        CompileError: HW331, it has no such front.
    """
    if board is None:
        return run
    return replace(run, result={**run.result, "fronts": [front_of_board(run, board)]})


def front_of_board(run: Run, board: str | None) -> dict[str, Any]:
    """Return the front of a board, the first unless given.

    Raises:
        CompileError: HW326, the run has no front yet; HW331, it has no such front.
    """
    fronts: list[dict[str, Any]] = run.result["fronts"]
    names = [front["board"] for front in fronts]
    if not names:
        raise CompileError([_no_front(run)])
    if board is not None and board not in names:
        raise CompileError([no_such("board", board, names)])
    return fronts[names.index(board)] if board else fronts[0]


def _no_front(run: Run) -> Diagnostic:
    return Diagnostic(
        code="HW326", title="no front in this folder", where=str(run.folder), found="none yet",
        help=f"go on with it: hwflow explore --run {run.folder}",
    )  # fmt: skip


def no_such(what: str, found: str, known: Sequence[str]) -> Diagnostic:
    """Return what is said of a board, a point or a limit that is not there."""
    return Diagnostic(
        code="HW331", title=f"no such {what}", found=found, supported=", ".join(known),
        help=did_you_mean(found, known),
    )  # fmt: skip


def point_of(front: Plain, number: int) -> dict[str, Any]:
    """Return a point of a front by its id.

    Raises:
        CompileError: HW331, the front has no such point.
    """
    points: list[dict[str, Any]] = front["points"]
    for point in points:
        if point["id"] == number:
            return point
    ids = [str(point["id"]) for point in front["points"]]
    raise CompileError([no_such("point", str(number), ids)])


def kind_of(point: Plain) -> str:
    """Return what points are compared by: ``accuracy``, or ``agreement`` without labels."""
    return "accuracy" if "accuracy" in point["search"] else "agreement"


def cost_of(point: Plain, name: str) -> list[float]:
    """Return a cost of a point with its interval; that of the share is of the fullest resource."""
    if name == "share":
        shares = [use["share"] for use in point["board"].values() if use["share"]]
        ends = [max((s[i] for s in shares), default=0.0) for i in (1, 2)]
        return [point["share"], *ends]
    return list(point["cost"][name])


def up_to(part: Plain) -> str:
    """Return up to which cost a front is certified, in words; rounded down."""
    if part["cost"] == "share":
        return f"{floor(1000 * part['up_to']) / 10:,.1f} % of {part['board']}"
    return f"{floor(part['up_to']):,} {part['cost']}"


def compared(a: Plain, b: Plain) -> dict[str, Any]:
    """Return what another point has more or less than one.

    Args:
        a: the one.
        b: the other.

    Returns:
        ``bits`` that differ, as pairs; ``search`` and ``held_out``, differences of the shares of
        right answers; ``cost``, pairs of the figures that differ.
    """
    kind = kind_of(a)
    names = [n for n in (*a["cost"], "share") if n == "share" or n in b["cost"]]
    bits = dict.fromkeys([*a["bits"], *b["bits"]])
    pairs = {n: (a["bits"].get(n), b["bits"].get(n)) for n in bits}
    costs = {n: (cost_of(a, n)[0], cost_of(b, n)[0]) for n in names}
    return {
        "bits": {n: list(pair) for n, pair in pairs.items() if pair[0] != pair[1]},
        "search": b["search"].get(kind, 0.0) - a["search"][kind],
        "held_out": b["held_out"].get(kind, 0.0) - a["held_out"][kind],
        "cost": {n: list(pair) for n, pair in costs.items() if pair[0] != pair[1]},
    }


def neighbours(front: Plain, point: Plain) -> list[dict[str, Any]]:
    """Return the next points of a front on either side, and how they compare with one."""
    points = front["points"]
    at = [p["id"] for p in points].index(point["id"])
    near = [points[i] for i in (at - 1, at + 1) if 0 <= i < len(points)]
    return [{"id": p["id"], **compared(point, p)} for p in near]
