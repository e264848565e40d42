"""Digests of plain values, equal in every process.

Everything is turned into bytes by one rule: a letter for the kind, the size, the content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def content_digest(content: bytes) -> str:
    """Return the digest that stands for a file's content."""
    return hashlib.sha256(content).hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of a value: numbers, texts, arrays, records and collections of such.

    Of anything else only the name of its class counts.
    """
    total = hashlib.sha256()
    for part in _parts(value):
        total.update(part)
    return total.hexdigest()


def file_digest(path: str) -> str:
    """Return the digest of a file, or of all files of a folder."""
    found = Path(path)
    if found.is_dir():
        files = sorted(p for p in found.rglob("*") if p.is_file())
        return digest([(str(p.relative_to(found)), content_digest(p.read_bytes())) for p in files])
    return content_digest(found.read_bytes()) if found.is_file() else "missing"


def _parts(value: Any) -> Iterator[bytes]:
    if value is None:
        yield b"N;"
    elif isinstance(value, np.ndarray):
        yield from _array(value)
    elif isinstance(value, (Enum, int, float, Fraction, np.number, np.bool_, str, bytes)):
        yield from _sized(*_scalar(value))
    elif isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: str(item[0]))
        yield from _several(b"M", [part for item in items for part in item])
    elif isinstance(value, Set):
        yield from _several(b"U", sorted(digest(item) for item in value))
    elif isinstance(value, Sequence):
        yield from _several(b"L", value)
    else:
        yield from _record(value)


def _scalar(value: Any) -> tuple[bytes, bytes]:
    """Return kind and content of a single number, text or name."""
    if isinstance(value, Enum):
        return b"E", value.name.encode()
    if isinstance(value, bytes):
        return b"B", value
    if isinstance(value, str):
        return b"S", value.encode("utf-8", "surrogatepass")
    if isinstance(value, (float, np.floating)):
        return b"F", float(value).hex().encode()
    return b"I", str(value).encode()


def _record(value: Any) -> Iterator[bytes]:
    yield from _sized(b"R", type(value).__qualname__.encode())
    if is_dataclass(value) and not isinstance(value, type):
        yield from _several(b"M", [(f.name, getattr(value, f.name)) for f in fields(value)])


def _array(array: npt.NDArray[Any]) -> Iterator[bytes]:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    yield from _sized(b"A", f"{little.dtype.str} {array.shape}".encode())
    if array.dtype.kind == "O":
        yield from _several(b"L", array.ravel().tolist())
    else:
        yield np.ascontiguousarray(little).tobytes()


def _several(kind: bytes, values: Sequence[Any]) -> Iterator[bytes]:
    yield b"%b%d:" % (kind, len(values))
    for value in values:
        yield from _parts(value)


def _sized(kind: bytes, content: bytes) -> Iterator[bytes]:
    yield b"%b%d:" % (kind, len(content))
    yield content
