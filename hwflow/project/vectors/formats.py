"""The formats of test vectors: decimal text, NumPy arrays and ``$readmemh`` text."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic

FORMATS = ("dat", "npy", "hex")
BITS_AT_ONCE = 1 << 22
"""Bits that are packed at once, of 8 bytes each while they are."""


def dat_text(arrays: Sequence[npt.NDArray[np.int64]]) -> bytes:
    """Return mantissas as decimal text: a line that announces them, then one line a sample.

    Args:
        arrays: batch first, one for each port; a line holds them one after another.
    """
    rows = np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1)
    lines = [f"# hwflow vectors: samples {rows.shape[0]}, values {rows.shape[1]}"]
    lines += (" ".join(map(str, row)) for row in rows.tolist())
    return ("\n".join(lines) + "\n").encode()


def hex_text(raw: npt.NDArray[np.int64], width: int, beat: int) -> bytes:
    """Return mantissas as ``$readmemh`` reads them: one line a beat, its first element lowest.

    Args:
        raw: batch first, channels last; a whole number of beats a sample.
        width: bits of an element, which follow one another without gaps.
        beat: elements of a beat.
    """
    elements = raw.reshape(-1, beat, 1)
    rows = max(1, BITS_AT_ONCE // (beat * width))
    digits = -(-beat * width // 4)
    lines: list[str] = []
    for start in range(0, len(elements), rows):
        block = elements[start : start + rows]
        bits = ((block >> np.arange(width)) & 1).astype(np.uint8).reshape(len(block), -1)
        packed = np.packbits(bits, 1, bitorder="little")[:, ::-1]
        lines += (row.tobytes().hex()[-digits:] for row in packed)
    return ("\n".join(lines) + "\n").encode()


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    """Return an array as the content of an ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def check_formats(formats: Sequence[str]) -> None:
    """Refuse formats that are not known.

    Raises:
        CompileError: HW553.
    """
    unknown = [f for f in formats if f not in FORMATS]
    if unknown or not formats:
        finding = Diagnostic(
            code="HW553",
            title="unknown format of test vectors",
            where="--format",
            found=", ".join(unknown) or "nothing",
            supported=", ".join(FORMATS),
        )
        raise CompileError([finding])
