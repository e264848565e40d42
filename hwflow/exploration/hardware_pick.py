"""From a point of a front of hardware to its design: compiled, checked, verified, written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow.core.config import read_settings
from hwflow.core.errors import CompileError
from hwflow.exploration.hardware import HardwareRun, Progress
from hwflow.exploration.hardware_request import HardwareRequest
from hwflow.exploration.pick import Choice, chosen, verified
from hwflow.exploration.reported import costs_of_report
from hwflow.exploration.run import changed
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
    request = HardwareRequest.of_plain(run.result["request"])
    data = None if request.data is None else request.sources.given(request.data)
    verification, written = verified(design, data, out, cpp=cpp, progress=progress)
    return PickedHardware(
        design=design, point=point, front=front, verification=verification, folder=written
    )


def _design(run: HardwareRun, point: Mapping[str, Any]) -> Design:
    """Return the design of a point, whose estimate is what was found."""
    request = HardwareRequest.of_plain(run.result["request"])
    if run.result["digests"] != request.digests():
        raise CompileError([changed("another model")])
    model = request.sources.given(request.model)
    design = compile_model(model, config=read_settings(point["settings"]))
    if costs_of_report(design.estimate()) != point["cost"]:
        raise CompileError([changed("another estimate")])
    return design
