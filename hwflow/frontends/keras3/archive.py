"""Keras 3 files: a configuration and arrays, read as the data that they are, without Keras.

A ``.keras`` file is a zip of ``config.json``, ``metadata.json`` and ``model.weights.h5``. The
groups of the weights follow the objects' attributes (``layers/dense/vars/0``), layers by class name
and count; each group of variables has the name of its object, as far back as Keras 3.7 or so.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.damage import BROKEN
from hwflow.ir.qonnx.model import printable

MAX_CONFIG_BYTES = 2**27
"""Longest configuration that is read: a thousand layers take a few megabytes."""

MAX_WEIGHTS_BYTES = 2**31
"""Largest file of weights that is read, and largest array in it."""

WEIGHTS = "model.weights.h5"


class DamagedError(Exception):
    """A part of a file is missing, or is not what it should be."""


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what h5py raises at a damaged file, anywhere, into a finding.

    Raises:
        DamagedError: it raised something.
    """
    try:
        yield
    except BROKEN as error:
        raise DamagedError(str(error) or type(error).__name__) from error


@dataclass(frozen=True, eq=False)
class Group:
    """The arrays of one object, and those of its attributes.

    Attributes:
        file: the HDF5 file.
        path: place in the file; ``""`` for the model.
    """

    file: Any
    path: str = ""

    def __truediv__(self, name: str) -> Group:
        """Return the group of an attribute."""
        return Group(self.file, f"{self.path}/{name}".strip("/"))

    @_reading()
    def variables(self) -> list[npt.NDArray[Any]]:
        """Return the object's own arrays in the order that Keras has them in.

        Raises:
            DamagedError: one is not in the file itself, or is too large.
        """
        group = self._get(f"{self.path}/vars".strip("/"))
        found: list[npt.NDArray[Any]] = []
        while group is not None and str(len(found)) in group:
            found.append(_array(group, str(len(found))))
        return found

    @_reading()
    def has(self, name: str) -> bool:
        """Return whether an attribute has a group."""
        return self._get(f"{self.path}/{name}".strip("/")) is not None

    @_reading()
    def layers(self, kinds: list[str], names: list[str]) -> dict[str, Group]:
        """Return the groups of a model's layers by their names.

        Args:
            kinds: class names of all layers, in order.
            names: their names.

        Raises:
            DamagedError: the file is damaged.
        """
        places = list(_unique_names(kinds))
        found = {n: self / "layers" / p for n, p in zip(names, places, strict=True)}
        holder = self._get(f"{self.path}/layers".strip("/"))
        for key in () if holder is None else holder:
            known = self._get(f"{self.path}/layers/{key}/vars".strip("/"))
            name = None if known is None else known.attrs.get("name")
            if isinstance(name, str) and name in found:
                found[name] = self / "layers" / str(key)
        return found

    @_reading()
    def _get(self, path: str) -> Any:
        """Return a group, followed from the root by hard links alone, or None."""
        import h5py

        current = self.file
        for part in path.split("/"):
            link = current.get(part, getlink=True) if part in current else None
            if not isinstance(link, h5py.HardLink):
                return None
            current = current[part]
            if not isinstance(current, h5py.Group):
                return None
        return current


def _array(group: Any, key: str) -> npt.NDArray[Any]:
    """Return an array whose bytes are in the file itself."""
    import h5py

    link = group.get(key, getlink=True)
    data = group[key] if isinstance(link, h5py.HardLink) else None
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise DamagedError("weights that are not in the file")
    if data.dtype.kind not in "fiub" or data.dtype.hasobject:
        raise DamagedError("weights that are no numbers")
    if data.size * data.dtype.itemsize > MAX_WEIGHTS_BYTES:
        raise DamagedError("weights that are too large")
    return np.asarray(data[()])


def _unique_names(kinds: list[str]) -> Iterator[str]:
    """Yield the groups' names: the class name in snake case, numbered from the second on.

    ``to_snake_case`` and ``_get_unique_name`` in keras/src/utils/naming.py and saving_lib.py.
    """
    count: dict[str, int] = {}
    for kind in kinds:
        name = re.sub(r"\W+", "", kind)
        name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
        name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
        yield f"{name}_{count[name]}" if name in count else name
        count[name] = count.get(name, 0) + 1


def is_keras_3(path: Path) -> bool:
    """Return whether a file is one that Keras 3 wrote."""
    if path.suffix.lower() != ".keras":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return str(_json(archive, "metadata.json").get("keras_version", "")).startswith("3")
    except (*BROKEN, DamagedError):
        return False


def read_archive(path: Path) -> tuple[dict[str, Any], Group]:
    """Return the configuration and the weights of a ``.keras`` file.

    Raises:
        DamagedError: it is none.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            config = _json(archive, "config.json")
            if archive.getinfo(WEIGHTS).file_size > MAX_WEIGHTS_BYTES:
                raise DamagedError("its weights are too large")
            data = archive.read(WEIGHTS)
        return config, Group(h5py.File(io.BytesIO(data), "r"))
    except BROKEN as error:
        raise DamagedError(str(error) or type(error).__name__) from error


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > MAX_CONFIG_BYTES:
        raise DamagedError("its configuration is too large")
    config = json.loads(archive.read(name))
    if not isinstance(config, dict):
        raise DamagedError("no configuration of a Keras model")
    return config


def damaged(source: str, reason: str) -> CompileError:
    """Return the error about a file that cannot be read."""
    finding = Diagnostic(
        code="HW038",
        title="the Keras model cannot be read",
        where=f"in {source}",
        found=printable(reason.strip().splitlines()[0] if reason.strip() else ""),
        help="save it again with model.save('model.keras')",
    )
    return CompileError([finding])
