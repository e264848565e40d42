"""A generated project: relative path to content, in memory until it is written whole."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from hwflow.core.errors import CompileError, Diagnostic

MARKER = ".hwflow-project"
"""File that marks a folder as written by hwflow, so that it may be replaced.

Its first line is the digest of the whole, the others are digests and paths of all files but those
that hold times.
"""

MAX_BYTES = 2**32
"""Largest file whose digest is taken; ONNX's format ends at half of it."""


@dataclass(frozen=True, eq=False)
class Project:
    """The files of one generated project.

    Attributes:
        name: name of the top function.
        files: content by relative POSIX path.
        measured: paths of files that hold times, in which equal projects differ: they are
            written, but are not part of digests.
    """

    name: str
    files: Mapping[str, bytes]
    measured: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Return the number and size of the files."""
        size = sum(map(len, self.files.values()))
        return f"Project {self.name}: {len(self.files)} files, {size:,} bytes"

    def __post_init__(self) -> None:
        """Refuse paths that could leave the project's folder."""
        for path in self.files:
            pure = PurePosixPath(path)
            if pure.is_absolute() or ".." in pure.parts:
                raise ValueError(f"{path!r} leaves the project folder")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every path and content, in sorted order."""
        total = hashlib.sha256()
        for path, content in self._lasting():
            total.update(f"{path}\0{len(content)}\0".encode())
            total.update(content)
        return total.hexdigest()

    def _lasting(self) -> list[tuple[str, bytes]]:
        """Return paths and contents in sorted order, without what is measured."""
        return [(p, content) for p, content in sorted(self.files.items()) if p not in self.measured]

    def text(self, path: str) -> str:
        """Return a file's content as text."""
        return self.files[path].decode()

    def write(self, folder: Path) -> Path:
        """Write all files to ``folder`` at once: it holds the whole project or is left as it was.

        Raises:
            CompileError: the folder holds something that hwflow did not write, or the file
                system refuses (read-only, full).
        """
        check_folder(folder)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            try:
                self._write_files(staging)
                _swap(staging, folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            raise CompileError([_os_failure(folder, error)]) from error
        return folder

    def _record(self) -> str:
        """Return the marker's content, its lines but the first in the form of ``sha256sum``."""
        lines = [
            f"{hashlib.sha256(content).hexdigest()}  {path}" for path, content in self._lasting()
        ]
        return "\n".join([self.digest, *lines, ""])

    def _write_files(self, staging: Path) -> None:
        for path, content in self.files.items():
            target = staging / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if path.endswith(".sh"):
                target.chmod(0o755)
        (staging / MARKER).write_text(self._record(), "utf-8")
        staging.chmod(0o755)


def recorded_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that was written to a project's folder, by path."""
    text = (folder / MARKER).read_text("utf-8", "replace")
    lines = [line.partition("  ") for line in text.splitlines()[1:]]
    return {path: digest for digest, _, path in lines if path}


def record_is_whole(folder: Path, paths: Iterable[str]) -> bool:
    """Return whether the record of a project names all files that were written.

    Args:
        folder: folder of the project.
        paths: paths on record; each file is as its recorded digest says.
    """
    text = (folder / MARKER).read_text("utf-8", "replace")
    files = {path: (folder / path).read_bytes() for path in paths}
    return text.partition("\n")[0] == Project("", files).digest


def file_digest(folder: Path, path: str) -> str:
    """Return the SHA-256 of a file of a project, or nothing where none can be read in the folder.

    Args:
        folder: folder of the project.
        path: the path on record; it may come from anybody.
    """
    pure = PurePosixPath(path)
    file = folder / pure
    if pure.is_absolute() or ".." in pure.parts:
        return ""
    try:
        if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
            return ""
        if file.stat().st_size > MAX_BYTES:
            return ""
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:  # a name that no file system has, or no right to read it
        return ""


def check_folder(folder: Path) -> None:
    """Make sure that a folder is new, empty, or written by hwflow before.

    Raises:
        CompileError: it is not, or it cannot be looked into.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise CompileError([_not_ours(folder, "a file of that name exists")])
        if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
            raise CompileError([_not_ours(folder, "the folder holds files not written by hwflow")])
    except OSError as error:
        raise CompileError([_os_failure(folder, error)]) from error


def _swap(staging: Path, folder: Path) -> None:
    """Put ``staging`` in the place of ``folder``, by renames."""
    if not folder.exists():
        staging.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / "project")
    try:
        staging.rename(folder)
    except OSError:
        (old / "project").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _not_ours(folder: Path, why: str) -> Diagnostic:
    return Diagnostic(
        code="HW551",
        title="output folder cannot be used",
        where=str(folder),
        found=why,
        help="choose another folder with -o, or empty this one",
    )


def _os_failure(folder: Path, error: OSError) -> Diagnostic:
    return Diagnostic(
        code="HW552",
        title="cannot write the output",
        where=str(folder),
        found=error.strerror or str(error),
        help="choose a folder that you may write to, with enough free space; nothing was left",
    )
