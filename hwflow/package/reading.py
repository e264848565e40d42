"""Reads blocks of anybody: the description and the test vectors in their folders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.package.description import DESCRIPTION_FILE, SCHEMA, Description, Port
from hwflow.project.stored.reading import UnreadableError, read_regular
from hwflow.report.manifest.fields import cut

MAX_BYTES = 2**26
"""Largest ``ip.json`` that is read."""

MAX_VECTOR_BYTES = 2**28
"""Largest file of vectors that is read."""

AGAIN = "package the block again with `hwflow package`"

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class StoredBlock:
    """A block in a folder.

    Attributes:
        folder: where it lies.
        description: what ``ip.json`` says.
    """

    folder: Path
    description: Description

    def frames(self) -> dict[str, Frames]:
        """Return the test vectors: bytes of shape (frames, bytes of a frame), by port.

        Raises:
            CompileError: HW586, they are not as they were written.
        """
        found = {v.port: (v.path, v.frames) for v in self.description.vectors}
        ports = self.description.ports
        missing = [p.name for p in ports if p.name not in found]
        if missing:
            raise CompileError([self._changed(f"there are none for {', '.join(missing)}")])
        return {p.name: self._frames(p, *found[p.name]) for p in ports}

    def _frames(self, port: Port, path: str, frames: int) -> Frames:
        try:
            content = read_regular(self.folder, path, MAX_VECTOR_BYTES)
        except (UnreadableError, OSError) as error:
            raise CompileError([self._changed(f"{path}: {cut(error)}")]) from error
        if hashlib.sha256(content).hexdigest() != self.description.files.get(path):
            raise CompileError([self._changed(f"{path} is not as its digest says")])
        stride = port.packing.stride_bytes
        if not frames or len(content) != frames * stride:
            raise CompileError([self._changed(f"{path}: {len(content)} bytes, {frames} frames")])
        return np.frombuffer(content, np.uint8).reshape(frames, stride)

    def _changed(self, found: str) -> Diagnostic:
        return Diagnostic(
            code="HW586",
            title="test vectors of a block are not as they were written",
            where=str(self.folder),
            found=found,
            help=AGAIN,
        )


def read_block(folder: Path) -> StoredBlock:
    """Return the block in a folder that ``hwflow package`` wrote.

    Raises:
        CompileError: HW585, there is none, or its description breaks the form.
    """
    try:
        content = read_regular(folder, DESCRIPTION_FILE, MAX_BYTES)
    except (UnreadableError, OSError) as error:
        raise CompileError([_no_block(folder, cut(error))]) from error
    try:
        return StoredBlock(folder, Description.model_validate_json(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(cut(part) for part in first["loc"]) or "top level"
        raise CompileError([_no_block(folder, f"{place}: {cut(first['msg'])}")]) from None


def _no_block(folder: Path, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW585",
        title="no block that hwflow packaged",
        where=f"{folder}/{DESCRIPTION_FILE}",
        found=found,
        supported=f"a folder whose {DESCRIPTION_FILE} has the form {SCHEMA}",
        help=AGAIN,
    )
