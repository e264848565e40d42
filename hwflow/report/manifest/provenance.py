"""Digests of the files that a design is read from, taken when they are read."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow.custom.plugins import operator_file
from hwflow.ir.op import Op


@dataclass(frozen=True)
class OperatorFile:
    """Where an operator beside hwflow's own comes from.

    Attributes:
        operator: name of its class.
        file: name of the file that defines it, without folders.
        sha256: digest of that file, or of all Python files of its package; empty where it has none.
    """

    operator: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """What a design is read from.

    Attributes:
        model: SHA-256 of the model's file, or of all files of its folder; empty for a model in
            memory.
        operators: operators of plugins that were loaded.
    """

    model: str = ""
    operators: tuple[OperatorFile, ...] = ()


def provenance(
    source: Any, weights: str | Path | None, operators: Iterable[type[Op]]
) -> Provenance:
    """Return the digests of what was just read.

    Args:
        source: the model, as ``frontends.load`` takes it.
        weights: a second file that the model was read from, or None.
        operators: operators that plugins brought.
    """
    found = ""
    if isinstance(source, (str, Path)):
        files = _files(Path(source)) | ({"weights": Path(weights)} if weights else {})
        found = _digest(files)
    return Provenance(found, tuple(_operator(cls) for cls in operators))


def _operator(cls: type[Op]) -> OperatorFile:
    file = Path(operator_file(cls))
    package = sys.modules.get(cls.__module__.partition(".")[0])
    folders = list(getattr(package, "__path__", ()))
    files: dict[str, Path] = {}
    if folders:
        root = Path(folders[0])
        files = {name: path for name, path in _files(root).items() if path.suffix == ".py"}
    elif file.is_file():
        files = _files(file)
    return OperatorFile(cls.__name__, file.name, _digest(files) if files else "")


def _files(path: Path) -> dict[str, Path]:
    """Return a file under no name, or the files of a folder by their names in it."""
    if not path.is_dir():
        return {"": path}
    return {p.relative_to(path).as_posix(): p for p in path.rglob("*") if p.is_file()}


def _digest(files: Mapping[str, Path]) -> str:
    """Return the digest of a lone file's content, or of names and contents of several."""
    found = {}
    for name, path in files.items():
        with path.open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    if [*found] == [""]:
        return found[""]
    lines = [f"{content}  {name}\n" for name, content in sorted(found.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
