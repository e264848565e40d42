"""Where models and data come from that users call by name: files, or code of theirs."""

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

from hwflow.core.data import LABEL_NAMES, read_arrays
from hwflow.core.digests import file_digest
from hwflow.core.errors import CompileError
from hwflow.frontends.code import arrays_in, called, failed, file_of, is_code
from hwflow.frontends.doors import load
from hwflow.frontends.ensemble import model_bytes
from hwflow.ir.qonnx.model import QonnxModel

Array = npt.NDArray[Any]


@dataclass
class Sources:
    """Models and data by what users call them; each is read once.

    Attributes:
        data: path or ``FILE.py:FUNCTION``; empty where there are none.
        digests: those of all that was read so far, by name.
    """

    data: str
    digests: dict[str, str] = field(default_factory=dict)
    _arrays: dict[str, Array] = field(default_factory=dict)
    _models: dict[str, QonnxModel] = field(default_factory=dict)

    @property
    def arrays(self) -> Mapping[str, Array]:
        """The data by name.

        Raises:
            CompileError: HW367, code gives no data; HW400, the file cannot be read.
        """
        if not self.data:
            return self._arrays
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
        if source not in self._models and not is_code(source):
            self._models[source] = load(source)
            self.digests[source] = file_digest(source)
        elif source not in self._models:
            given = called(source)
            found = self._models[source] = load(given, self._example(given, source))
            self.digests[source] = hashlib.sha256(model_bytes(found)).hexdigest()
        return self._models[source]

    def digest(self, source: str) -> str:
        """Return what tells a model, or the data, from others: of a file, or of what code gives.

        Raises:
            CompileError: HW367, code gives none.
        """
        if not is_code(source):
            return file_digest(source)
        if not Path(file_of(source)).is_file():
            return "missing"
        if source not in self.digests:
            _ = self.arrays if source == self.data else self.model(source)
        return self.digests[source]

    def given(self, source: str) -> Any:
        """Return a path as it is, and in the place of code what it gives: a model, or the data.

        Raises:
            CompileError: HW367, code gives none.
        """
        if not is_code(source):
            return source
        return dict(self.arrays) if source == self.data else self.model(source)

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


def by_name(model: Any, data: Any) -> tuple[Any, Any]:
    """Return a model and its data, in the place of code that is named what it gives.

    Args:
        model: ``FILE.py:FUNCTION``, or anything else, which is returned.
        data: the same.

    Raises:
        CompileError: HW367, code gives none; HW400, the data that a module is exported with cannot
            be read.
    """
    named = [isinstance(v, (str, Path)) and is_code(str(v)) for v in (model, data)]
    if not any(named):
        return model, data
    sources = Sources(str(data) if isinstance(data, (str, Path)) else "")
    if isinstance(data, Mapping):
        sources = Sources("", _arrays=dict(data))
    return (sources.model(str(model)) if named[0] else model,
            dict(sources.arrays) if named[1] else data)  # fmt: skip


def _digest(arrays: Mapping[str, Array]) -> str:
    content = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        content.update(f"{name} {array.dtype} {array.shape} ".encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()
