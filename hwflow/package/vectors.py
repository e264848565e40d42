"""Test vectors of a block: the frames of a build's vectors as a DMA carries them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.package.description import Port
from hwflow.project.stored.project import StoredProject
from hwflow.project.stored.reading import UnreadableError, read_regular
from hwflow.project.vectors.record import VECTOR_FOLDER

MAX_BYTES = 2**28
"""Largest file of vectors that is read: 2^25 values."""

MAX_SAMPLES = 100
"""Frames that a block takes along at most, as many as a build writes."""


def mantissas(stored: StoredProject, ports: Sequence[Port]) -> dict[str, npt.NDArray[np.int64]]:
    """Return the mantissas of a build's vectors by name of the block's port, batch first.

    Args:
        stored: the build, whose files are as they were written.
        ports: the block's ports.

    Raises:
        CompileError: HW576, the build has none, or none of this design.
    """
    found = {p.name: _read(stored, p) for p in ports}
    counts = {len(array) for array in found.values()}
    if len(counts) != 1 or counts == {0}:
        raise CompileError([_unusable(stored, "ports differ in the number of samples")])
    return {name: array[:MAX_SAMPLES] for name, array in found.items()}


def _read(stored: StoredProject, port: Port) -> npt.NDArray[np.int64]:
    path = f"{VECTOR_FOLDER}/{port.direction}_{port.argument}.raw.npy"
    try:
        content = read_regular(stored.folder, path, MAX_BYTES)
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (UnreadableError, ValueError, EOFError, OSError) as error:
        raise CompileError([_unusable(stored, f"{path}: {error}")]) from error
    shape = port.shape if port.classes is None else (port.classes,)
    if array.dtype != np.int64 or array.shape[1:] != shape:
        raise CompileError([_unusable(stored, f"{path}: {array.dtype} of shape {array.shape}")])
    return array  # type: ignore[no-any-return]


def frame_bytes(values: npt.NDArray[Any], port: Port) -> bytes:
    """Return frames as a DMA carries them: elements in their lanes, each frame from a new word.

    Args:
        values: what the lanes hold, batch first, channels last.
        port: the port that they go through.
    """
    kind = np.dtype(port.element.numpy).newbyteorder("<")
    lanes = values.reshape(len(values), -1).astype(kind)
    rows = lanes.view(np.uint8).reshape(len(values), port.packing.frame_bytes)
    behind = port.packing.stride_bytes - port.packing.frame_bytes
    return np.pad(rows, ((0, 0), (0, behind))).tobytes()


def _unusable(stored: StoredProject, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW576",
        title="the build has no test vectors that a block can be checked with",
        where=str(stored.folder),
        found=found,
        help="build it again with `hwflow build`, which writes them",
    )
