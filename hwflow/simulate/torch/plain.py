"""Any ONNX model in standard operators on a torch device, in float32 without shortcuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy.typing as npt
import onnx

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class PlainModel:
    """A model on a device.

    Attributes:
        run: returns the outputs for a batch, by name; copies there and back are part of it.
        engine: torch, with its version.
        device: what computes.
    """

    run: Callable[[Arrays], dict[str, npt.NDArray[Any]]]
    engine: str
    device: str


@contextmanager
def plain_model(model: onnx.ModelProto, device: str) -> Iterator[PlainModel]:
    """Yield a model that is ready to run on a device, with torch's settings as it needs them.

    Args:
        model: the model.
        device: ``cpu``, or ``cuda``.

    Raises:
        CompileError: HW572, an operator that torch's engine does not know.
    """
    import torch

    from hwflow.simulate.torch.program import Program
    from hwflow.simulate.torch.settings import full_precision

    with full_precision():
        program = Program(model, torch.device(device))
        name = torch.cuda.get_device_name() if device == "cuda" else device
        yield PlainModel(program.run, f"torch {torch.__version__}", name)


def has_cuda() -> bool:
    """Return whether torch is installed and sees a GPU."""
    if find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
