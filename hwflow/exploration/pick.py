"""From a point of a front to its design: made again, checked against what was found, built."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hwflow.core.config import Config
from hwflow.core.data import Data
from hwflow.core.errors import CompileError
from hwflow.exploration.checks import judged, priced_total
from hwflow.exploration.costs import FIGURES
from hwflow.exploration.explorer import Explorer, Progress
from hwflow.exploration.points import front_of_board, no_such
from hwflow.exploration.request import Request
from hwflow.exploration.run import Run, changed, open_run, refuse_changed
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.verify.verification import Verification


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which point of a front is meant.

    Attributes:
        board: the front of which board; the first unless given.
        number: the point's id.
        most: greatest costs, by name; shares of the board by resource with ``%``.
    """

    board: str | None = None
    number: int | None = None
    most: Mapping[str, str] | None = None


def choice_of(board: str | None, number: int | None, most: Sequence[str]) -> Choice:
    """Return a choice from the options of the command line."""
    limits = dict(text.partition("=")[::2] for part in most for text in part.split())
    return Choice(board=board, number=number, most=limits)


def chosen(run: Run, choice: Choice) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a front and a point on it: by its id, the best within limits, or the knee.

    Raises:
        CompileError: HW331, there is no such front or point.
    """
    front = front_of_board(run, choice.board)
    points = front["points"]
    number = front["knee"] if choice.number is None else choice.number
    if choice.number is not None or not choice.most:
        found = [p for p in points if p["id"] == number]
    else:
        found = [p for p in points if _within(p, choice.most or {}, front)]
    if not found:
        ids = [str(p["id"]) for p in points]
        given = str(choice.number) if choice.number is not None else str(dict(choice.most or {}))
        raise CompileError([no_such("point", given, ids)])
    return front, found[0]  # best first


def _within(point: Mapping[str, Any], most: Mapping[str, str], front: Mapping[str, Any]) -> bool:
    for name, limit in most.items():
        match = re.fullmatch(r"([0-9.]+)(%?)", limit)
        if name not in FIGURES or match is None:
            raise CompileError([no_such("limit", f"{name}={limit}", [f"{c}=N" for c in FIGURES])])
        if name == "share":
            value = 100.0 * point["share"] if match[2] else point["share"]
        elif match[2]:
            value = 100.0 * point["cost"][name][0] / max(front["available"].get(name, 0), 1e-9)
        else:
            value = point["cost"][name][0]
        if value > float(match[1]):
            return False
    return True


@dataclass(frozen=True, kw_only=True, eq=False)
class Picked:
    """A point that was made again.

    Attributes:
        design: its design.
        model: the quantised model.
        point: what the front says of it.
        front: the front.
        verification: comparisons on the held-out samples.
        folder: where it was written.
    """

    design: Design
    model: QonnxModel
    point: dict[str, Any]
    front: dict[str, Any]
    verification: Verification
    folder: Path


def pick(
    folder: Path,
    out: Path,
    choice: Choice,
    *,
    cpp: bool = True,
    progress: Progress = lambda stage, done: None,
) -> Picked:
    """Make the quantised model of a point again, check it, build it.

    Args:
        folder: folder of the run.
        out: folder of the project.
        choice: which point.
        cpp: compile the C++ and compare every layer with it.
        progress: called as stages go on.

    Raises:
        CompileError: HW326, no exploration; HW331, no such point; HW332, model, data or what they
            give are not what they were.
        ToolError: g++ is missing, or the C++ does not compile.
    """
    request, run = open_run(folder)
    front, point = chosen(run, choice)
    refuse_changed(request, run)
    progress("quantise", 0.0)
    explorer = Explorer.of(request)
    model = explorer.bench.quantized(explorer.space.bits(point["id"]))
    progress("quantise", 1.0)
    design = compile_model(clone(model), config=config_of(request, front))
    _refuse_difference(explorer, design, point)
    held = explorer.held_out
    data = Data(dict(held.inputs), held.labels, f"held-out samples of {Path(request.data).name}")
    verification = design.verify(data, cpp=cpp, progress=progress)
    if cpp and not verification.bit_exact:
        raise CompileError([changed("the C++, which has other bits than the simulation")])
    written = design.write(out, verification)
    return Picked(
        design=design, model=model, point=point, front=front, verification=verification,
        folder=written,
    )  # fmt: skip


def config_of(request: Request, front: Mapping[str, Any]) -> Config:
    """Return the settings of the designs of a front; one that was priced later has its own."""
    target = front.get("target", request.target)
    return replace(request, target=target).config(front.get("profile", front["board"]))


def _refuse_difference(explorer: Explorer, design: Design, point: Mapping[str, Any]) -> None:
    """Refuse a design that does not have exactly the accuracies and costs that were found."""
    for samples, part in ((explorer.search, "search"), (explorer.held_out, "held_out")):
        right, agree = judged(design, samples).counts
        if (right, agree) != (point[part].get("right", -1), point[part]["agree"]):
            raise CompileError([changed(f"other answers on the {part} samples")])
    total = priced_total(design)
    for name, (value, _, _) in point["cost"].items():
        found = getattr(total, name, None)
        if found is not None and abs(found.value - value) > 1e-9 * abs(value):
            raise CompileError([changed(f"{name}: {found.value:g} instead of {value:g}")])
