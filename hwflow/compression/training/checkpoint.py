"""The state of a training on disk, whole or not at all."""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hwflow.compression.training.loop import Epoch, State, Training
from hwflow.compression.training.steering import Steering
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file

DAMAGED = (OSError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError)
"""What torch says of files that are no checkpoints, or another network's."""


def save(training: Training, path: Path) -> None:
    """Keep a training after an epoch.

    Raises:
        CompileError: HW552, the file cannot be written.
    """
    content = io.BytesIO()
    held = {
        "network": training.network.state_dict(),
        "optimiser": training.optimiser.state_dict(),
        "state": asdict(training.state),
    }
    torch.save(held, content)
    write_file(path, content.getvalue())


def load(training: Training, path: Path) -> None:
    """Go on where ``save`` was called last; nothing happens where there is no such file.

    Raises:
        CompileError: HW352, the file is damaged.
    """
    if not path.is_file():
        return
    try:
        held: dict[str, Any] = torch.load(path, weights_only=True)
        training.network.load_state_dict(held["network"])
        training.optimiser.load_state_dict(held["optimiser"])
        state = held["state"]
        training.state = State(
            Steering(**state["steering"]), state["fixed"], state["ratio"],
            [Epoch(**e) for e in state["epochs"]],
        )  # fmt: skip
    except DAMAGED as error:
        finding = Diagnostic(
            code="HW352", title="a checkpoint cannot be read", where=str(path),
            found=str(error).split("\n")[0][:200], help="remove it to begin the training anew",
        )  # fmt: skip
        raise CompileError([finding]) from error
