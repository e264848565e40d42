"""Reads FlatBuffers from strangers: every offset is checked before anything is read through it.

The format is that of https://flatbuffers.dev/internals: a table starts with the distance to its
vtable, which holds, for each field, how far into the table it stands (0 where it is left out).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

WORK_PER_BYTE = 8
"""Elements that may be read for each byte of a file: many tables may share one vector."""


class DamagedError(Exception):
    """The bytes are not what they claim to be; says where."""


@dataclass(eq=False)
class Flatbuffer:
    """A file with a budget for reading it.

    Attributes:
        data: the bytes.
        budget: elements that may still be read.
    """

    data: bytes
    budget: int = 0

    def __post_init__(self) -> None:
        self.budget = WORK_PER_BYTE * len(self.data) + 4096

    def root(self) -> Table:
        """Return the table that the file holds."""
        return Table(self, self.pointed(0))

    def scalar(self, at: int, code: str) -> Any:
        """Return a number in ``struct`` notation.

        Raises:
            DamagedError: it lies outside of the file.
        """
        self.require(at, struct.calcsize(code))
        return struct.unpack_from("<" + code, self.data, at)[0]

    def pointed(self, at: int) -> int:
        """Return the position that an offset points to."""
        return at + int(self.scalar(at, "I"))

    def require(self, at: int, size: int) -> None:
        """Refuse what does not lie inside of the file."""
        if at < 0 or size < 0 or at + size > len(self.data):
            raise DamagedError(f"{size} bytes at offset {at} of {len(self.data)}")

    def spend(self, elements: int) -> None:
        """Count elements that are read."""
        self.budget -= elements
        if self.budget < 0:
            raise DamagedError("its parts share bytes so that reading them all would not end")


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a file: fields by number, as the schema counts them from 0."""

    file: Flatbuffer
    at: int

    def place(self, field: int) -> int | None:
        """Return where a field stands, or None where it is left out."""
        vtable = self.at - int(self.file.scalar(self.at, "i"))
        size = int(self.file.scalar(vtable, "H"))
        entry = 4 + 2 * field
        if entry + 2 > size:
            return None
        distance = int(self.file.scalar(vtable + entry, "H"))
        return self.at + distance if distance else None

    def present(self) -> list[int]:
        """Return the fields that are there; a writer leaves out those that have their default."""
        vtable = self.at - int(self.file.scalar(self.at, "i"))
        count = (int(self.file.scalar(vtable, "H")) - 4) // 2
        self.file.spend(max(count, 0))
        return [field for field in range(count) if self.place(field) is not None]

    def number(self, field: int, code: str, default: float = 0) -> Any:
        """Return a number, or the schema's default where it is left out."""
        place = self.place(field)
        return default if place is None else self.file.scalar(place, code)

    def table(self, field: int) -> Table | None:
        """Return a table, or None where it is left out."""
        place = self.place(field)
        return None if place is None else Table(self.file, self.file.pointed(place))

    def vector(self, field: int, dtype: str) -> npt.NDArray[Any] | None:
        """Return a vector of numbers of a little-endian numpy type, None where it is left out."""
        found = self._vector(field, np.dtype(dtype).itemsize)
        if found is None:
            return None
        start, count = found
        return np.frombuffer(self.file.data, dtype, count, start)

    def tables(self, field: int) -> Iterator[Table]:
        """Yield the tables of a vector of them."""
        start, count = self._vector(field, 4) or (0, 0)
        for at in range(start, start + 4 * count, 4):
            yield Table(self.file, self.file.pointed(at))

    def text(self, field: int) -> str:
        """Return a text; what is not UTF-8 in it becomes a replacement character."""
        found = self.vector(field, "u1")
        return "" if found is None else found.tobytes().decode("utf-8", "replace")

    def _vector(self, field: int, itemsize: int) -> tuple[int, int] | None:
        """Return where the elements of a vector start, and how many there are."""
        place = self.place(field)
        if place is None:
            return None
        at = self.file.pointed(place)
        count = int(self.file.scalar(at, "I"))
        self.file.require(at + 4, count * itemsize)
        self.file.spend(count)
        return at + 4, count
