"""From a point of a front of hardware to its design: compiled, checked, verified, written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow.core.config import read_settings
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.hardware import HARDWARE, HardwareRun, Progress
from hwflow.exploration.pick import Choice, chosen
from hwflow.exploration.reported import costs_of_report
from hwflow.exploration.request import file_digest
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.verify.verification import Verification


@dataclass(frozen=True, kw_only=True, eq=False)
class PickedHardware:
    """A point that was built.

    Attributes:
        design: its design.
        point: what the front says of it.
        front: the front.
        verification: comparisons on the data of the exploration, or on random numbers.
        folder: where it was written.
    """

    design: Design
    point: dict[str, Any]
    front: dict[str, Any]
    verification: Verification
    folder: Path


def open_hardware(folder: Path) -> HardwareRun | None:
    """Return a finished exploration of hardware, or None where the folder holds none."""
    path = folder / HARDWARE
    return HardwareRun(folder, json.loads(path.read_text())) if path.is_file() else None


def pick_hardware(
    run: HardwareRun,
    out: Path,
    choice: Choice,
    *,
    cpp: bool = True,
    progress: Progress = lambda stage, done: None,
) -> PickedHardware:
    """Compile a point with its settings, check its estimate, verify and write it.

    Args:
        run: an exploration of hardware.
        out: folder of the project.
        choice: which point; the fastest within limits, or where the front bends.
        cpp: compile the C++ and compare every layer with it.
        progress: called as stages go on.

    Raises:
        CompileError: HW331, no such point; HW332, the model or its estimate is another one now.
        ToolError: g++ is missing, or the C++ does not compile.
    """
    front, point = chosen(run, choice)
    design = _design(run, point)
    verification = design.verify(run.result["request"]["data"], cpp=cpp, progress=progress)
    if cpp and not verification.bit_exact:
        raise CompileError([_changed("C++ with other bits than the simulation")])
    return PickedHardware(
        design=design, point=point, front=front, verification=verification,
        folder=design.write(out, verification),
    )  # fmt: skip


def _design(run: HardwareRun, point: Mapping[str, Any]) -> Design:
    """Return the design of a point, whose estimate is what was found."""
    model = run.result["request"]["model"]
    if run.result["digests"] != {"model": file_digest(model)}:
        raise CompileError([_changed("another model")])
    design = compile_model(model, config=read_settings(point["settings"]))
    if costs_of_report(design.estimate()) != point["cost"]:
        raise CompileError([_changed("another estimate")])
    return design


def _changed(found: str) -> Diagnostic:
    return Diagnostic(
        code="HW332", title="design that is not the one that was explored", found=found,
        help="explore again in another folder: hwflow explore MODEL --hardware-only --run DIR",
    )  # fmt: skip
