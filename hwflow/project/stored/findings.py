"""What is wrong with a project in a folder, said so that its owner can act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hwflow.core.errors import CompileError, Diagnostic, ToolError
from hwflow.ir.qonnx.model import printable
from hwflow.project.source import SETTINGS_FILE
from hwflow.project.stored.reading import UnreadableError, regular_size

_OR_TRUST = ", name the plugin with --plugin, or trust the project with --trust"


def refuse_options(path: Path, options: Mapping[str, object], supported: str) -> None:
    """Refuse what a project has settled.

    Args:
        path: path of the project.
        options: options of ``compile``, by name.
        supported: the options that can be given.

    Raises:
        CompileError: HW556, for each option that is given.
    """
    given = [name for name, value in options.items() if value not in (None, False)]
    if given:
        raise CompileError(
            Diagnostic(
                code="HW556",
                title="a project has its own settings",
                where=str(path),
                found=f"--{name.replace('_', '-')}",
                supported=supported,
                help="leave it out, or give the model with it instead of the project",
            )
            for name in given
        )


def absent(folder: Path, paths: Sequence[str]) -> Iterator[Diagnostic]:
    """Yield which files of a project a folder lacks: HW554."""
    for path in paths:
        try:
            regular_size(folder, path)
        except UnreadableError as error:
            gone = str(error) == "gone"
            yield not_whole(
                folder, f"no {printable(path)}" if gone else f"{printable(path)}: {error}"
            )


def not_whole(folder: Path, found: str) -> Diagnostic:
    """Return HW554, about a folder that is not a whole project."""
    return Diagnostic(
        code="HW554",
        title="not a whole project",
        where=str(folder),
        found=found,
        help="give the folder that `hwflow build` wrote, or build it again",
    )


def not_ours(where: str, found: str) -> Diagnostic:
    """Return HW555, about C++ that was not made from the model beside it."""
    return Diagnostic(
        code="HW555",
        title="the C++ in the project is not that of its model",
        where=where,
        found=found,
        help="undo the change, or build the project again",
    )


def unasked(folder: Path, plugins: Sequence[str]) -> Diagnostic:
    """Return HW557, about settings of a project that name plugins."""
    return _leads_out(folder, f"[plugins] paths = {printable(', '.join(plugins))}", _OR_TRUST)


def other_file(folder: Path, setting: str, path: str) -> Diagnostic:
    """Return HW557, about settings of a project that name a profile elsewhere."""
    return _leads_out(folder, f"{setting} = {printable(path)!r}", "")


def tool_said(error: ToolError) -> str:
    """Return what a tool said."""
    return "\n".join(part for part in (printable(error.message), error.log) if part)


def _leads_out(folder: Path, found: str, otherwise: str) -> Diagnostic:
    return Diagnostic(
        code="HW557",
        title="the settings of a project name files that hwflow did not write",
        where=f"{folder}/{SETTINGS_FILE}",
        found=found,
        help=f"build the project again{otherwise}",
    )
