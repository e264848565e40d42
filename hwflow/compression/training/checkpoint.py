"""The state of a training on disk, whole or not at all."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, Protocol

import torch

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file

DAMAGED = (OSError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError)
"""What torch says of files that are no checkpoints, or another network's."""


class Resumable(Protocol):
    """A training whose state is tensors and plain values."""

    def held(self) -> dict[str, Any]:
        """Return the state."""

    def resume(self, held: dict[str, Any]) -> None:
        """Take a state that ``held`` gave; what another network's raises is in ``DAMAGED``."""


def save(training: Resumable, path: Path) -> None:
    """Keep a training after an epoch.

    Raises:
        CompileError: HW552, the file cannot be written.
    """
    content = io.BytesIO()
    torch.save(training.held(), content)
    write_file(path, content.getvalue(), parents=True)


def load(training: Resumable, path: Path) -> None:
    """Go on where ``save`` was called last; nothing happens where there is no such file.

    Raises:
        CompileError: HW352, the file is damaged.
    """
    if not path.is_file():
        return
    try:
        training.resume(torch.load(path, weights_only=True))
    except DAMAGED as error:
        finding = Diagnostic(
            code="HW352", title="a checkpoint cannot be read", where=str(path),
            found=str(error).split("\n")[0][:200], help="remove it to begin the training anew",
        )  # fmt: skip
        raise CompileError([finding]) from error
