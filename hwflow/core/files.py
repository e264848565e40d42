"""Reads and writes single files, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from hwflow.core.errors import CompileError, Diagnostic


def read_limited(path: Path, most: int) -> bytes:
    """Return the content of a small file, whatever size the system gives for it.

    Args:
        path: path of the file; a device or a pipe is read like a file.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read.
        ValueError: it has more bytes; or no file can have such a name.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most:,} bytes")
    return content


def write_file(path: Path, content: bytes, *, parents: bool = False) -> Path:
    """Put a file in its place at once.

    Args:
        path: path of the file.
        content: what the file will hold.
        parents: make the folders above it, too.

    Raises:
        CompileError: HW552, the file cannot be written.
    """
    staged = path.with_name(f".{path.name}.part")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(content)
        staged.replace(path)
    except OSError as error:
        if staged.parent.is_dir():
            staged.unlink(missing_ok=True)
        raise CompileError([unwritable(path, error)]) from error
    return path


def write_summary(path: Path, text: str) -> Path:
    """Write the summary of a CI job; GitHub's is shared by all steps of a job and appended to.

    Raises:
        CompileError: HW552, the file cannot be written.
    """
    shared = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if not shared or path.resolve() != Path(shared).resolve():
        return write_file(path, text.encode(), parents=True)
    try:
        with path.open("ab") as file:
            file.write(text.encode())
    except OSError as error:
        raise CompileError([unwritable(path, error)]) from error
    return path


def unwritable(path: Path, error: OSError) -> Diagnostic:
    """Return the finding about a file that cannot be written."""
    return Diagnostic(
        code="HW552",
        title="cannot write the output",
        where=str(path),
        found=error.strerror or str(error),
        help="choose a path that you may write to, with enough free space; nothing was left",
    )
