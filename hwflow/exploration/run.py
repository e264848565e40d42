"""Explores: reads a request, evaluates what is not yet on disk, writes the front."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file
from hwflow.core.workers import in_order
from hwflow.exploration.checks import check
from hwflow.exploration.explorer import Explorer, Progress
from hwflow.exploration.plan import Plan, chunk_size, duration, measured
from hwflow.exploration.request import Request
from hwflow.exploration.result import Counts, Found, result_of
from hwflow.exploration.store import Store, open_store

FRONT = "front.json"
"""What the folder of a run holds beside its database."""

SECONDS = 600.0
"""Longest exhaustive exploration that is begun without being asked for."""


@dataclass(frozen=True, eq=False)
class Run:
    """A finished exploration.

    Attributes:
        folder: where it lies.
        result: what ``front.json`` holds.
    """

    folder: Path
    result: dict[str, Any]

    def __repr__(self) -> str:
        """Return what was explored and how many points are on each front."""
        fronts = ", ".join(f"{f['board']}: {len(f['points'])}" for f in self.result["fronts"])
        certain = "certified optimal" if self.result["certified"] else "heuristic"
        return f"Run {self.folder}: {certain} over {self.result['configurations']:,}, {fronts}"


def explore(
    request: Request,
    folder: Path,
    *,
    workers: int = 1,
    exhaustive: bool = False,
    progress: Progress = lambda stage, done: None,
    say: Callable[[str], None] = lambda line: None,
) -> Run:
    """Explore, or go on with an exploration that was ended.

    Args:
        request: what is asked.
        folder: folder of the run; what it holds already is not computed again.
        workers: processes; the result does not depend on how many.
        exhaustive: evaluate all configurations, however long it takes.
        progress: called as stages go on.
        say: called with the plan.

    Raises:
        CompileError: the request cannot be used; HW324, the folder holds another exploration;
            HW326 to HW328, it cannot be used; HW329, a check failed; HW330, too many
            configurations.
    """
    request.check()
    with open_store(folder, new=True) as store:
        _claim(store, request, folder)
        progress("read", 0.0)
        explorer = Explorer.of(request)
        progress("read", 1.0)
        for priced in explorer.boards:
            stage = f"compile for {priced.name}"
            priced.cover(partial(progress, stage))
        plan = _planned(explorer, exhaustive=exhaustive)
        say(str(plan))
        _evaluate(explorer, plan, store, workers, progress)
        progress("front", 0.0)
        result = result_of(explorer, _found(store, plan))
        write_file(folder / FRONT, (json.dumps(result, indent=1) + "\n").encode())
        progress("front", 1.0)
    return Run(folder, result)


def _claim(store: Store, request: Request, folder: Path) -> None:
    """Keep what the run is of, or refuse another exploration's folder."""
    keys, kept = request.keys(), store.meta()
    other = [name for name, value in keys.items() if kept.get(name, value) != value]
    if other:
        raise CompileError([_other_run(folder, other)])
    model, data = (str(Path(path).resolve()) for path in (request.model, request.data))
    store.set_meta({**keys, "request": replace(request, model=model, data=data).to_json()})


def _planned(explorer: Explorer, *, exhaustive: bool) -> Plan:
    """Return what to evaluate, after refusing what would never end."""
    seconds = measured(explorer) * explorer.space.size
    plan = Plan(explorer.space.size, "exhaustive", chunk_size(explorer.space), seconds)
    if seconds > SECONDS and not exhaustive:
        raise CompileError([_too_many(plan)])
    return plan


def _evaluate(
    explorer: Explorer, plan: Plan, store: Store, workers: int, progress: Progress
) -> None:
    """Evaluate the chunks that are not on disk."""
    priced = explorer.boards[0]
    done = store.chunks()
    missing = [chunk for chunk in range(plan.chunks) if chunk not in done]
    if not missing:
        return
    progress("evaluate", 0.0)
    for chunk in missing if len(missing) == plan.chunks else ():
        priced.figures(plan.numbers(chunk))  # compiles what no worker should compile again
    tree = explorer.tree(explorer.search)

    def work(chunk: int) -> Counts:
        numbers = plan.numbers(chunk)
        counts = tree.counts(numbers)
        again = plan.checked(chunk, explorer.request.seed)
        if again is not None:
            right, agree = counts[again - int(numbers[0])].tolist()
            check(explorer, priced, again, (right, agree))
        return counts

    for i, counts in enumerate(in_order(work, missing, workers)):
        store.add(missing[i], counts)
        progress("evaluate", (plan.chunks - len(missing) + i + 1) / plan.chunks)


def _found(store: Store, plan: Plan) -> Found:
    parts = [counts for _, counts in store.counts()]
    return Found(np.arange(plan.size), np.concatenate(parts), certified=True)


def open_run(folder: Path) -> tuple[Request, Run]:
    """Return a finished exploration.

    Raises:
        CompileError: HW326, there is none, or it is not finished.
    """
    with open_store(folder, new=False) as store:
        kept = store.meta()
    path = folder / FRONT
    if "request" not in kept or not path.is_file():
        raise CompileError([_unfinished(folder)])
    return Request.from_json(kept["request"]), Run(folder, json.loads(path.read_text()))


def _other_run(folder: Path, other: list[str]) -> Diagnostic:
    return Diagnostic(
        code="HW324", title="folder of another exploration", where=str(folder),
        found=f"another {', another '.join(other)}",
        help="take another folder for --run, or the same model, data and options",
    )  # fmt: skip


def _too_many(plan: Plan) -> Diagnostic:
    return Diagnostic(
        code="HW330", title="too many configurations to evaluate all of them",
        found=f"{plan.size:,}, about {duration(plan.seconds)} with one worker",
        help="give layers the same bits with --group, fewer options with --bits, such as "
        "--bits 'w=2,4,8 a=4,8', or single ones with --fix; --exhaustive evaluates all",
    )  # fmt: skip


def _unfinished(folder: Path) -> Diagnostic:
    return Diagnostic(
        code="HW326", title="no exploration in this folder", where=str(folder),
        found="no front yet", help="finish it with the command that began it",
    )  # fmt: skip
