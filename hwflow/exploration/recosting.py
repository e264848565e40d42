"""What was evaluated, priced anew for another board, clock, strategy or tool."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.core.digests import digest
from hwflow.core.files import write_file
from hwflow.exploration.checks import compare, recomputed
from hwflow.exploration.evaluation import found_in
from hwflow.exploration.explorer import Explorer, Progress
from hwflow.exploration.found import Found
from hwflow.exploration.plan import Plan
from hwflow.exploration.request import Request
from hwflow.exploration.result import front_of
from hwflow.exploration.run import RECOSTED, Run, open_finished, refuse_changed, with_fronts
from hwflow.exploration.store import open_store


def recost(
    folder: Path,
    *,
    boards: Sequence[str] = (),
    target: Mapping[str, Any] | None = None,
    cost: Sequence[str] = (),
    progress: Progress = lambda stage, done: None,
) -> Run:
    """Price what a run evaluated for other hardware, and keep the fronts with the run.

    A front is called by its board and by what else differs from the run. Of what a heuristic run
    evaluated it is the best, though a search for this hardware might have gone elsewhere.

    Args:
        folder: folder of the run.
        boards: profiles; those of the run unless given.
        target: entries of ``[target]`` that differ from the run's.
        cost: figures that count; those of the run unless given.
        progress: called as stages go on.

    Returns:
        The run with the new fronts alone.

    Raises:
        CompileError: HW326, no exploration; HW338, not finished; HW332, model or data are not what
            they were; HW329, a check failed; HW336, nothing fits; what boards and settings find.
    """
    request, run = open_finished(folder)
    refuse_changed(request, run)
    other = replace(
        request, boards=tuple(boards) or request.boards, cost=tuple(cost) or request.cost,
        target={**request.target, **(target or {})},
    )  # fmt: skip
    other.check()
    progress("read", 0.0)
    explorer = Explorer.of(other)
    progress("read", 1.0)
    with open_store(folder, new=False) as store:
        found = found_in(store, Plan(**json.loads(store.meta()["plan"])))
    fronts = [_priced(explorer, i, found, request, progress) for i in range(len(explorer.boards))]
    kept = {key: run.result[key] for key in ("digests", "evaluated")}
    for front in fronts:
        path = folder / RECOSTED / f"{digest(front['board'])[:16]}.json"
        text = json.dumps({**kept, "front": front}, indent=1) + "\n"
        write_file(path, text.encode(), parents=True)
    return Run(folder, with_fronts(run.result, fronts))


def _priced(
    explorer: Explorer, at: int, found: Found, request: Request, progress: Progress
) -> dict[str, Any]:
    """Return the front of a board, of which one design was made the usual way and agreed."""
    priced = explorer.boards[at]
    priced.cover(partial(progress, f"compile for {priced.name}"))
    front = front_of(explorer, priced, found, partial(progress, f"fit {priced.name}"))
    knee = int(np.searchsorted(found.numbers, front["knee"]))
    right, agree = found.counts[knee].tolist()
    compare(priced, (right, agree), recomputed(explorer, priced, front["knee"]))
    other = explorer.request
    changes = {k: v for k, v in other.target.items() if request.target.get(k) != v}
    said = [f"{name}={value}" for name, value in sorted(changes.items())]
    if other.cost != request.cost:
        said.append(f"cost={','.join(other.cost)}")
    name = " ".join([priced.name, *said])
    return {**front, "board": name, "profile": priced.name, "target": dict(other.target)}
