"""Explores: reads a request, evaluates what is not yet on disk, writes the front."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.workers import Executor
from hwflow.exploration import fits
from hwflow.exploration.cheapest import Part, part_of
from hwflow.exploration.evaluation import Evaluation, NewSearcher, local
from hwflow.exploration.explorer import ALONE, Explorer, Progress
from hwflow.exploration.found import Found
from hwflow.exploration.pictures.drawing import to_svg
from hwflow.exploration.plan import Plan, chunk_size, measured
from hwflow.exploration.request import Request
from hwflow.exploration.result import result_of
from hwflow.exploration.saving import FRONT, Saving, keeping, so_far, written
from hwflow.exploration.store import DATABASE, Store, open_store
from hwflow.exploration.within import check_limits

RECOSTED = "recosted"
"""Folder of the fronts that were priced after the exploration, in the folder of the run."""

SECONDS = 120.0
"""Longest exhaustive exploration that is begun without being asked for."""

EVALUATIONS = 1200
"""Configurations that a heuristic exploration evaluates unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Run:
    """An exploration with its front, which is that of what was evaluated so far.

    Attributes:
        folder: where it lies.
        result: what ``front.json`` holds.
    """

    folder: Path
    result: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether all was evaluated that was planned."""
        return bool(self.result.get("finished", True))

    def __repr__(self) -> str:
        """Return what was explored and how many points are on each front."""
        fronts = ", ".join(f"{f['board']}: {len(f['points'])}" for f in self.result["fronts"])
        certain = "certified optimal" if self.result["certified"] else "heuristic"
        return f"Run {self.folder}: {certain} over {self.result['configurations']:,}, {fronts}"

    def _repr_svg_(self) -> str:
        """Return the picture of the fronts, for notebooks."""
        text = to_svg(self.result).decode()
        return text[text.index("<svg") :]  # what stands before it is for files


def explore(
    request: Request,
    folder: Path,
    *,
    executor: Executor = ALONE,
    exhaustive: bool = False,
    evaluations: int | None = None,
    time_s: float | None = None,
    search: NewSearcher | None = None,
    progress: Progress = lambda stage, done: None,
    say: Callable[[str], None] = lambda line: None,
) -> Run:
    """Explore, or go on with an exploration that was ended.

    Args:
        request: what is asked.
        folder: folder of the run; what it holds already is not computed again.
        executor: what evaluates; the result does not depend on it.
        exhaustive: evaluate all configurations, however long it takes.
        evaluations: configurations to evaluate where all would take longer than ``SECONDS``,
            ``EVALUATIONS`` unless given, or as many as the time is enough for.
        time_s: seconds in the place of ``SECONDS``, after which a heuristic exploration begins no
            more evaluations.
        search: makes what asks for these, whatever all would take; None for hwflow's own.
        progress: called as stages go on.
        say: called with the plan.

    Raises:
        CompileError: the request cannot be used; HW324, HW326 to HW328, nor the folder; HW329 or
            HW345 to HW347, a check failed; HW330, too large a space; HW336, nothing fits.
        ToolError: HW611 to HW614, what evaluates is lost.
    """
    request.check()
    _check_folder(request, folder)
    progress("read", 0.0)
    explorer = Explorer.of(request)
    check_limits(explorer)
    progress("read", 1.0)
    with open_store(folder, new=True) as store, keeping(store, folder), explorer.resting():
        _claim(store, request, folder)
        for priced in explorer.boards:
            priced.cover(partial(progress, f"compile for {priced.name}"), local(executor))
        plan = _planned(
            explorer, store, exhaustive=exhaustive, evaluations=evaluations, time_s=time_s,
            searched=search is not None,
        )  # fmt: skip
        plan, part = _with_part(explorer, plan, executor, asked=(evaluations, search))
        say(str(plan) if request.fit is None else plan.fitted(fits.MOST))
        if explorer.bench.most:
            say("trained quantised: no option has more bits than were trained")
        store.begin(asdict(plan))
        found = _evaluated(
            Evaluation(explorer=explorer, plan=plan, store=store, executor=executor,
                       progress=progress, search=search, part=part), folder,
        )  # fmt: skip
        progress("front", 0.0)
        result = written(folder, result_of(explorer, found, progress))
        store.finish()
        progress("front", 1.0)
    return Run(folder, result)


def _with_part(
    explorer: Explorer, plan: Plan, executor: Executor, *, asked: tuple[object, object]
) -> tuple[Plan, Part | None]:
    """Return the plan with the part that is certified of it.

    There is none where all is evaluated, or what is asked for: a number, or by a searcher.
    """
    if plan.exhaustive or asked != (None, None):
        return plan, None
    part = part_of(explorer, plan.cheapest(SECONDS), local(executor))
    return replace(plan, part=None if part is None else part.plain()), part


def _evaluated(evaluation: Evaluation, folder: Path) -> Found:
    """Evaluate what is missing; fronts on the way are written to a folder."""
    plan, store, explorer = evaluation.plan, evaluation.store, evaluation.explorer
    before = so_far(store, plan.size, plan.chunk).numbers
    if len(before):  # fronts on the way are of these, too
        explorer.boards[0].learn(before, local(evaluation.executor))
    saving = Saving(explorer=explorer, folder=folder, store=store, chunk=plan.chunk)
    return replace(evaluation, store=replace(store, kept=saving)).run()


def _check_folder(request: Request, folder: Path) -> None:
    """Refuse another exploration's folder, before anything is read or written."""
    if (folder / DATABASE).is_file():
        with open_store(folder, new=False) as store:
            _refuse_other(store.meta(), request.keys(), folder)


def _refuse_other(kept: Mapping[str, str], keys: Mapping[str, str], folder: Path) -> None:
    """Refuse another exploration's folder."""
    other = [name for name, value in keys.items() if kept.get(name, value) != value]
    if other:
        raise CompileError([_other_run(folder, other)])


def _claim(store: Store, request: Request, folder: Path) -> None:
    """Keep what the run is of, or refuse another exploration's folder."""
    keys = request.keys()
    _refuse_other(store.meta(), keys, folder)
    model, data = (str(Path(path).resolve()) for path in (request.model, request.data))
    store.set_meta({**keys, "request": replace(request, model=model, data=data).to_json()})


def _planned(
    explorer: Explorer, store: Store, *, exhaustive: bool, evaluations: int | None,
    time_s: float | None, searched: bool,
) -> Plan:  # fmt: skip
    """Return what to evaluate: as was decided when the run began, unless all is asked for."""
    chunk = chunk_size(explorer.space)
    size, kept = explorer.space.size, store.meta()
    seconds = float(kept["seconds"]) if "seconds" in kept else measured(explorer) * size
    limit = 0.0 if searched else SECONDS if time_s is None else time_s
    unasked = EVALUATIONS if time_s is None else size
    chosen = min(size, unasked if evaluations is None else evaluations)
    few = time_s is None and chosen == size
    done = len(store.chunks()) * chunk >= size
    everything = exhaustive or seconds <= limit or few or done
    store.set_meta({"seconds": repr(seconds)})
    return Plan(
        size=size, exhaustive=everything, chunk=chunk, seconds=seconds,
        evaluations=size if everything else chosen, time_s=None if everything else time_s,
    )  # fmt: skip


def open_run(folder: Path) -> tuple[Request, Run]:
    """Return an exploration with the front that it has so far.

    Raises:
        CompileError: HW326, there is none, or it has no front yet.
    """
    with open_store(folder, new=False) as store:
        kept = store.meta()
    path = folder / FRONT
    if "request" not in kept or not path.is_file():
        raise CompileError([_unfinished(folder)])
    result = with_recosted(folder, json.loads(path.read_text()))
    return Request.from_json(kept["request"]), Run(folder, result)


def open_finished(folder: Path) -> tuple[Request, Run]:
    """Return a finished exploration.

    Raises:
        CompileError: HW326, there is none; HW338, it is not finished.
    """
    request, run = open_run(folder)
    if not run.finished:
        raise CompileError([not_finished(run)])
    return request, run


def not_finished(run: Run) -> Diagnostic:
    """Return what is said where only a finished run will do."""
    done, size = (run.result.get(name) for name in ("evaluated", "configurations"))
    found = "not all io types and clocks" if size is None else (
        f"the front of the first {done:,} of {size:,} configurations"
    )  # fmt: skip
    return Diagnostic(
        code="HW338", title="exploration that is not finished", where=str(run.folder),
        found=found, help=f"finish it: hwflow explore --run {run.folder}",
    )  # fmt: skip


def with_recosted(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with the fronts that were priced later, of the same evaluations."""
    fronts = {front["board"]: front for front in result["fronts"]}
    for path in sorted((folder / RECOSTED).glob("*.json")):
        kept = json.loads(path.read_text())
        if all(kept[key] == result[key] for key in ("digests", "evaluated")):
            fronts[kept["front"]["board"]] = kept["front"]
    return with_fronts(result, list(fronts.values()))


def with_fronts(result: dict[str, Any], fronts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a result with other fronts; certified where all of them are.

    What keeps to the limits on one board is not all that does on another, or at another cost.
    """
    part = result.get("certified_part")
    if part is not None and result["evaluated"] < result["configurations"]:
        result = {**result, "certified": result["certified"] and all(
            front["board"] == part["board"] for front in fronts)}  # fmt: skip
    fitted = [front["fitted"] for front in fronts if "fitted" in front]
    whole = all(fit["proven"] and fit["candidates"] == fit["of"] for fit in fitted)
    return {**result, "certified": result["certified"] and whole, "fronts": fronts}


def refuse_changed(request: Request, run: Run) -> None:
    """Refuse another model, other data or another arithmetic than the run's.

    Raises:
        CompileError: HW332, they are not what they were.
    """
    kept = run.result["digests"]
    other = [name for name, value in request.keys().items() if kept.get(name) != value]
    if other:
        raise CompileError([changed(f"another {', another '.join(other)}")])


def changed(found: str) -> Diagnostic:
    """Return what is said where something is not what was explored."""
    return Diagnostic(
        code="HW332", title="design that is not the one that was explored", found=found,
        help="explore again in another folder: hwflow explore MODEL, with another --run",
    )  # fmt: skip


def _other_run(folder: Path, other: list[str]) -> Diagnostic:
    return Diagnostic(
        code="HW324", title="folder of another exploration", where=str(folder),
        found=f"another {', another '.join(other)}",
        help="take another folder for --run, or the same model, data and options",
    )  # fmt: skip


def _unfinished(folder: Path) -> Diagnostic:
    return Diagnostic(
        code="HW326", title="no exploration in this folder", where=str(folder),
        found="no front yet", help=f"go on with it: hwflow explore --run {folder}",
    )  # fmt: skip
