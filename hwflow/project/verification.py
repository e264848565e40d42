"""Verifies a model or a written project against limits: what ``hwflow verify`` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hwflow
from hwflow.core.errors import CompileError, Diagnostic, HwflowError
from hwflow.core.files import write_file, write_summary
from hwflow.ir.qonnx.model import printable
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.project.stored import StoredProject, is_project, open_project, refuse_options
from hwflow.project.verifier import Progress
from hwflow.report.gate import errors_markdown, gate_markdown
from hwflow.simulate.coverage.words import coverage_text
from hwflow.verify.checks import Check, files_check, outcome
from hwflow.verify.gate import Gate
from hwflow.verify.junit import errors_junit, to_junit
from hwflow.verify.verification import Verification


@dataclass(frozen=True, eq=False)
class CheckedDesign:
    """A design with what was found out about it.

    Attributes:
        design: the model, compiled; or the project, as it lies in its folder.
        verification: what was found out with data.
        checks: every statement that was checked.
    """

    design: Design
    verification: Verification
    checks: tuple[Check, ...]

    def __repr__(self) -> str:
        """Return the checks in a line each."""
        lines = [f"CheckedDesign {self.design.graph.name}: {outcome(self.checks)}"]
        lines += [f"  {check}" for check in self.checks]
        return "\n".join(lines)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> int:
        """How many checks did not pass."""
        return sum(not check.passed for check in self.checks)


def verify_path(
    path: Path,
    data: Any = None,
    *,
    limits: Mapping[str, str | bool | None] | None = None,
    float_model: Any = None,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    reproducer: Path | None = None,
    progress: Progress = lambda stage, done: None,
    **options: Any,
) -> CheckedDesign:
    """Verify a model, or the C++ that lies in a project's folder with the model beside it.

    Of a project only what hwflow generates is compiled and run, unless it is trusted. Where more
    lies there, the check ``files`` fails and names it, and so does ``faithful``.

    Args:
        path: a model file, or a folder that ``Design.write`` wrote.
        data: see ``Design.verify``.
        limits: limits by the names in ``[verify]``; they override the settings.
        float_model: see ``Design.verify``.
        plugins: see ``compile``.
        trust: see ``compile`` and ``open_project``.
        reproducer: where to save the first differing sample.
        progress: called as stages go on.
        options: options of ``compile``; a project has its own.

    Raises:
        CompileError: what ``compile``, ``open_project`` and ``Design.verify`` find; HW408, a limit
            cannot be evaluated; HW556, options are given for a project.
        ToolError: g++ is missing, or the C++ does not compile or crashes.
    """
    trial = Trial(data, float_model, limits or {}, reproducer, progress)
    if is_project(path):
        refuse_options(path, options, "limits, --data, --float-model, --plugin and --trust")
        return _verify_project(open_project(path, plugins, trust=trust), trial)
    design = compile_model(path, plugins=plugins, trust=trust, data=data, **options)
    return _verify_model(design, trial)


@dataclass(frozen=True, eq=False)
class Trial:
    """What a design is tried with and held against.

    Attributes:
        data: see ``Design.verify``.
        float_model: see ``Design.verify``.
        limits: limits by the names in ``[verify]``; they override the settings.
        reproducer: where to save the first differing sample, or None.
        progress: called as stages go on.
    """

    data: Any
    float_model: Any
    limits: Mapping[str, str | bool | None]
    reproducer: Path | None
    progress: Progress

    def run(self, design: Design, *, cpp: bool = True) -> Verification:
        """Return what is found out with the data."""
        return design.verify(
            self.data,
            cpp=cpp,
            reproducer=self.reproducer,
            float_model=self.float_model,
            progress=self.progress,
        )

    def checks(self, design: Design, verification: Verification) -> tuple[Check, ...]:
        """Return what was found out, held against the limits."""
        wanted = design.config.verify.updated(**self.limits)
        return Gate(wanted, verification, design.estimate()).checks()


def _verify_model(design: Design, trial: Trial) -> CheckedDesign:
    """Verify a model with the C++ that it compiles to."""
    verification = trial.run(design)
    return CheckedDesign(design, verification, trial.checks(design, verification))


def _verify_project(project: StoredProject, trial: Trial) -> CheckedDesign:
    """Verify a project; its C++ only where that may be run."""
    design, runs = project.judged, project.runs
    with project.explained():
        if runs:
            trial.progress("compile C++", 0.0)
            _ = design.csim
        verification = trial.run(design, cpp=runs)
    checks = trial.checks(design, verification)
    if not runs:
        checks = tuple(map(_explained, checks))
    return CheckedDesign(
        design, verification, (files_check(project.files, project.changed), *checks)
    )


def _explained(check: Check) -> Check:
    """Return a check; of C++ that was not run it says why."""
    if check.name != "faithful":
        return check
    return replace(
        check, detail="files of the project are not what hwflow generates; --trust runs them"
    )


def write_outcome(
    found: CheckedDesign, *, junit: Path | None = None, summary: Path | None = None
) -> None:
    """Write the checks for CI, each file whole or not at all.

    Args:
        found: what was found out.
        junit: where to write JUnit XML.
        summary: where to write Markdown.

    Raises:
        CompileError: HW552, a file cannot be written.
    """
    design, verification = found.design, found.verification
    name, target = design.graph.name, design.target
    subject = f"{design.source} on {design.board.name}, {target.backend}, {target.io_type}"
    if junit is not None:
        properties = {"design": subject, "data": verification.data, "hwflow": hwflow.__version__}
        if verification.lossless is not None and verification.lossless.verdict is not None:
            properties["verdict"] = str(verification.lossless.verdict)
        if verification.coverage is not None:
            properties["coverage"] = coverage_text(verification.coverage)
        properties["saturated"] = str(verification.saturation)
        seconds = sum(design.seconds.values())
        text = to_junit(name, found.checks, seconds, properties)
        write_file(junit, text.encode(), parents=True)
    if summary is not None:
        write_summary(summary, gate_markdown(name, subject, found.checks, verification))


@contextmanager
def errors_written(path: Path, *, junit: Path | None, summary: Path | None) -> Iterator[None]:
    """Write what goes wrong inside for CI, too, in the place of the checks.

    Args:
        path: path of the model or the project.
        junit: where to write JUnit XML.
        summary: where to write Markdown.

    Raises:
        HwflowError: what was raised inside; with HW552, where a file cannot be written.
    """
    try:
        yield
    except HwflowError as error:
        name = printable(path.name or str(path))
        properties = {"design": printable(str(path)), "hwflow": hwflow.__version__}
        findings, written = list(error.diagnostics), []
        for file, write in ((summary, _errors_summary), (junit, _errors_junit)):
            if file is None:
                continue
            try:
                write(file, name, findings, properties)
                written.append(str(file))
            except CompileError as other:
                findings += [finding for finding in other.diagnostics if finding not in findings]
        if len(findings) > len(error.diagnostics):
            error = CompileError(findings)
        error.written = tuple(written)
        raise error from None


def _errors_summary(
    file: Path, name: str, findings: Sequence[Diagnostic], properties: Mapping[str, str]
) -> None:
    write_summary(file, errors_markdown(name, findings))


def _errors_junit(
    file: Path, name: str, findings: Sequence[Diagnostic], properties: Mapping[str, str]
) -> None:
    write_file(file, errors_junit(name, findings, properties).encode(), parents=True)
