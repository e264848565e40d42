"""How far an exploration is, read from its folder while it runs or afterwards."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.saving import FRONT
from hwflow.exploration.store import open_store


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far an exploration is.

    Attributes:
        run: its folder.
        model: path of the model.
        boards: what it prices for.
        method: ``exhaustive`` or ``heuristic``; empty before that is decided.
        configurations: size of the space; None before it is known.
        planned: configurations that will be evaluated.
        certified_part: what is certified of a heuristic front once it is finished; None if nothing.
        evaluated: those that are on disk.
        done: the front is written.
        began: when the command was last started, ISO 8601, UTC.
        last: when configurations were last written.
        finished: when the front was written.
        per_second: configurations that the command evaluated each second.
        left_s: seconds that the rest takes at this rate; None where there is none yet.
        fronts: points of the front of each board, as it was last written.
    """

    run: str
    model: str
    boards: tuple[str, ...]
    method: str
    configurations: int | None
    planned: int | None
    certified_part: dict[str, Any] | None
    evaluated: int
    done: bool
    began: str | None
    last: str | None
    finished: str | None
    per_second: float | None
    left_s: float | None
    fronts: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        return asdict(self)


def status_of(folder: Path) -> Status:
    """Read how far an exploration is; one that runs is not disturbed.

    Raises:
        CompileError: HW326, there is none; HW328, it cannot be read.
    """
    with open_store(folder, new=False) as store:
        kept = store.meta()
        plan = json.loads(kept.get("plan", "{}"))
        evaluated = store.evaluated(exhaustive=plan["exhaustive"]) if plan else 0
    if "request" not in kept:
        raise CompileError([no_run(folder)])
    request = json.loads(kept["request"])
    began, last, finished = (float(kept.get(k, "0")) for k in ("began", "last", "finished"))
    new = evaluated - int(kept.get("before", "0"))
    rate = new / (last - began) if new > 0 and last > began > 0 else None
    planned, part = plan.get("evaluations"), plan.get("part")
    if part is not None:
        searched = 0 if part["whole"] else planned
        planned = min(plan["size"], part["configurations"] + searched)
    path = folder / FRONT
    done = finished >= began > 0 and path.is_file()
    fronts = json.loads(path.read_text())["fronts"] if path.is_file() else []
    return Status(
        run=str(folder), model=request["model"], boards=tuple(request["boards"]),
        method={True: "exhaustive", False: "heuristic"}.get(plan.get("exhaustive"), ""),
        configurations=plan.get("size"), planned=planned, certified_part=part,
        evaluated=evaluated, done=done,
        began=_moment(began), last=_moment(last), finished=_moment(finished) if done else None,
        per_second=rate,
        left_s=max(planned - evaluated, 0) / rate if rate and planned and not done else None,
        fronts={front["board"]: len(front["points"]) for front in fronts},
    )  # fmt: skip


def _moment(seconds: float) -> str | None:
    if not seconds:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def no_run(folder: Path) -> Diagnostic:
    """Return what is said of a database in which nothing was begun."""
    return Diagnostic(
        code="HW326", title="no exploration in this folder", where=str(folder),
        found="an empty database", help="start one: hwflow explore MODEL --data DATA --run DIR",
    )  # fmt: skip
