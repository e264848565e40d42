"""Data files: named arrays for the inputs, and labels."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic

Array = npt.NDArray[Any]

LABEL_NAMES = ("y", "labels", "label", "targets")
INPUT_NAMES = ("x", "inputs", "data")

DAMAGED = (
    OSError, EOFError, KeyError, ValueError, OverflowError, RuntimeError, MemoryError, TypeError,
    SyntaxError, tokenize.TokenError, zlib.error, zipfile.BadZipFile,
)  # fmt: skip
"""What numpy and zipfile raise at files that are damaged, or lie: headers are Python literals."""

MAX_INFLATED = 2**31
"""Bytes that the arrays of an .npz file may take beyond its size: a bomb is a thousand times."""

MAX_BYTES = 4 * 2**30
"""Largest data file that is read into memory."""


@dataclass(frozen=True, eq=False)
class Data:
    """Samples that a design is tried on.

    Attributes:
        inputs: arrays by input name of the model, batch first.
        labels: class of each sample, or None.
        source: where it comes from, for the report.
        seed: seed of made-up data; None where the data was given.
    """

    inputs: Mapping[str, Array]
    labels: Array | None
    source: str
    seed: int | None = None


def read_data(given: Data | Mapping[str, Array] | Array | str | Path, names: Sequence[str]) -> Data:
    """Return data in one form, whatever it was given as.

    A single array is taken for the model's only input. In a file or mapping an array is found by
    the input's name, or as ``x`` where there is one input; labels as ``y``.

    Args:
        given: arrays by name, an array, or the path of a file.
        names: names of the inputs.

    Raises:
        CompileError: the file cannot be read, or it is not clear which array is which.
    """
    if isinstance(given, Data):
        return given
    arrays, source = read_arrays(given)
    return assigned(arrays, names, source)


def read_arrays(given: Mapping[str, Array] | Array | str | Path) -> tuple[dict[str, Array], str]:
    """Return arrays by name, a single one as ``x``, and where they come from.

    Raises:
        CompileError: HW400, the file cannot be read.
    """
    if isinstance(given, (str, Path)):
        return _load(Path(given)), Path(given).name
    if isinstance(given, np.ndarray):
        return {INPUT_NAMES[0]: given}, "the array"
    return dict(given), "the arrays"


def _load(path: Path) -> dict[str, Array]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CompileError([unreadable(path.name, f"more than {MAX_BYTES >> 30} GiB")])
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {INPUT_NAMES[0]: loaded}
        with loaded:
            return _arrays(loaded, path)
    except DAMAGED as error:
        raise CompileError([unreadable(path.name, str(error).split("\n")[0])]) from error


def _arrays(archive: Any, path: Path) -> dict[str, Array]:
    """Return the arrays of an open .npz file by name; members that are none are left out."""
    members = archive.zip.infolist()
    if sum(member.file_size for member in members) > path.stat().st_size + MAX_INFLATED:
        found = f"more than {MAX_INFLATED >> 30} GiB, packed into {path.stat().st_size:,} bytes"
        raise CompileError([unreadable(path.name, found)])
    names = [member.filename for member in members if member.filename.endswith(".npy")]
    found_by_name = {name.removesuffix(".npy"): archive[name] for name in names}
    return {name: a for name, a in found_by_name.items() if isinstance(a, np.ndarray)}


@dataclass(frozen=True)
class Roles:
    """The parts that the arrays of a data file play.

    Attributes:
        inputs: name of the array that belongs to each input, by name of the input; empty where none
            does.
        labels: name of the array of labels, or None.
    """

    inputs: Mapping[str, str]
    labels: str | None


def roles(found: Collection[str], names: Sequence[str]) -> Roles:
    """Return which array is which input, and which the labels; see ``read_data``.

    Args:
        found: names of arrays.
        names: names of the model's inputs.
    """
    labels = next((n for n in LABEL_NAMES if n in found and n not in names), None)
    inputs = {name: name for name in names if name in found}
    if not inputs and len(names) == 1:
        others = [n for n in found if n not in LABEL_NAMES]
        chosen = next((n for n in INPUT_NAMES if n in others), None)
        if chosen is None and len(others) == 1:
            chosen = others[0]
        if chosen is not None:
            inputs = {names[0]: chosen}
    return Roles(inputs, labels)


def assigned(arrays: Mapping[str, Array], names: Sequence[str], source: str) -> Data:
    """Return arrays as data for inputs of these names; see ``read_data``.

    Raises:
        CompileError: HW406, the labels do not fit.
    """
    found = roles(arrays, names)
    labels = None
    if found.labels is not None:
        labels = _classes(arrays[found.labels], found.labels, source)
    inputs = {name: arrays[own] for name, own in found.inputs.items()}
    sizes = {len(array) for array in inputs.values() if array.ndim}
    if labels is not None and len(sizes) == 1 and len(labels) not in sizes:
        raise CompileError([bad_labels(source, f"{len(labels)} labels for {sizes.pop()} samples")])
    return Data(inputs or arrays, labels, source)


def check_labels(shape: tuple[int, ...], dtype: np.dtype[Any], name: str, source: str) -> None:
    """Make sure that labels are class numbers, or have one column per class.

    Raises:
        CompileError: HW406, they are something else.
    """
    if len(shape) not in (1, 2) or dtype.kind not in "fiub" or 0 in shape[1:]:
        raise CompileError([bad_labels(source, f"{name}: shape {shape}, dtype {dtype}")])


def _classes(labels: Array, name: str, source: str) -> Array:
    """Return the class of each sample, from class numbers or from one column per class."""
    check_labels(labels.shape, labels.dtype, name, source)
    if labels.ndim == 2:
        return labels.argmax(1) if labels.shape[1] > 1 else labels[:, 0]
    return labels


def bad_labels(source: str, found: str) -> Diagnostic:
    """Return the finding about labels that cannot be those of the data."""
    return Diagnostic(
        code="HW406",
        title="labels do not fit the data",
        where=source,
        found=found,
        supported="one class number per sample, shape (N,), or one column per class, (N, classes)",
        help=f"save them as `y`; the names {', '.join(LABEL_NAMES)} are taken for labels",
    )


def unreadable(name: str, found: str) -> Diagnostic:
    """Return the finding about a file of data that cannot be read."""
    return Diagnostic(
        code="HW400",
        title="cannot read the data",
        where=name,
        found=found,
        supported=".npz with one array per input (and labels as `y`), or .npy",
        help="save it with numpy.savez(path, x=inputs, y=labels)",
    )
