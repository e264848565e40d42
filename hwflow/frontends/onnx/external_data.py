"""Tensors that are kept in files beside the model: read from the model's own folder only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from onnx import TensorProto

from hwflow.core.errors import Diagnostic
from hwflow.frontends.onnx.tensor_checks import MAX_ELEMENTS, check_values
from hwflow.ir.qonnx.model import printable


class _BadDataError(Exception):
    """What is wrong with one tensor's external data."""

    def __init__(self, code: str, title: str, found: str) -> None:
        self.code, self.title, self.found = code, title, found
        super().__init__(title)


def load_external_data(
    proto: onnx.ModelProto, folder: Path | None, source: str
) -> Iterator[Diagnostic]:
    """Read the data of all external tensors into the protobuf.

    Args:
        proto: the model; its external tensors are filled.
        folder: where the model file lies, or None for a model in memory.
        source: how diagnostics call the model.

    Yields:
        HW005 where a path leaves the folder, HW006 where data is missing or short.
    """
    for tensor in proto.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        where = f"initializer {printable(tensor.name)!r}, in {source}"
        try:
            if math.prod(tensor.dims) <= MAX_ELEMENTS:  # else refused by its declared shape
                _load(tensor, folder)
                yield from check_values(proto.graph, tensor, where)
        except _BadDataError as bad:
            yield Diagnostic(
                code=bad.code,
                title=bad.title,
                where=where,
                found=printable(bad.found),
                supported="a file in the model's own folder, of at least the declared size",
                help="save the model with its data inside one .onnx file",
            )


def _load(tensor: TensorProto, folder: Path | None) -> None:
    """Fill one tensor from its file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise _BadDataError("HW005", "a model in memory refers to a file", location)
    path = _inside(folder, location)
    itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    needed = math.prod(tensor.dims) * itemsize
    try:
        offset, length = (
            int(entries.get("offset", 0)),
            int(entries.get("length", needed)),
        )
    except ValueError:
        raise _BadDataError(
            "HW006", "external data has no valid place in its file", location
        ) from None
    if not path.is_file():
        raise _BadDataError("HW006", "the file of external data is missing", location)
    size = path.stat().st_size
    if offset < 0 or length != needed or offset + length > size:
        found = f"{location}: {size} bytes; {length} bytes from {offset} are asked, {needed} needed"
        raise _BadDataError("HW006", "external data is too short", found)
    with path.open("rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(length)
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _inside(folder: Path, location: str) -> Path:
    """Return the path of a location that provably lies in the folder, links resolved."""
    title = "external data lies outside the model's folder"
    names = (PurePosixPath(location), PureWindowsPath(location))
    if not location or "\0" in location or any(n.anchor or ".." in n.parts for n in names):
        raise _BadDataError("HW005", title, location)
    path = (folder / location).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise _BadDataError("HW005", title, f"{location}, a link")
    return path
