"""Writes the results of a stream to .npz or .npy as they come, whole or not at all."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

import numpy as np

from hwflow.core.data import Array
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import unwritable

COPIED_BYTES = 16 << 20
"""Bytes copied at once."""


class Results(Protocol):
    """A file that takes batches of results."""

    def write(self, outputs: Mapping[str, Array]) -> None:
        """Add a batch of each output, in order."""


class NpyFile:
    """An array that grows; how long it became is written into its header in the end."""

    def __init__(self, file: IO[bytes]) -> None:
        """Take an empty file."""
        self.file = file
        self._shape: tuple[int, ...] = ()
        self._rows = 0

    def write(self, rows: Array) -> None:
        """Add rows in float64."""
        if not self._rows:
            self._shape = rows.shape[1:]
            self.file.write(header_of(0, self._shape))
        self._rows += len(rows)
        self.file.write(_bytes_of(rows))

    def finish(self) -> None:
        """Say how many rows there are, and go back to the start."""
        self.file.seek(0)
        self.file.write(header_of(self._rows, self._shape))
        self.file.seek(0)


def header_of(rows: int, shape: tuple[int, ...]) -> bytes:
    """Return the header of a .npy file of float64, which is as long for any number of rows.

    numpy leaves room for the first axis to grow (``numpy.lib.format.write_array_header_1_0``).
    """
    file = io.BytesIO()
    description = {"descr": "<f8", "fortran_order": False, "shape": (rows, *shape)}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue()


def _bytes_of(rows: Array) -> memoryview:
    return np.ascontiguousarray(rows, "<f8").reshape(-1).view(np.uint8).data


class _Npy:
    """One output in a .npy file."""

    def __init__(self, staged: Path, stack: ExitStack) -> None:
        self._file = NpyFile(stack.enter_context(staged.open("wb")))

    def write(self, outputs: Mapping[str, Array]) -> None:
        (rows,) = outputs.values()
        self._file.write(rows)

    def close(self) -> None:
        self._file.finish()


class _Npz:
    """Every output in a .npz file: the first in its place at once, the others by way of a spool.

    Where the number of samples is not known, its place comes after its length, and it is spooled.
    """

    def __init__(self, staged: Path, samples: int | None, stack: ExitStack) -> None:
        self._archive = stack.enter_context(zipfile.ZipFile(staged, "w"))
        self._folder, self._samples, self._stack = staged.parent, samples, stack
        self._spools: dict[str, NpyFile] = {}
        self._direct: tuple[str, IO[bytes]] | None = None

    def write(self, outputs: Mapping[str, Array]) -> None:
        for name, rows in outputs.items():
            if self._samples is not None and self._direct is None:
                file = self._stack.enter_context(self._member(name))
                file.write(header_of(self._samples, rows.shape[1:]))
                self._direct = (name, file)
            if self._direct is not None and self._direct[0] == name:
                self._direct[1].write(_bytes_of(rows))
                continue
            if name not in self._spools:
                spool = TemporaryFile(dir=self._folder)  # noqa: SIM115 - the stack closes it
                self._spools[name] = NpyFile(self._stack.enter_context(spool))
            self._spools[name].write(rows)

    def _member(self, name: str) -> IO[bytes]:
        return self._archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)

    def close(self) -> None:
        if self._direct is not None:
            self._direct[1].close()
        for name, spool in self._spools.items():
            spool.finish()
            with self._member(name) as member:
                shutil.copyfileobj(spool.file, member, COPIED_BYTES)
            spool.file.close()
        self._archive.close()


@contextmanager
def results(path: Path, outputs: int, samples: int | None) -> Iterator[Results]:
    """Yield what takes results; the file is there when all were taken, and nothing before.

    Args:
        path: ends in .npz, or .npy for one output.
        outputs: how many there are.
        samples: number of samples in all; None where that is not known.

    Raises:
        CompileError: HW552, the file cannot be written; HW568, it has another suffix.
    """
    if path.suffix != ".npz" and (path.suffix != ".npy" or outputs != 1):
        raise CompileError([_no_form(path, outputs)])
    staged = path.with_name(f".{path.name}.part")
    try:
        with ExitStack() as stack:
            file: _Npy | _Npz
            if path.suffix == ".npy":
                file = _Npy(staged, stack)
            else:
                file = _Npz(staged, samples, stack)
            yield file
            file.close()
        staged.replace(path)
    except OSError as error:
        raise CompileError([unwritable(path, error)]) from error
    finally:
        if staged.parent.is_dir():
            staged.unlink(missing_ok=True)


def _no_form(path: Path, outputs: int) -> Diagnostic:
    return Diagnostic(
        code="HW568",
        title="results cannot be saved in that form",
        where=str(path),
        found=f"{path.suffix or 'no suffix'}, and {outputs} array{'s' * (outputs != 1)}",
        supported=".npz, or .npy for one array",
        help="end the name of the file in .npz",
    )
