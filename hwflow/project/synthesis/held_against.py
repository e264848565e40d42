"""Reports in a tree, held against the estimate of the design that they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.estimate.report import EstimateReport
from hwflow.project.design import Design
from hwflow.synthesis.comparison import (
    STATES,
    Comparison,
    compare_layers,
    csynth_stage,
    logic_stage,
)
from hwflow.synthesis.joining import Joined, calls_of, join
from hwflow.synthesis.records import CSynth, Logic, Reports
from hwflow.synthesis.trees import read_tree

Report = TypeVar("Report", CSynth, Logic)

MOST = 5
"""Names that a message gives."""


def compare_tree(design: Design, folder: Path) -> Comparison:
    """Return the reports in a tree that are about a design, held against its estimate.

    Args:
        design: the design.
        folder: the tree, for example the folder of the HLS project.

    Raises:
        CompileError: HW590, there is no report; HW592, all are about other designs.
    """
    return compare_reports(design, read_tree(folder), design.estimate())


def compare_reports(design: Design, found: Reports, estimate: EstimateReport) -> Comparison:
    """Return reports held against an estimate of the design that they are about.

    Raises:
        CompileError: HW592, they are about other designs.
    """
    name = design.graph.name
    csynth = [report for report in found.csynth if report.top == name]
    logic = [report for report in found.logic if report.design == name]
    if not csynth and not logic:
        raise CompileError([_others(design, found)])
    chosen, total = newest(csynth), estimate.total
    by_state = {state: newest([r for r in logic if r.state == state]) for state in STATES}
    used = [report for report in by_state.values() if report is not None]
    stages = [csynth_stage(chosen, total)] if chosen else []
    stages += [logic_stage(report, total) for report in used]
    joined = join(chosen, calls_of(design.project)) if chosen else Joined.nothing()
    return Comparison(
        stages=tuple(stages),
        layers=compare_layers(estimate, joined) if chosen else (),
        rest=joined.rest if chosen else None,
        others=joined.others,
        notes=(
            *_differences(design, chosen, used),
            *_left_out(len(csynth) + len(logic), len(stages)),
            *(f"not read: {text}" for text in found.unreadable),
        ),
    )


def newest(reports: Sequence[Report]) -> Report | None:
    """Return the report that was written last; of those of one time, that with the first path."""
    ordered = sorted(reports, key=lambda r: (-r.file.stat().st_mtime, r.file))
    return ordered[0] if ordered else None


def _differences(design: Design, csynth: CSynth | None, logic: Sequence[Logic]) -> Iterator[str]:
    """Yield what the reports were made for that the design does not ask for."""
    target = design.target
    devices = {report.part for report in ([csynth] if csynth else [])}
    devices |= {report.device for report in logic}
    for device in sorted(devices):
        if device and not _plain(target.part).endswith(_plain(device)):
            yield f"the report is of part {device}, the estimate of {target.part}"
    if csynth is None:
        return
    clock = csynth.clock_period_ns
    if clock is not None and abs(clock - target.clock_period_ns) > 0.005 * clock + 0.005:
        asked = f"{target.clock_period_ns:g}"
        yield f"the report is of a clock of {clock:g} ns, the estimate of {asked}"
    if target.tool and csynth.tool != target.tool:
        yield f"the report is of {csynth.tool}, the estimate of {target.tool}"
    if not csynth.tool.startswith(target.backend.lower()):
        yield f"the report is of {csynth.tool}, the project for {target.backend} HLS"


def _plain(part: str) -> str:
    """Return a part's name without separators and without what reports leave out in front."""
    return re.sub(r"[^a-z0-9]", "", part.lower()).removeprefix("xc")


def _left_out(reports: int, used: int) -> Iterator[str]:
    if reports > used:
        yield f"{reports - used} older reports of the same design are left out"


def _others(design: Design, found: Reports) -> Diagnostic:
    tops = sorted({r.top for r in found.csynth} | {r.design for r in found.logic})
    more = f" and {len(tops) - MOST} more" if len(tops) > MOST else ""
    return Diagnostic(
        code="HW592",
        title="the reports are of another design",
        where=str(found.folder),
        found=f"reports of {', '.join(tops[:MOST])}{more}",
        supported=f"reports of the top function {design.graph.name}",
        help="give the project that was synthesized, or the folder in which this one was",
    )
