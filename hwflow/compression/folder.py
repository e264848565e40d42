"""The folder of a training: its request, the points of its front, what came of it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.compression.exporting import Learned
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file

REQUEST, RESULT, CHECKPOINT, MODEL = "request.json", "front.json", "checkpoint.pt", "model.onnx"


@dataclass(frozen=True)
class Folder:
    """A folder that one training owns.

    Attributes:
        path: where it lies.
    """

    path: Path

    def claim(self, request: str, keys: dict[str, str]) -> None:
        """Keep what the training is of, or refuse another training's folder.

        Args:
            request: the request as text.
            keys: digests of its files.

        Raises:
            CompileError: HW355, it holds another training; HW552, it cannot be written.
        """
        wanted = {"request": json.loads(request), "digests": keys}
        file = self.path / REQUEST
        if file.is_file():
            kept = json.loads(file.read_text())
            if kept != wanted:
                raise CompileError([_another(self.path, kept, wanted)])
            return
        write_file(file, _text(wanted), parents=True)

    def record(self) -> dict[str, Any]:
        """Return the request and the digests of its files, as ``claim`` kept them."""
        kept: dict[str, Any] = json.loads((self.path / REQUEST).read_text())
        return kept

    @property
    def checkpoint(self) -> Path:
        """The file with the state of the training."""
        return self.path / CHECKPOINT

    def point(self, number: int) -> Path:
        """Return the file of a point of the front."""
        return self.path / "points" / f"{number:05d}.npz"

    def add_point(self, number: int, learned: Learned) -> None:
        """Keep a network that the training passed through."""
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **learned.arrays())
        write_file(self.point(number), content.getvalue(), parents=True)

    def read_point(self, number: int) -> Learned:
        """Return a network that was kept."""
        with np.load(self.point(number), allow_pickle=False) as arrays:
            return Learned.of_arrays(dict(arrays))

    def keep_points(self, numbers: Sequence[int]) -> None:
        """Remove the points that are not on the front any more."""
        kept = {self.point(number) for number in numbers}
        for path in self.point(0).parent.glob("*.npz"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def write_result(self, result: dict[str, Any]) -> None:
        """Keep what came of the training."""
        write_file(self.path / RESULT, _text(result))


def _text(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _another(path: Path, kept: dict[str, Any], wanted: dict[str, Any]) -> Diagnostic:
    names = [
        name
        for part in ("request", "digests")
        for name in sorted({*kept.get(part, {}), *wanted[part]})
        if kept.get(part, {}).get(name) != wanted[part].get(name)
    ]
    return Diagnostic(
        code="HW355", title="folder of another training", where=str(path),
        found=f"another {', another '.join(names)}",
        help="take another folder for --run, or the same model, data and options",
    )  # fmt: skip
