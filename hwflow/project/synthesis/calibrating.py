"""Learns factors for estimates from reports of one's own tools: what ``hwflow calibrate`` does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from hwflow.core.calibration import FORM, Entry, Figure, Profile, load_profile
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file
from hwflow.estimate.calibration import family_of
from hwflow.estimate.graph import estimate
from hwflow.ir.op import Target
from hwflow.project.design import Design
from hwflow.project.stored import open_project
from hwflow.project.synthesis.held_against import compare_reports, newest
from hwflow.project.synthesis.runs import Run, runs_in
from hwflow.project.verifier import Progress
from hwflow.synthesis.comparison import Comparison
from hwflow.synthesis.fitting import Fitted, Point, fit_all
from hwflow.synthesis.records import CSynth
from hwflow.synthesis.trees import read_tree

Key = tuple[str, str]
"""A tool with its version, and a family of devices."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A design with reports of it.

    Attributes:
        design: the design.
        reports: where they lie.
        tool: the HLS tool with its version.
        family: family of the device.
        comparison: the reports, held against the estimate for their part, clock and tool.
    """

    design: Design
    reports: Path
    tool: str
    family: str
    comparison: Comparison

    @property
    def name(self) -> str:
        """Name of the design and of the folder."""
        return f"{self.design.graph.name} in {self.reports}"

    @property
    def points(self) -> Iterator[tuple[str, Point]]:
        """Figures of the whole design, each of the first stage that reports it."""
        seen = set()
        for stage in self.comparison.stages:
            for row in stage.figures:
                if row.figure not in seen:
                    seen.add(row.figure)
                    digest = self.design.origin.digest
                    yield row.figure, Point(digest, row.estimated, row.synthesized)


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """What was learnt.

    Attributes:
        measured: the designs that it was learnt from.
        fitted: what was learnt of each figure, by tool and family.
        left_out: folders that nothing was learnt from, and why.
    """

    measured: tuple[Measured, ...]
    fitted: Mapping[Key, Mapping[str, Fitted]]
    left_out: tuple[str, ...]

    def profile(self, before: Profile | None = None) -> Profile:
        """Return a profile with what was learnt; what another one has of other tools is kept."""
        found: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
        for (tool, family), figures in self.fitted.items():
            own = [m for m in self.measured if (m.tool, m.family) == (tool, family)]
            names = {m.design.origin.digest: m.design.graph.name for m in own}
            found[tool][family] = _entry(tuple(names.values()), figures)
        return (before or Profile(form=FORM, correction={})).joined_with(found)


def _entry(names: tuple[str, ...], figures: Mapping[str, Fitted]) -> Entry:
    known = {cast(Figure, name): found for name, found in figures.items()}
    return Entry(
        designs=names,
        factors={n: round(f.factor, 4) for n, f in known.items() if round(f.factor, 4) != 1.0},
        error_before={n: round(f.error_before, 2) for n, f in known.items()},
        error_after={
            n: round(f.error_after, 2) for n, f in known.items() if f.error_after is not None
        },
    )


def calibrate(
    folders: Sequence[Path],
    projects: Sequence[Path] = (),
    *,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    progress: Progress = lambda stage, done: None,
) -> Calibration:
    """Learn factors from trees with reports.

    A tree belongs to the project in or above it, to that which ``hwflow synth`` noted, or to one
    of those given, by the name of the top function.

    Args:
        folders: trees with reports.
        projects: folders of projects that they may be of.
        plugins: see ``open_project``.
        trust: see ``open_project``.
        progress: called as stages go on.

    Raises:
        CompileError: what ``open_project`` finds in a project; HW595, no tree has reports of a
            project.
    """
    known: dict[Path, Design] = {}

    def opened(path: Path) -> Design:
        place = path.resolve()
        if place not in known:
            known[place] = open_project(place, plugins, trust=trust).design
        return known[place]

    given = [opened(path) for path in projects]
    runs = [run for folder in folders for run in runs_in(folder)]
    measured: list[Measured] = []
    left_out: list[str] = []
    for number, run in enumerate(runs):
        progress("read reports", number / len(runs))
        own = [opened(run.project)] if run.project else given
        found = _measure(run, own)
        if isinstance(found, str):
            left_out.append(f"{run.reports}: {found}")
        else:
            measured.append(found)
    progress("read reports", 1.0)
    if not measured:
        raise CompileError([_nothing(left_out)])
    return Calibration(measured=tuple(measured), fitted=_fitted(measured), left_out=tuple(left_out))


def _measure(run: Run, designs: Sequence[Design]) -> Measured | str:
    """Return what a run says of the design that it is of, or why it says nothing."""
    try:
        reports = read_tree(run.reports)
    except CompileError as error:
        return "; ".join(finding.found for finding in error.diagnostics)
    by_name = {design.graph.name: design for design in designs}
    csynth = newest([report for report in reports.csynth if report.top in by_name])
    if csynth is None:
        tops = ", ".join(sorted({report.top for report in reports.csynth})[:5])
        return f"reports of {tops}, of no project" if tops else "no report of C synthesis"
    design = by_name[csynth.top]
    if run.sha256 not in ("", design.project.digest):
        return f"project {design.graph.name} is not as it was when it was synthesized"
    if not csynth.tool.startswith(design.target.backend.lower()):
        return f"a report of {csynth.tool}; the project is for {design.target.backend} HLS"
    target = _target(design.target, csynth)
    fifos = None if design.streams is None else design.streams.fifos
    found = compare_reports(design, reports, estimate(design.graph, target, fifos=fifos))
    return Measured(
        design=design,
        reports=run.reports,
        tool=csynth.tool,
        family=family_of(target.part),
        comparison=replace(found, notes=()),
    )


def _target(target: Target, report: CSynth) -> Target:
    """Return what a report was made for, without any factor."""
    clock = report.clock_period_ns or target.clock_period_ns
    return replace(
        target, correction=None, tool=report.tool, clock_period_ns=clock,
        part=report.part or target.part,
    )  # fmt: skip


def _fitted(measured: Sequence[Measured]) -> dict[Key, dict[str, Fitted]]:
    points: defaultdict[Key, defaultdict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for each in measured:
        for figure, point in each.points:
            points[each.tool, each.family][figure].append(point)
    return {key: fit_all(figures) for key, figures in sorted(points.items())}


def write_profile(found: Calibration, path: Path) -> Profile:
    """Write what was learnt; entries of a profile there for other tools are kept.

    Raises:
        CompileError: HW596, the file is no profile; HW552, it cannot be written.
    """
    before = load_profile(path) if path.exists() else None
    profile = found.profile(before)
    write_file(path, profile.to_toml().encode(), parents=True)
    return profile


def _nothing(left_out: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        code="HW595",
        title="nothing to learn from",
        found="; ".join(left_out[:5]) or "no folder",
        supported="reports in a project, in a folder that `hwflow synth` made, or of a --project",
        help="name the project that was synthesized: --project FOLDER",
    )
