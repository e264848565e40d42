"""From a point of a front to its design: made again, checked against what was found, built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.core.config import Config, read_settings
from hwflow.core.data import Data
from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.exploration.budgets import LEAST, Limit, keeps, read_limits, reason, value_of
from hwflow.exploration.checks import judged, priced_total
from hwflow.exploration.explorer import Explorer, Progress
from hwflow.exploration.front import knee as knee_of
from hwflow.exploration.points import cost_of, front_of_board, kind_of, point_of
from hwflow.exploration.reported import costs_of_report
from hwflow.exploration.request import Request
from hwflow.exploration.run import Run, changed, open_run, refuse_changed
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel, printable
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.verify.verification import Verification


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which point of a front is meant.

    Attributes:
        board: the front of which board; the first unless given.
        number: the point's id.
        best: ``acc`` or ``agree`` for the most right answers, or a cost for the least of it.
        limits: limits that it keeps to.
        knee: the knee is meant, of the points within the limits.
    """

    board: str | None = None
    number: int | None = None
    best: str | None = None
    limits: tuple[Limit, ...] = ()
    knee: bool = False


def choice_of(
    board: str | None, number: int | None, most: Sequence[str], least: Sequence[str] = (),
    *, best: str | None = None, knee: bool = False,
) -> Choice:  # fmt: skip
    """Return a choice from the options of the command line.

    Raises:
        CompileError: HW343, a limit cannot be read.
    """
    limits = tuple(read_limits(most, least))
    return Choice(board=board, number=number, best=best, limits=limits, knee=knee)


def chosen(run: Run, choice: Choice) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a front and a point on it: by its id, the best within limits, or the knee.

    Without an id it is the knee; of points within limits it is that with the most right answers on
    the search samples.

    Raises:
        CompileError: HW331, there is no such front or point; HW343, nothing is best in that.
    """
    front = front_of_board(run, choice.board)
    if choice.number is not None:
        return front, point_of(front, choice.number)
    found = [p for p in front["points"] if _within(p, choice.limits, front["available"])]
    if not found:
        raise CompileError([_none_within(front, choice.limits)])
    if choice.best is not None:
        return front, _best(found, choice.best)
    if choice.limits and not choice.knee:
        return front, found[0]  # most right answers first
    return front, _knee(found, front)


def _within(
    point: Mapping[str, Any], limits: Sequence[Limit], available: Mapping[str, float]
) -> bool:  # fmt: skip
    return all(keeps(limit, value_of(limit, point), available) for limit in limits)


def _best(points: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the point with the most right answers, or with the least of a cost."""
    searched = points[0].get("search", {})  # fronts of hardware alone have none
    if name in LEAST and LEAST[name] in searched:
        return max(points, key=lambda p: float(p["search"][LEAST[name]]))
    known = [*LEAST, *points[0]["cost"], "share"]
    if name in LEAST or name not in known:
        raise CompileError([_not_best(name, [n for n in known if n != name])])
    return min(points, key=lambda p: cost_of(p, name)[0])


def _knee(points: Sequence[dict[str, Any]], front: Mapping[str, Any]) -> dict[str, Any]:
    if len(points) == len(front["points"]):
        return point_of(front, front["knee"])
    if "search" not in points[0]:
        raise CompileError([_not_best("knee within limits", [*points[0]["cost"], "share"])])
    quality = np.array([p["search"][kind_of(p)] for p in points])
    cost = np.array([cost_of(p, front["cost"][0])[0] for p in points])
    return points[knee_of(quality, cost)]


def _not_best(name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        code="HW343", title="no such figure", where="--best", found=printable(name),
        supported=", ".join(known), help=did_you_mean(name, known),
    )  # fmt: skip


def _none_within(front: Mapping[str, Any], limits: Sequence[Limit]) -> Diagnostic:
    """Return what is said where no point keeps to limits: what is nearest, and why not."""
    available = front["available"]

    def beyond(point: Mapping[str, Any]) -> list[str]:
        pairs = [(limit, value_of(limit, point)) for limit in limits]
        return [reason(n, v, available) for n, v in pairs if not keeps(n, v, available)]

    nearest = min(front["points"], key=lambda p: len(beyond(p)))
    return Diagnostic(
        code="HW331", title="no such point", where=f"front on {front['board']}",
        found=f"none within the limits; point {nearest['id']} has {', '.join(beyond(nearest))}",
        help="ease a limit, or explore with these limits: hwflow explore MODEL --max, --min",
    )  # fmt: skip


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
    design = compile_model(clone(model), config=config_of(request, front, point))
    _refuse_difference(explorer, design, point)
    held = explorer.held_out
    data = Data(dict(held.inputs), held.labels, f"held-out samples of {Path(request.data).name}")
    verification, written = verified(design, data, out, cpp=cpp, progress=progress)
    return Picked(
        design=design, model=model, point=point, front=front, verification=verification,
        folder=written,
    )  # fmt: skip


def verified(
    design: Design, data: Data | str | None, out: Path, *, cpp: bool, progress: Progress
) -> tuple[Verification, Path]:
    """Verify the design of a point and write it.

    Args:
        design: the design.
        data: what it is verified on, or None for random numbers.
        out: folder of the project.
        cpp: compile the C++ and compare every layer with it.
        progress: called as stages go on.

    Raises:
        CompileError: HW332, the C++ has other bits; HW552, the folder cannot be written.
        ToolError: g++ is missing, or the C++ does not compile.
    """
    verification = design.verify(data, cpp=cpp, progress=progress)
    if cpp and not verification.bit_exact:
        raise CompileError([changed("the C++, which has other bits than the simulation")])
    return verification, design.write(out, verification)


def config_of(request: Request, front: Mapping[str, Any], point: Mapping[str, Any]) -> Config:
    """Return the settings of a point's design.

    A front that was priced later has its own, and so has a point whose settings were fitted.
    """
    if "settings" in point:
        return read_settings(point["settings"])
    target = front.get("target", request.target)
    return replace(request, target=target).config(front.get("profile", front["board"]))


def _refuse_difference(explorer: Explorer, design: Design, point: Mapping[str, Any]) -> None:
    """Refuse a design that does not have exactly the accuracies and costs that were found."""
    for samples, part in ((explorer.search, "search"), (explorer.held_out, "held_out")):
        right, agree = judged(design, samples).counts
        if (right, agree) != (point[part].get("right", -1), point[part]["agree"]):
            raise CompileError([changed(f"other answers on the {part} samples")])
    if "settings" in point:
        if costs_of_report(design.estimate()) != point["cost"]:
            raise CompileError([changed("another estimate")])
        return
    total = priced_total(design)
    for name, (value, _, _) in point["cost"].items():
        found = getattr(total, name, None)
        if found is not None and abs(found.value - value) > 1e-9 * abs(value):
            raise CompileError([changed(f"{name}: {found.value:g} instead of {value:g}")])
