"""Where an artefact comes from: written into models, and followed from file to file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow import __version__, frontends
from hwflow.compression.folder import MODEL, REQUEST
from hwflow.core.digests import digest, file_digest
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import read_limited
from hwflow.frontends.ensemble import save_model
from hwflow.ir.qonnx.lineage import Lineage, lineage_of, mark
from hwflow.ir.qonnx.model import QonnxModel, printable
from hwflow.project.source import MODEL_FILE

DEEPEST = 32
"""Generations that are followed; digests form no circles, files that lie may."""

MAX_REQUEST = 2**20
"""Longest request that is read for the places of parents."""

MOST_FILES = 10_000
"""Files of a folder that are looked through for parents."""


def lineage_for(
    method: str, files: Mapping[str, str], asked: Mapping[str, Any], digests: Mapping[str, str]
) -> Lineage:  # fmt: skip
    """Return where something comes from that is being made.

    Args:
        method: what makes it.
        files: its parents by their part (``model``, ``data``, ...) as users name them.
        asked: what the method is asked for, as plain data without paths.
        digests: SHA-256 of the parents by these names.
    """
    parents = {part: digests[name] for part, name in files.items()}
    text = json.dumps(asked, sort_keys=True)
    return Lineage(method=method, parents=parents, request=digest(text), version=__version__)


def save_with(model: QonnxModel, path: Path, lineage: Lineage) -> Path:
    """Write a model that says where it comes from.

    Raises:
        CompileError: HW003, it is too large for a file; HW552, the file cannot be written.
    """
    mark(model, lineage)
    return save_model(model, path)


@dataclass(frozen=True, kw_only=True)
class Link:
    """A file in a chain.

    Attributes:
        part: what it was for the file above it: ``model``, ``data``, ``teacher``.
        sha256: digest of the file.
        name: its name without folders; empty where it was not found.
        lineage: what it says of itself; None where it says nothing or was not found.
        depth: files above it.
    """

    part: str
    sha256: str
    name: str
    lineage: Lineage | None
    depth: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        own = self.lineage
        return {
            "part": self.part, "sha256": self.sha256, "file": self.name, "depth": self.depth,
            "method": own and own.method, "version": own and own.version,
            "request": own and own.request, "parents": dict(own.parents) if own else {},
        }  # fmt: skip


def chain(path: Path, folders: Sequence[Path] = ()) -> list[Link]:
    """Return a file and all that it was made from, as far as their files are found.

    A parent is looked for where the request in the folder of the run says it was, and in folders.
    It is taken for one only if its digest is right.

    Args:
        path: a model, the folder of a run, or the folder of a project.
        folders: where parents may lie.

    Raises:
        CompileError: HW375, there is no such model; or the model cannot be read.
    """
    file = _model_in(path)
    places = {found: other for folder in folders for found, other in _digests(folder)}
    return list(_links("result", file_digest(str(file)), file, (places, 0)))


def _model_in(path: Path) -> Path:
    if not path.is_dir():
        if path.is_file():
            return path
    else:
        for name in (MODEL, MODEL_FILE):
            if (path / name).is_file():
                return path / name
    finding = Diagnostic(
        code="HW375", title="no model whose lineage could be shown", where=str(path),
        found="a folder without one" if path.is_dir() else "no such file",
        supported="an ONNX file, the folder of a run, the folder of a project",
        help="name the file that a method of hwflow compress wrote, such as runs/qat/model.onnx",
    )  # fmt: skip
    raise CompileError([finding])


def _links(
    part: str, sha256: str, file: Path | None, known: tuple[Mapping[str, Path], int]
) -> Iterator[Link]:
    places, depth = known
    lineage = None
    if file is not None and file.suffix.lower() == ".onnx":
        lineage = lineage_of(frontends.load(file))
    name = "" if file is None else printable(file.name)
    yield Link(part=part, sha256=sha256, name=name, lineage=lineage, depth=depth)
    if lineage is None or depth >= DEEPEST:
        return
    nearer = {**places, **dict(_asked_for(file))}
    for role, digest_of_parent in lineage.parents.items():
        parent = nearer.get(digest_of_parent)
        yield from _links(role, digest_of_parent, parent, (nearer, depth + 1))


def _asked_for(file: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield digests and paths of the files that a run was asked to use, if they are still so."""
    try:
        text = read_limited((file or Path()).with_name(REQUEST), MAX_REQUEST)
        digests = json.loads(text)["digests"]
        places = [Path(name) for name in digests]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for place in places:
        if place.is_file():
            yield _sha256(place), place


def _digests(folder: Path) -> Iterator[tuple[str, Path]]:
    for count, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        if count >= MOST_FILES:
            return
        yield _sha256(path), path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
