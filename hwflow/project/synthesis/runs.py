"""Folders in which a tool ran, and the projects that were synthesized there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hwflow.codegen.project import MARKER
from hwflow.core.files import read_limited
from hwflow.project.design import Design
from hwflow.project.source import MODEL_FILE
from hwflow.synthesis.trees import SKIPPED

RECORD = "synth.json"
"""Name of the file in the folder of a run that says what was synthesized."""

MAX_BYTES = 10_000
MAX_FOLDERS = 50_000
"""How long a record may be, and how many folders are looked into for runs."""


class Record(BaseModel):
    """What was synthesized in a folder.

    Attributes:
        form: name and version of the form.
        project: the project, relative to the folder.
        sha256: digest of the generated files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    form: Literal["hwflow-synthesis/1"]
    project: str
    sha256: str


@dataclass(frozen=True)
class Run:
    """A folder with reports.

    Attributes:
        reports: the folder.
        project: the project that was synthesized; None where nothing says so.
        sha256: digest that its generated files have; empty where nothing says so.
    """

    reports: Path
    project: Path | None
    sha256: str = ""


def record_of(project: Path, folder: Path, design: Design) -> bytes:
    """Return the content of a record.

    Args:
        project: folder of the project.
        folder: where the tool is to run.
        design: the design in the project.
    """
    way = os.path.relpath(project.resolve(), folder.resolve())
    content = Record(
        form="hwflow-synthesis/1", project=Path(way).as_posix(), sha256=design.project.digest
    )
    return (content.model_dump_json(indent=2) + "\n").encode()


def runs_in(folder: Path) -> tuple[Run, ...]:
    """Return the runs that a folder is, lies in, or holds; the folder alone where none is known."""
    above = next((p for p in (folder, *folder.resolve().parents) if _is_project(p)), None)
    if above is not None:
        return (Run(folder, above),)
    return tuple(_below(folder)) or (Run(folder, None),)


def _below(folder: Path) -> Iterator[Run]:
    for seen, (place, folders, names) in enumerate(os.walk(folder)):
        path = Path(place)
        if seen >= MAX_FOLDERS:
            return
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        run = _recorded(path) if RECORD in names else None
        if run is None and _is_project(path):
            run = Run(path, path)
        if run is not None:
            folders.clear()
            yield run


def _recorded(folder: Path) -> Run | None:
    """Return the run that a record in a folder is of; None where it is none that can be followed.

    The way to the project leads up and down by names; an absolute one is of another machine.
    """
    try:
        record = Record.model_validate_json(read_limited(folder / RECORD, MAX_BYTES))
    except (OSError, ValueError, ValidationError):
        return None
    way = PurePosixPath(record.project)
    if way.is_absolute() or "\0" in record.project:
        return Run(folder, None, record.sha256)
    project = folder.resolve() / way
    return Run(folder, project if _is_project(project) else None, record.sha256)


def _is_project(folder: Path) -> bool:
    return (folder / MARKER).is_file() and (folder / MODEL_FILE).is_file()
