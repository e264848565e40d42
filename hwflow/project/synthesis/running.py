"""Synthesizes a written project with the vendor's tool, and reads what it reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hwflow.codegen.project import Project, check_folder
from hwflow.core.errors import CompileError, Diagnostic, ToolError
from hwflow.core.toolchain import Limits, run_program
from hwflow.project.design import Design
from hwflow.project.stored import StoredProject, open_project
from hwflow.project.synthesis.held_against import compare_tree
from hwflow.project.synthesis.runs import RECORD, record_of
from hwflow.project.synthesis.vendors import SCRIPT, VENDORS, Vendor, files_to_run
from hwflow.project.verifier import Progress
from hwflow.synthesis.comparison import Comparison
from hwflow.synthesis.trees import read_tree

LOG = "synth.log"
"""Name of the file that gets what the tool prints."""

TIMEOUT_S = 4 * 3600.0
"""Seconds that a tool may take unless the user says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a project is synthesized.

    Attributes:
        tool: ``"vitis"`` or ``"vivado"``; empty for the one that the project is for.
        timeout_s: seconds that the tool may take.
        out: new folder for the run; None for one beside the project.
        logic: synthesize the Verilog with Vivado as well.
    """

    tool: str = ""
    timeout_s: float = TIMEOUT_S
    out: Path | None = None
    logic: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Synthesized:
    """A project that was synthesized.

    Attributes:
        design: the design in it.
        folder: where the tool ran.
        comparison: what it reported, held against the estimate.
    """

    design: Design
    folder: Path
    comparison: Comparison

    @property
    def log(self) -> Path:
        """The file with what the tool printed."""
        return self.folder / LOG


def synthesize(
    path: Path,
    request: Request,
    *,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    progress: Progress = lambda stage, done: None,
) -> Synthesized:
    """Run the vendor's tool on a written project.

    It runs on a copy of what hwflow generates from the model in the project, or of the files in
    its folder where those are trusted: the scripts of a project are programs.

    Args:
        path: folder that ``Design.write`` wrote.
        request: how it is synthesized.
        plugins: see ``open_project``.
        trust: see ``open_project``.
        progress: called as stages go on.

    Raises:
        CompileError: what ``open_project`` finds; HW593, the project is for another tool; HW594,
            the folder holds the results of another run; HW590, the tool left no report.
        ToolError: HW610, the tool is not there, and the script that would run it was written;
            HW603, HW604, it took too long or failed.
    """
    progress("compile", 0.0)
    project = open_project(path, plugins, trust=trust)
    project.refuse_plugins()
    vendor = _vendor(project, request.tool)
    folder = request.out or path.with_name(f"{path.resolve().name}-{vendor.name}")
    _check_free(folder)
    design = project.design
    name = design.graph.name
    files = files_to_run(name, _files(design), vendor, logic=request.logic)
    Project(name, files | {RECORD: record_of(path, folder, design)}).write(folder)
    progress("compile", 1.0)
    lacking = vendor.missing()
    if lacking:
        raise _nothing_found(vendor, lacking, folder)
    stage = f"synthesize with {vendor.name}"
    progress(stage, 0.0)
    _run(vendor, folder.resolve(), request.timeout_s)
    progress(stage, 1.0)
    found = compare_tree(design, folder)
    return Synthesized(design=design, folder=folder, comparison=_with_edits(found, project))


def _files(design: Design) -> dict[str, bytes]:
    """Return the project; of a trusted one the C++ as it lies in its folder."""
    generated = replace(design, stored=None, stored_golden=None).project
    return {**generated.files, **design.project.files}


def _vendor(project: StoredProject, tool: str) -> Vendor:
    backend = project.design.target.backend
    fitting = next(vendor for vendor in VENDORS.values() if vendor.backend == backend)
    if tool in ("", fitting.name):
        return fitting
    raise CompileError(
        [
            Diagnostic(
                code="HW593",
                title="the project is for another tool",
                where=str(project.folder),
                found=f"--tool {tool[:40]}; the project is for {backend} HLS",
                supported=", ".join(VENDORS),
                help=f"leave out --tool, or build the project with --backend {_backend(tool)}",
            )
        ]
    )


def _backend(tool: str) -> str:
    return VENDORS[tool].backend if tool in VENDORS else "Vitis or Vivado"


def _check_free(folder: Path) -> None:
    """Make sure that no results of hours of work are replaced."""
    check_folder(folder)
    try:
        read_tree(folder)
    except CompileError:
        return
    raise CompileError(
        [
            Diagnostic(
                code="HW594",
                title="the folder holds the results of another run",
                where=str(folder),
                found="reports of a synthesis",
                help="choose another with -o; `hwflow report PROJECT --synth` reads this one",
            )
        ]
    )


def _run(vendor: Vendor, folder: Path, timeout_s: float) -> None:
    limits = Limits(
        timeout_s,
        too_slow=f"raise --timeout; {folder / LOG} says how far it came",
        log=folder / LOG,
    )
    what = f"synthesis with {vendor.name}"
    run_program(folder / SCRIPT, (), cwd=folder, limits=limits, what=what)


def _nothing_found(vendor: Vendor, lacking: str, folder: Path) -> ToolError:
    error = ToolError(
        vendor.tool.name,
        lacking,
        code="HW610",
        help=f"set {vendor.settings} to the installation's settings64.sh, or "
        f"{vendor.tool.variable} to the program; or run {folder / SCRIPT} where the tool is, then "
        f"`hwflow report PROJECT --synth {folder}`",
    )
    error.written = (str(folder / SCRIPT),)
    return error


def _with_edits(found: Comparison, project: StoredProject) -> Comparison:
    """Return a comparison that says so where files of the folder were not what was synthesized."""
    if project.trusted or not project.edits:
        return found
    note = "edited files of the project were not used, but what hwflow generates; --trust uses them"
    return replace(found, notes=(note, *found.notes))
