"""The gate for CI: fronts held against those of another run."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import hwflow
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import read_limited, write_file
from hwflow.exploration import hardware
from hwflow.exploration.comparison import SAME, lost, reach
from hwflow.exploration.hardware_points import hardware_gate
from hwflow.exploration.points import cost_of, kind_of
from hwflow.exploration.result import FORMAT
from hwflow.exploration.run import Run, not_finished, open_finished
from hwflow.verify.checks import COST, Check
from hwflow.verify.junit import to_junit

Plain = Mapping[str, Any]

MOST_BYTES = 2**28
"""Bytes that a baseline may have."""


def gate(run: Run, baseline: Plain, tolerance: float) -> list[Check]:
    """Hold the fronts of a run against a baseline's, board by board.

    Args:
        run: the run.
        baseline: what ``front.json`` of another one holds.
        tolerance: how much less right answers may be, as a share.

    Returns:
        Two checks for each board of the baseline: ``reach``, its front covers as much, and
        ``points``, each point of the baseline is reached at no more cost.
    """
    fronts = {front["board"]: front for front in run.result["fronts"]}
    found = []
    for wanted in baseline["fronts"]:
        name = wanted["board"]
        if name not in fronts:
            found.append(_missing(name, len(wanted["points"])))
        else:
            found += [_reach(fronts[name], wanted, tolerance),
                      _points(fronts[name], wanted, tolerance)]  # fmt: skip
    return found


def _missing(board: str, points: int) -> Check:
    return Check(
        name=f"points {board}", about=COST, value="no front for the board",
        limit=f"{points} points", passed=False,
        detail=f"price for it, too: hwflow explore recost --board {board}",
        figures=(0, points),
    )  # fmt: skip


def _reach(front: Plain, wanted: Plain, tolerance: float) -> Check:
    names = wanted["cost"]
    most = max(cost_of(p, names[0])[0] for f in (front, wanted) for p in f["points"]) * SAME
    ours, theirs = reach(front, names, most), reach(wanted, names, most)
    kind = kind_of(wanted["points"][0])
    return Check(
        name=f"reach {wanted['board']}", about=COST, value=f"{100 * ours:.2f} %",
        limit=f">= {100 * (theirs - tolerance):.2f} %", passed=ours >= theirs - tolerance - 1e-12,
        detail=f"mean of the best held-out {kind} over all budgets of {names[0]}",
        figures=(ours, theirs - tolerance),
    )  # fmt: skip


def _points(front: Plain, wanted: Plain, tolerance: float) -> Check:
    gone, kind = lost(front, wanted, tolerance), kind_of(wanted["points"][0])
    said = [
        f"{p['id']} ({100 * p['held_out'][kind]:.1f} % at {_costs(p, wanted['cost'])})"
        for p in gone
    ]  # fmt: skip
    return Check(
        name=f"points {wanted['board']}", about=COST, value=f"{len(gone)} lost",
        limit="0 lost", passed=not gone,
        detail=f"not reached at no more cost: {', '.join(said)}" if said else
        f"all {len(wanted['points'])} are reached at no more cost",
        figures=(len(gone), 0),
    )  # fmt: skip


def _costs(point: Plain, names: Sequence[str]) -> str:
    return ", ".join(f"{name} {cost_of(point, name)[0]:.4g}" for name in names)


def read_baseline(path: Path, wanted: str = FORMAT) -> dict[str, Any]:
    """Read the fronts that another run wrote.

    Args:
        path: the file.
        wanted: its format.

    Raises:
        CompileError: HW341, it is none.
    """
    try:
        content = json.loads(read_limited(path, MOST_BYTES))
        known = content["format"] == wanted
        places = content["fronts"] if wanted == FORMAT else [content]
        complete = all(f["points"] and f["board"] for f in content["fronts"])
        complete = complete and all(place["cost"] for place in places)
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise CompileError([_no_baseline(path, said, wanted)]) from error
    if not known or not complete or not content["fronts"]:
        raise CompileError([_no_baseline(path, f"format {content['format']!r}", wanted)])
    return dict(content)


def _no_baseline(path: Path, found: str, wanted: str) -> Diagnostic:
    return Diagnostic(
        code="HW341", title="baseline that holds no fronts", where=str(path), found=found,
        supported=f"files of format {wanted!r}",
        help=f"take {'front.json' if wanted == FORMAT else hardware.HARDWARE} from the folder of a "
        "finished run, or what "
        "`hwflow explore export -o FILE.json` wrote",
    )  # fmt: skip


def read_tolerance(text: str) -> float:
    """Return a tolerance as a share: ``0.5pp``, ``0.5%`` and ``0.005`` are the same.

    Raises:
        CompileError: HW342, it is none.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(pp|%)?\s*", text)
    share = float(match[1]) / (100.0 if match[2] else 1.0) if match else 2.0
    if share > 1.0:
        raise CompileError([_no_tolerance(text)])
    return share


def _no_tolerance(text: str) -> Diagnostic:
    return Diagnostic(
        code="HW342", title="tolerance that cannot be read", where="--tol", found=text,
        supported="points of per cent from 0 to 100, such as 0.5pp, or a share, such as 0.005",
    )  # fmt: skip


def gated(
    folder: Path, baseline: Path, tolerance: float, *, junit: Path | None = None
) -> list[Check]:
    """Hold the fronts of a run against a file, and write the checks for CI.

    Args:
        folder: folder of the run.
        baseline: ``front.json`` of another run.
        tolerance: how much less right answers may be, as a share.
        junit: where to write JUnit XML.

    Raises:
        CompileError: HW326, no exploration; HW338, not finished; HW341, no baseline; HW552, the
            file cannot be written.
    """
    started = time.perf_counter()
    other = hardware.open_hardware(folder)
    if other is None:
        found = gate(open_finished(folder)[1], read_baseline(baseline), tolerance)
    elif other.finished:
        found = hardware_gate(other, read_baseline(baseline, hardware.FORMAT), tolerance)
    else:
        raise CompileError([not_finished(other)])
    if junit is not None:
        about = {"run": str(folder), "baseline": str(baseline), "hwflow": hwflow.__version__}
        seconds = time.perf_counter() - started
        text = to_junit(folder.name, found, seconds, about, "explore gate")
        write_file(junit, text.encode(), parents=True)
    return found
