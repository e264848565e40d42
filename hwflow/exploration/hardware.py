"""Explores hardware alone: bits stay, reuse factors, strategies, io types and clocks are chosen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.core.board import load_board
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file
from hwflow.exploration.budgets import available_of
from hwflow.exploration.front import knee
from hwflow.exploration.hardware_cases import Case, Cases, case_key, solved
from hwflow.exploration.hardware_request import HardwareRequest
from hwflow.exploration.pictures.hardware import to_html, to_svg
from hwflow.exploration.run import Run
from hwflow.exploration.saving import PAGE, PICTURE
from hwflow.exploration.store import DATABASE
from hwflow.fitting.advice import changes, nearest_miss
from hwflow.fitting.budgets import parse_budgets
from hwflow.fitting.finder import Finder
from hwflow.fitting.tradeoff import FITTING_TRIES, Tradeoff
from hwflow.ir.op import Target
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

HARDWARE = "hardware.json"
"""What the folder of such a run holds, beside pictures."""

FORMAT = "hwflow hardware exploration 2"
"""What this file says first."""

NOTHING = "HW339"
"""What is said where nothing keeps to the limits."""

Progress = Callable[[str, float], None]


class HardwareRun(Run):
    """An exploration of hardware; ``result`` is what ``HARDWARE`` holds."""

    def __repr__(self) -> str:
        """Return how many points are on each front."""
        fronts = ", ".join(f"{f['board']}: {len(f['points'])}" for f in self.result["fronts"])
        return f"HardwareRun {self.folder}: {fronts}"

    def _repr_svg_(self) -> str:
        """Return the picture of the fronts, for notebooks."""
        text = to_svg(self.result).decode()
        return text[text.index("<svg") :]


def explore_hardware(
    request: HardwareRequest, folder: Path, progress: Progress = lambda stage, done: None
) -> HardwareRun:
    """Find the settings that nothing beats, time against cost, for each board.

    What was solved is on disk after each io type and clock, and so is the front of it. A run that
    was ended goes on there.

    Args:
        request: what is asked.
        folder: folder of the run.
        progress: called as stages go on.

    Raises:
        CompileError: the model cannot be read or built; HW323 or HW334, the request cannot be
            used; HW324, the folder holds another exploration; HW339, nothing keeps to the limits.
    """
    request.check()
    _refuse_other(request, folder)
    progress("compile", 0.0)
    design = _compiled(request, request.boards[0])
    progress("compile", 1.0)
    search = _Search(request, design, Cases(folder, request.digests()["model"]))
    done: list[tuple[str, Target, Case]] = []
    cases = search.cases()
    with _keeping(folder):
        for i, (name, target) in enumerate(cases):
            progress(f"solve for {name}", i / len(cases))
            _written(folder, search.result(done, len(cases)))
            done.append((name, target, search.case(name, target)))
        progress(f"solve for {cases[-1][0]}", 1.0)
        result = search.result(done, len(cases))
        _written(folder, result)
        if not result["fronts"]:
            raise CompileError([_nothing(search, none) for none in result["nothing_fits"]])
    return HardwareRun(folder, result)


@contextmanager
def _keeping(folder: Path) -> Iterator[None]:
    """Say in errors what stays on disk."""
    try:
        yield
    except CompileError as error:
        error.kept = f"What was solved is kept in {folder}."
        raise


def _written(folder: Path, result: dict[str, Any]) -> None:
    """Write what was found, with its pictures; without points, none are left of other limits."""
    write_file(folder / HARDWARE, (json.dumps(result, indent=1) + "\n").encode(), parents=True)
    if result["fronts"]:
        write_file(folder / PAGE, to_html(result).encode())
    else:
        for name in (PAGE, PICTURE):
            (folder / name).unlink(missing_ok=True)
    if result["fronts"] and result["finished"]:
        write_file(folder / PICTURE, to_svg(result))


def _refuse_other(request: HardwareRequest, folder: Path) -> None:
    """Refuse a folder that holds another exploration."""
    other = ""
    if (folder / DATABASE).exists():
        other = "of bits"
    elif (folder / HARDWARE).is_file():
        kept = json.loads((folder / HARDWARE).read_text())
        if kept["digests"] != request.digests():
            other = "of hardware with another model"
    if other:
        raise CompileError(
            [
                Diagnostic(
                    code="HW324", title="folder of another exploration", where=str(folder),
                    found=f"an exploration {other}",
                    help="take another folder for --run, or the same model",
                )
            ]
        )  # fmt: skip


def _compiled(request: HardwareRequest, board: str) -> Design:
    """Return a design whose settings can be tried; of any io type."""
    model = request.sources.given(request.model)
    try:
        return compile_model(model, board=board, **request.target)
    except CompileError:
        for io_type in request.io_types[1:]:
            return compile_model(model, board=board, io_type=io_type, **request.target)
        raise


class _Search:
    """Solves the cases of a request."""

    def __init__(self, request: HardwareRequest, design: Design, kept: Cases) -> None:
        self.request = request
        self._design = design
        self._kept = kept
        self.finder = Finder(
            unsettled=design.origin.unsettled, config=design.config, goal=request.cost,
            asked=parse_budgets(request.budgets), progress=lambda stage, done: None,
            strategies=request.strategies, tries=FITTING_TRIES,
        )  # fmt: skip

    def cases(self) -> list[tuple[str, Target]]:
        """Return boards with io types and clocks, in the order in which they are solved."""
        given = self._design.target
        found = []
        for name in self.request.boards:
            board = load_board(name)
            own = self._design.config.target.clock_period_ns or board.clock_period_ns
            found += [
                (name, Target(given.backend, io_type, board.part, clock, given.tool))
                for io_type in self.request.io_types
                for clock in self.request.clocks or (own,)
            ]
        return found

    def case(self, name: str, target: Target) -> Case:
        """Return what is found for a board and a target, from disk where it is there."""
        key = case_key(self.request.choices, name, target)
        case = self._kept.get(key)
        if case is None:
            request = self.request
            board = load_board(name)
            asked = Tradeoff(self.finder, board, target, request.time, request.points)
            case = solved(self.finder, asked, name)
            self._kept.keep(key, case)
        return case

    def result(self, done: Sequence[tuple[str, Target, Case]], cases: int) -> dict[str, Any]:
        """Return what the file of the run holds, of the cases that are solved."""
        request = self.request
        fronts, nothing = [], []
        for name in dict.fromkeys(name for name, _, _ in done):
            of_board = [(target, case) for board, target, case in done if board == name]
            front = _front(name, of_board)
            if front["points"]:
                fronts.append(front)
            elif len(of_board) == cases // len(request.boards):
                nothing.append({"board": name, "nearest": "; ".join(front["nothing"])})
        return {
            "format": FORMAT,
            "model": self._design.source,
            "request": request.plain(),
            "digests": request.digests(),
            "finished": len(done) == cases,
            "solved": len(done),
            "cases": cases,
            "time": request.time,
            "cost": request.cost,
            "limits": [f"{name}={limit}" for name, limit in request.budgets.items()],
            "nothing_fits": nothing,
            "fronts": fronts,
        }


def _front(name: str, cases: Sequence[tuple[Target, Case]]) -> dict[str, Any]:
    """Return the front of a board: of the points of all io types and clocks, those unbeaten."""
    kept = _unbeaten([point for _, case in cases for point in case.points])
    points = [{"id": i, **point} for i, point in enumerate(kept)]
    why = [
        f"{target.io_type}, {target.clock_period_ns:g} ns: {case.why}"
        for target, case in cases
        if case.why
    ]
    board = load_board(name)
    return {
        "board": name,
        "part": board.part,
        "points": points,
        "knee": points[_bend(points)]["id"] if points else None,
        "available": available_of(board),
        "certified": all(point["proven"] for point in points) and not why,
        "nothing": why,
    }


def _unbeaten(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the points that no other is as fast and as cheap as, the fastest first."""
    found: list[dict[str, Any]] = []
    for point in sorted(points, key=lambda p: (p["time_ns"], p["least"])):
        if not found or point["least"] < found[-1]["least"] * (1 - 1e-9):
            found.append(point)
    return found


def _bend(points: Sequence[Mapping[str, Any]]) -> int:
    """Return the point where the front bends, both axes logarithmic."""
    times = np.log([point["time_ns"] for point in points])
    return knee(-times, np.log1p([point["least"] for point in points]))


def _nothing(search: _Search, none: Mapping[str, str]) -> Diagnostic:
    """Return why nothing fits on a board, and the single limit that something keeps to if eased."""
    found, help_ = none["nearest"], "ease several limits, or take a larger board"
    board = load_board(none["board"])
    for name, target in search.cases():
        miss = nearest_miss(search.finder, board, target) if name == none["board"] else None
        if miss is None:
            continue
        most = max(miss.uses, key=lambda use: use.share, default=None)
        if most is not None:
            found = f"the smallest takes {most.share:.0f} % of {most.budget.said} at least"
        ways = [c for c in changes(search.finder, miss) if c.fits and "budgets" in c.settings]
        if ways:
            help_ = str(ways[0])
            break
    return Diagnostic(
        code=NOTHING, title="nothing keeps to the limits", where=none["board"], found=found,
        help=help_,
    )  # fmt: skip


def open_hardware(folder: Path) -> HardwareRun | None:
    """Return an exploration of hardware with its front so far; None where the folder holds none."""
    path = folder / HARDWARE
    return HardwareRun(folder, json.loads(path.read_text())) if path.is_file() else None


def opened_hardware(folder: Path) -> HardwareRun:
    """Return an exploration of hardware.

    Raises:
        CompileError: HW326, the folder holds none.
    """
    found = open_hardware(folder)
    if found is None:
        raise CompileError(
            [
                Diagnostic(
                    code="HW326", title="no exploration of hardware in this folder",
                    where=str(folder), found=f"no {HARDWARE}",
                    help="start one: hwflow explore MODEL --hardware-only --run DIR",
                )
            ]
        )  # fmt: skip
    return found
