"""Explorations that go on by what their folder says: model, data and options as they were."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.executors import open_executor
from hwflow.exploration.explorer import Progress
from hwflow.exploration.hardware import HardwareRun, explore_hardware, open_hardware
from hwflow.exploration.hardware_request import HardwareRequest
from hwflow.exploration.request import Request
from hwflow.exploration.run import Run, explore
from hwflow.exploration.status import no_run
from hwflow.exploration.store import open_store
from hwflow.fitting.budgets import parse_options

TARGET = {"io_type": "--io-type", "clock_period_ns": "--clock", "strategy": "--strategy"}
"""Options for entries of ``[target]``."""


def resume(
    folder: Path,
    *,
    most: Sequence[str] = (),
    least: Sequence[str] = (),
    exhaustive: bool = False,
    evaluations: int | None = None,
    time_s: float | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress = lambda stage, done: None,
    say: Callable[[str], None] = lambda line: None,
) -> Run:
    """Go on with an exploration, as it was begun where nothing else is given.

    Args:
        folder: folder of the run.
        most: other upper limits.
        least: other lower limits.
        exhaustive: evaluate all configurations.
        evaluations: how many.
        time_s: seconds that are spent on it.
        workers: processes.
        scheduler: address of a Dask cluster.
        progress: called as stages go on.
        say: called with the plan.

    Raises:
        CompileError: HW326, there is none; HW337, model or data are not where they were; as
            ``explore``.
        ToolError: as ``explore``.
    """
    request, effort = _kept(folder)
    if request.fit is not None and most:
        request = replace(request, fit=parse_options(most, ()))
    elif most:
        request = replace(request, most=tuple(most))
    if least:
        request = replace(request, least=tuple(least))
    given = {"evaluations": evaluations, "time_s": time_s}
    if any(given.values()) or exhaustive:
        effort = {**given, "exhaustive": exhaustive}
    with open_executor(workers, scheduler) as executor:
        return explore(request, folder, executor=executor, progress=progress, say=say, **effort)


def resume_hardware(
    folder: Path, budgets: Callable[[], dict[str, str]], progress: Progress
) -> HardwareRun | None:
    """Go on with an exploration of hardware; None where the folder holds none.

    Args:
        folder: folder of the run.
        budgets: gives other limits, or nothing for those that it has.
        progress: called as stages go on.

    Raises:
        CompileError: HW337, the model is not where it was; as ``explore_hardware``.
    """
    run = open_hardware(folder)
    if run is None:
        return None
    request = HardwareRequest.of_plain(run.result["request"])
    if other := budgets():
        request = replace(request, budgets=other)
    digest, kept = request.digests()["model"], run.result["digests"]["model"]
    if digest != kept:
        command = hardware_command(replace(request, model="MODEL"), folder)
        raise CompileError([_moved("model", request.model, digest, command)])
    return explore_hardware(request, folder, progress)


def hardware_command(request: HardwareRequest, folder: Path) -> str:
    """Return the command that explores hardware as a request asks, as a shell takes it."""
    words = ["hwflow", "explore", request.model, "--hardware-only"]
    words += ["--data", request.data] if request.data is not None else []
    lists = (
        ("--board", request.boards), ("--clock", [f"{clock:g}" for clock in request.clocks]),
        ("--io-type", request.io_types), ("--strategy", request.strategies),
        ("--cost", (request.time, request.cost)),
    )  # fmt: skip
    words += [word for name, of in lists if of for word in (name, ",".join(of))]
    limits = [f"{name}={limit}" for name, limit in request.budgets.items()]
    for option, least in (("--max", False), ("--min", True)):
        own = [text for text in limits if text.startswith("throughput=") == least]
        words += [option, ",".join(own)] if own else []
    return shlex.join([*words, "--run", str(folder)])


def _kept(folder: Path) -> tuple[Request, dict[str, Any]]:
    """Return the request of a run, and how much of it was to be evaluated."""
    with open_store(folder, new=False) as store:
        kept = store.meta()
    if "request" not in kept:
        raise CompileError([no_run(folder)])
    request = Request.from_json(kept["request"])
    plan = json.loads(kept.get("plan", "{}"))
    effort: dict[str, Any] = {}
    if plan and not plan["exhaustive"]:
        effort = {"evaluations": plan["evaluations"], "time_s": plan["time_s"]}
        effort |= {} if plan.get("part") is None else {"evaluations": None}
    elif plan:
        effort = {"exhaustive": True}
    keys = request.keys()
    gone = [name for name in ("model", "data") if keys[name] != kept[name]]
    if gone:
        placed: dict[str, Any] = {name: name.upper() for name in gone}
        command = command_of(replace(request, **placed), folder)
        paths = {name: getattr(request, name) for name in gone}
        raise CompileError([_moved(name, paths[name], keys[name], command) for name in gone])
    return request, effort


def _moved(name: str, path: str, digest: str, command: str) -> Diagnostic:
    """Return what is said of a model or data that are not where they were, or not the same."""
    return Diagnostic(
        code="HW337", title=f"{name} of the run that {_is(digest)}", where=path,
        found="no such file" if digest == "missing" else "other content than was explored",
        help=f"put it back, or give {name.upper()} where it is now: {command}",
    )  # fmt: skip


def _is(digest: str) -> str:
    return "is not where it was" if digest == "missing" else "is not what it was"


def command_of(request: Request, folder: Path) -> str:
    """Return the command that explores a request, as a shell takes it."""
    words = ["hwflow", "explore", request.model, "--data", request.data]
    return shlex.join([*words, *_options(request), "--run", str(folder)])


def _options(request: Request) -> Iterator[str]:
    usual = Request(model="", data="", boards=())
    yield from ("--board", ",".join(request.boards), "--bits", request.bits)
    for name in ("fix", "group"):
        for text in getattr(request, name):
            yield from (f"--{name}", text)
    yield from ("--cost", ",".join(request.cost))
    for name in ("samples", "seed"):
        if getattr(request, name) != getattr(usual, name):
            yield from (f"--{name}", str(getattr(request, name)))
    for name, value in request.method.items():
        option = f"--{name.replace('_', '-')}"
        yield from [option] if value is True else [] if value is False else [option, str(value)]
    for name, value in request.target.items():
        if name in TARGET:
            yield from (TARGET[name], str(value))
    budgets = [f"{name}={value}" for name, value in (request.fit or {}).items()]
    yield from ["--fit"] if request.fit is not None else []
    for option, texts in (("--max", [*request.most, *budgets]), ("--min", request.least)):
        yield from [option, " ".join(texts)] if texts else []
