"""Explores hardware alone: bits stay, reuse factors, strategies, io types and clocks are chosen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.core.board import load_board
from hwflow.core.config import settings_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file
from hwflow.exploration.budgets import available_of
from hwflow.exploration.front import knee
from hwflow.exploration.reported import costs_of_report
from hwflow.exploration.request import file_digest
from hwflow.exploration.run import Run
from hwflow.exploration.store import DATABASE
from hwflow.fitting.finder import Finder
from hwflow.fitting.fit import IO_TYPES
from hwflow.fitting.record import Plan
from hwflow.fitting.settings import chosen_config
from hwflow.fitting.tradeoff import COSTS, FITTING_TRIES, TIMES, Tradeoff, time_of, unbeaten
from hwflow.ir.op import Target
from hwflow.ops.shared.matvec import STRATEGIES
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

HARDWARE = "hardware.json"
"""What the folder of such a run holds."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class HardwareRequest:
    """What is explored; plain values.

    Attributes:
        model: path of a model that can be built.
        data: path of data that a point is verified on when it is built, or None.
        boards: profiles.
        clocks: clock periods in ns; that of each board unless given.
        io_types: those to choose from.
        strategies: those that layers may have; all unless given.
        time: ``latency_ns`` or ``ii``.
        cost: one of ``COSTS``.
        points: most points for each board, io type and clock.
        target: further entries of ``[target]``.
    """

    model: str
    data: str | None = None
    boards: tuple[str, ...]
    clocks: tuple[float, ...] = ()
    io_types: tuple[str, ...] = IO_TYPES
    strategies: tuple[str, ...] = ()
    time: str = "latency_ns"
    cost: str = "share"
    points: int = 8
    target: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what cannot be used.

        Raises:
            CompileError: HW323, HW334.
        """
        findings = []
        if self.time not in TIMES or self.cost not in COSTS:
            findings.append(
                Diagnostic(
                    code="HW323", title="unknown cost", where="--cost",
                    found=f"{self.time},{self.cost}",
                    supported=f"one of {', '.join(TIMES)} and one of {', '.join(COSTS)}",
                    help="such as --cost latency_ns,share",
                )
            )  # fmt: skip
        for option, given, known in (("--io-type", self.io_types, IO_TYPES),
                                     ("--strategy", self.strategies, STRATEGIES)):  # fmt: skip
            unknown = [name for name in given if name not in known]
            if unknown:
                findings.append(
                    Diagnostic(
                        code="HW334", title="unknown choice of hardware", where=option,
                        found=", ".join(unknown), supported=", ".join(known),
                    )
                )  # fmt: skip
        if findings:
            raise CompileError(findings)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, paths in full."""
        paths = {"model": str(Path(self.model).resolve())}
        if self.data is not None:
            paths["data"] = str(Path(self.data).resolve())
        found: dict[str, Any] = json.loads(json.dumps({**asdict(self), **paths}))
        return found

    def digests(self) -> dict[str, str]:
        """Return what tells it from others."""
        return {"model": file_digest(self.model)}


class HardwareRun(Run):
    """A finished exploration of hardware; ``result`` is what ``HARDWARE`` holds."""

    def __repr__(self) -> str:
        """Return how many points are on each front."""
        fronts = ", ".join(f"{f['board']}: {len(f['points'])}" for f in self.result["fronts"])
        return f"HardwareRun {self.folder}: {fronts}"


def explore_hardware(
    request: HardwareRequest, folder: Path, progress: Progress = lambda stage, done: None
) -> HardwareRun:
    """Find the settings that nothing beats, time against cost, for each board.

    Args:
        request: what is asked.
        folder: folder of the run.
        progress: called as stages go on.

    Raises:
        CompileError: the model cannot be read or built; HW323 or HW334, the request cannot be
            used; HW324, the folder holds another exploration.
    """
    request.check()
    _refuse_other(request, folder)
    progress("compile", 0.0)
    design = _compiled(request, request.boards[0])
    progress("compile", 1.0)
    fronts = [_front(request, design, name, progress) for name in request.boards]
    result = {
        "format": "hwflow hardware exploration 1",
        "model": design.source,
        "request": request.plain(),
        "digests": request.digests(),
        "time": request.time,
        "cost": request.cost,
        "fronts": fronts,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / HARDWARE, (json.dumps(result, indent=1) + "\n").encode())
    return HardwareRun(folder, result)


def _refuse_other(request: HardwareRequest, folder: Path) -> None:
    """Refuse a folder that holds another exploration."""
    other = []
    if (folder / DATABASE).exists():
        other.append("of bits")
    if (folder / HARDWARE).is_file():
        kept = json.loads((folder / HARDWARE).read_text())
        if request.plain() != kept["request"] or kept["digests"] != request.digests():
            other.append("of hardware with another model or other options")
    if other:
        raise CompileError(
            [
                Diagnostic(
                    code="HW324", title="folder of another exploration", where=str(folder),
                    found=f"an exploration {other[0]}",
                    help="take another folder for --run, or the same model and options",
                )
            ]
        )  # fmt: skip


def _compiled(request: HardwareRequest, board: str) -> Design:
    """Return a design whose settings can be tried; of any io type."""
    try:
        return compile_model(request.model, board=board, **request.target)
    except CompileError:
        for io_type in request.io_types[1:]:
            return compile_model(request.model, board=board, io_type=io_type, **request.target)
        raise


def _front(
    request: HardwareRequest, design: Design, name: str, progress: Progress
) -> dict[str, Any]:
    """Return the front of a board: of the plans of all io types and clocks, those unbeaten."""
    board = load_board(name)
    finder = Finder(
        unsettled=design.origin.unsettled, config=design.config, goal=request.cost, asked=(),
        progress=lambda stage, done: None,
        strategies=request.strategies, tries=FITTING_TRIES,
    )  # fmt: skip
    own = design.config.target.clock_period_ns or board.clock_period_ns
    given = design.target
    cases = [
        Target(given.backend, io_type, board.part, clock, given.tool)
        for io_type in request.io_types
        for clock in request.clocks or (own,)
    ]
    plans: list[Plan] = []
    why = []
    for i, target in enumerate(cases):
        progress(f"solve for {name}", i / len(cases))
        found, reason = Tradeoff(finder, board, target, request.time, request.points).plans()
        plans += found
        if reason or not found:
            reason = reason or "nothing fits"
            why.append(f"{target.io_type}, {target.clock_period_ns:g} ns: {reason}")
    progress(f"solve for {name}", 1.0)
    kept = unbeaten(plans, request.time, request.cost)
    points = [_point(i, request, design, plan, name) for i, plan in enumerate(kept)]
    return {
        "board": name,
        "part": board.part,
        "points": points,
        "knee": points[_bend(kept, request)]["id"] if points else None,
        "available": available_of(board),
        "certified": all(plan.proven for plan in kept) and not why,
        "nothing": why,
    }


def _bend(plans: Sequence[Plan], request: HardwareRequest) -> int:
    """Return the plan where the front bends, both axes logarithmic."""
    times = np.log([time_of(plan, request.time) for plan in plans])
    costs = np.log1p([plan.cost(request.cost) for plan in plans])
    return knee(-times, costs)


def _point(
    number: int, request: HardwareRequest, design: Design, plan: Plan, board: str
) -> dict[str, Any]:
    """Return a point as plain data, its settings as they stand in ``hwflow.toml``."""
    config = chosen_config(design.config, plan, board)
    return {
        "id": number,
        "io_type": plan.target.io_type,
        "clock_period_ns": plan.target.clock_period_ns,
        "time_ns": time_of(plan, request.time),
        "least": plan.cost(request.cost),
        "share": plan.cost("share") / 100.0,
        "proven": plan.proven,
        "fits": plan.report.fits,
        "cost": costs_of_report(plan.report),
        "settings": settings_of(config),
        "layers": {layer.name: dict(layer.settings) for layer in plan.layers if layer.settings},
    }
