"""Where the model and the data of a compression come from: files, code, a run of ``explore``."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow import frontends
from hwflow.compression.code import arrays_in, called, failed, is_code
from hwflow.core.data import LABEL_NAMES, read_arrays
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.points import front_of_board, point_of
from hwflow.exploration.request import file_digest
from hwflow.exploration.run import open_run, refuse_changed
from hwflow.frontends.ensemble import model_bytes
from hwflow.ir.qonnx.model import QonnxModel

Array = npt.NDArray[Any]


@dataclass
class Sources:
    """Models and data by what users call them; each is read once.

    Attributes:
        data: path or ``FILE.py:FUNCTION``.
        digests: those of all that was read so far, by name.
    """

    data: str
    digests: dict[str, str] = field(default_factory=dict)
    _arrays: dict[str, Array] = field(default_factory=dict)

    @property
    def arrays(self) -> Mapping[str, Array]:
        """The data by name.

        Raises:
            CompileError: HW367, code gives no data; HW400, the file cannot be read.
        """
        if not self._arrays and is_code(self.data):
            self._arrays = arrays_in(called(self.data), self.data)
            self.digests[self.data] = _digest(self._arrays)
        elif not self._arrays:
            self._arrays, _ = read_arrays(self.data)
            self.digests[self.data] = file_digest(self.data)
        return self._arrays

    def model(self, source: str) -> QonnxModel:
        """Return a model; a torch module is exported with samples of the data.

        Args:
            source: path of what ``hwflow.load`` reads, or ``FILE.py:FUNCTION``.

        Raises:
            CompileError: HW367, code gives no model; and what ``hwflow.load`` finds.
        """
        if not is_code(source):
            found = frontends.load(source)
            self.digests[source] = file_digest(source)
            return found
        given = called(source)
        found = frontends.load(given, self._example(given, source))
        self.digests[source] = hashlib.sha256(model_bytes(found)).hexdigest()
        return found

    def _example(self, module: Any, source: str) -> tuple[Array, ...] | None:
        """Return one sample of what a torch module takes, None for other models."""
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(module, torch.nn.Module):
            return None
        named = [n for n in signature(module.forward).parameters if n in self.arrays]
        others = [n for n in self.arrays if n not in LABEL_NAMES]
        if not named and not others:
            raise CompileError([failed(source, "no array of the data is an input of the module")])
        return tuple(np.asarray(self.arrays[n][:1], np.float32) for n in named or others)


def _digest(arrays: Mapping[str, Array]) -> str:
    content = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        content.update(f"{name} {array.dtype} {array.shape} ".encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a compression begins with.

    Attributes:
        model: path of a model, or ``FILE.py:FUNCTION``.
        data: the same for its data.
        bits: those of a point of an exploration, by the names that ``quantize`` takes.
    """

    model: str
    data: str
    bits: Mapping[str, int] = field(default_factory=dict)


def start_of(
    model: str | Path | None, data: str | Path | None, from_run: Path | None, point: int | None
) -> Start:
    """Return what a compression begins with: given by name, or that of an exploration.

    Args:
        model: path of a model, or ``FILE.py:FUNCTION``.
        data: the same for its data.
        from_run: folder of an exploration, whose float model and data are taken.
        point: id of a point of its front, the knee unless given.

    Raises:
        CompileError: HW369, neither or both are given; HW326, no exploration; HW331, no such
            point; HW332, model or data are not what they were.
    """
    if from_run is None and model is not None and data is not None and point is None:
        return Start(model=str(model), data=str(data))
    if from_run is None or model is not None or data is not None:
        raise CompileError([_unclear(model, data, from_run)])
    request, run = open_run(from_run)
    front = front_of_board(run, None)
    found = point_of(front, front["knee"] if point is None else point)
    refuse_changed(request, run)
    space = Explorer.of(request).space
    return Start(model=request.model, data=request.data, bits=space.bits(found["id"]))


def _unclear(model: str | Path | None, data: str | Path | None, run: Path | None) -> Diagnostic:
    given = {"MODEL": model, "--data": data, "--from-run": run}
    return Diagnostic(
        code="HW369", title="it is not clear what to begin with",
        found=", ".join(n for n, v in given.items() if v is not None) or "nothing",
        supported="MODEL and --data, or --from-run and --id",
        help="give both MODEL and --data, or neither beside --from-run",
    )  # fmt: skip
