"""Reads .npy arrays a few rows at a time, from a file or from a stream that cannot go back."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from hwflow.core.data import DAMAGED, MAX_BYTES, unreadable
from hwflow.core.errors import CompileError

Array = npt.NDArray[Any]

VERSIONS = {(1, 0): 2, (2, 0): 4}
"""Bytes that hold the length of the header, by version of the format (numpy.lib.format)."""

MAX_HEADER = 10_000
"""Longest header, as numpy's ``max_header_size``: it is parsed as a Python literal."""

MAX_BYTES_OF_ARRAY = 2**62
"""Most bytes an array can announce: numpy counts them in 64 bits."""


@dataclass(frozen=True)
class Header:
    """What an array says of itself.

    Attributes:
        shape: the whole shape.
        dtype: type of its elements; holds no Python objects.
        fortran: the first axis varies fastest, so that samples do not follow each other.
        length: bytes before the elements.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    length: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def bytes(self) -> int:
        """Bytes of the elements."""
        return prod(self.shape) * self.dtype.itemsize


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn what can go wrong with a file into a finding.

    Raises:
        CompileError: HW400.
    """
    try:
        yield
    except DAMAGED as error:
        text = str(error).split("\n")[0] or type(error).__name__
        raise CompileError([unreadable(where, text)]) from error


def read_header(file: IO[bytes], where: str, held: int) -> Header:
    """Read the header of an array.

    Args:
        file: a file at the start of the array.
        where: how findings call it.
        held: bytes that it has.

    Raises:
        CompileError: HW400, there is no array, or one that holds Python objects or does not fit.
    """
    with readable(where):
        version = np.lib.format.read_magic(file)
        if version not in VERSIONS:
            raise ValueError(f"version {version[0]}.{version[1]} of the .npy format")
        prefix = file.read(VERSIONS[version])
        size = int.from_bytes(prefix, "little")
        if size > MAX_HEADER:
            raise ValueError(f"a header of {size} bytes")
        text = io.BytesIO(prefix + file.read(size))
        numpy_format: Any = np.lib.format
        read = getattr(numpy_format, f"read_array_header_{version[0]}_0")
        shape, fortran, dtype = read(text, max_header_size=MAX_HEADER)
        length = len(np.lib.format.magic(*version)) + len(prefix) + size
        header = Header(shape, dtype, fortran and len(shape) > 1, length)
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded: they hold Python code")
        whole = all(type(n) is int and n >= 0 for n in shape)
        if not whole or _most_bytes(header) > MAX_BYTES_OF_ARRAY:
            raise ValueError(f"shape {shape}")
        if header.bytes + length > held:
            raise ValueError(
                f"{held - length:,} bytes, where shape {shape} of {dtype} takes {header.bytes:,}"
            )
    return header


def _most_bytes(header: Header) -> int:
    """Return the bytes as numpy counts them when it makes sure that they can be counted."""
    return prod(max(n, 1) for n in header.shape) * max(header.dtype.itemsize, 1)


class Rows:
    """The rows of an array, read one batch after the other."""

    def __init__(self, file: IO[bytes], header: Header, where: str) -> None:
        """Take a file that stands behind its header; findings call it ``where``."""
        self.header, self._where = header, where
        self._file = file
        self._done = 0

    def read(self, count: int) -> Array:
        """Return the next rows: as many as asked for, fewer at the end.

        Raises:
            CompileError: HW400, the file is damaged, or ends before its header says.
        """
        count = min(count, self.header.shape[0] - self._done)
        found = np.empty((count, *self.header.shape[1:]), self.header.dtype)
        target = found.reshape(-1).view(np.uint8).data
        with readable(self._where):
            while len(target):
                got = self._file.readinto(target)  # type: ignore[attr-defined]
                if not got:
                    row = self._done + count - 1 - len(target) // max(self.header.row_bytes, 1)
                    raise EOFError(f"the file ends in row {row} of {self.header.shape[0]}")
                target = target[got:]
        self._done += count
        return found


class ScatteredRows:
    """The rows of an array whose first axis varies fastest, read one batch after the other."""

    def __init__(self, file: IO[bytes], header: Header, where: str, start: int) -> None:
        """Take a file on disk; ``start`` is where in it the elements begin."""
        self.header, self._where = header, where
        self._file, self._start = file, start
        self._done = 0

    def read(self, count: int) -> Array:
        """Return the next rows: as many as asked for, fewer at the end.

        The file is mapped anew for each batch, so that what was read does not stay in memory.

        Raises:
            CompileError: HW400, the file cannot be mapped.
        """
        rows = slice(self._done, min(self._done + count, self.header.shape[0]))
        with readable(self._where):
            mapped = np.memmap(
                self._file, self.header.dtype, "r", self._start, self.header.shape, order="F"
            )
            found = np.array(mapped[rows], order="C")
        self._done = rows.stop
        return found


def spooled(file: IO[bytes], header: Header, where: str) -> ScatteredRows:
    """Return the rows of an array in a stream that cannot go back, by way of the disk.

    Raises:
        CompileError: HW400, it is damaged or too large.
    """
    if header.bytes > MAX_BYTES:
        found = f"Fortran order, and more than {MAX_BYTES >> 30} GiB: its samples lie scattered"
        raise CompileError([unreadable(where, found)])
    with readable(where):
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its reader
        while left := header.bytes - spool.tell():
            part = file.read(min(left, 1 << 20))
            if not part:
                raise EOFError("the file ends early")
            spool.write(part)
        spool.flush()
    return ScatteredRows(spool, header, where, 0)
