"""A report of a written project with what vendor tools said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow.codegen.project import Project, check_folder
from hwflow.project.contents import MEASURED, report_files
from hwflow.project.design import Design
from hwflow.project.stored import open_project
from hwflow.project.synthesis.held_against import compare_tree
from hwflow.project.verifier import Progress
from hwflow.synthesis.comparison import Comparison


@dataclass(frozen=True, kw_only=True, eq=False)
class Reported:
    """A report that was written.

    Attributes:
        design: the design in the project.
        folder: where the report lies.
        comparison: what tools reported, held against the estimate.
    """

    design: Design
    folder: Path
    comparison: Comparison


def report_project(
    path: Path,
    synth: Path,
    *,
    data: Any = None,
    out: Path | None = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    progress: Progress = lambda stage, done: None,
) -> Reported:
    """Write a report of a project that has synthesized figures beside the estimated ones.

    Args:
        path: folder that ``Design.write`` wrote.
        synth: tree with reports of vendor tools.
        data: see ``Design.verify``; None for a report without data.
        out: folder for the report; None for one beside the project.
        plugins: see ``open_project``.
        trust: see ``open_project``.
        progress: called as stages go on.

    Raises:
        CompileError: what ``open_project`` and ``compare_tree`` find; HW551, the folder is used.
        ToolError: with data, what ``Design.verify`` finds.
    """
    folder = out or path.with_name(f"{path.resolve().name}-report")
    check_folder(folder)
    progress("compile", 0.0)
    project = open_project(path, plugins, trust=trust)
    project.refuse_plugins()
    progress("compile", 1.0)
    found = compare_tree(project.design, synth)
    verification = None
    if data is not None:
        with project.explained():
            verification = project.judged.verify(data, cpp=project.runs, progress=progress)
    files = report_files(project.judged.report(verification, found))
    Project(project.design.graph.name, files, MEASURED).write(folder)
    return Reported(design=project.design, folder=folder, comparison=found)
