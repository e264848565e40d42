"""Opens a project that is to be packaged, which must be as hwflow writes it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import hwflow
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.op import Op
from hwflow.project.source import MODEL_FILE, SETTINGS_FILE
from hwflow.project.stored import StoredProject, open_project


def open_untouched(
    folder: Path, plugins: Sequence[str | Path | ModuleType | type[Op]]
) -> StoredProject:
    """Return a project whose files are as hwflow writes them.

    Raises:
        CompileError: HW574, files were changed, or are those of another version of hwflow; and what
            opening a project finds.
    """
    stored = open_project(folder, plugins)
    stored.refuse_plugins()
    if stored.changed:
        changed = stored.recorded
        raise CompileError(_edited(stored) if changed else [_other_version(stored)])
    return stored


def _edited(stored: StoredProject) -> list[Diagnostic]:
    return [
        Diagnostic(
            code="HW574",
            title="the project is not as hwflow wrote it, and is not packaged",
            where=str(stored.folder),
            found=line,
            help="undo the change, or build the project again",
        )
        for line in stored.changed
    ]


def _other_version(stored: StoredProject) -> Diagnostic:
    """Return the finding about a project whose files agree with their recorded digests."""
    folder = stored.folder
    paths = (str(folder / MODEL_FILE), "-c", str(folder / SETTINGS_FILE), "-o", str(folder))
    return Diagnostic(
        code="HW574",
        title="the project is not what this hwflow generates, and is not packaged",
        where=str(folder),
        found=f"every file has its recorded digest, but hwflow {hwflow.__version__} here generates "
        f"others: {stored.changed[0]}; another state of hwflow wrote the project",
        help=f"hwflow build {shlex.join(paths)}, with the --data of the first time",
    )
