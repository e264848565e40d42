"""What must hold of the constants in an ONNX model from a stranger, and of declared sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from hwflow.core.errors import Diagnostic
from hwflow.ir.qonnx.model import MAX_AXES, printable, too_many_axes
from hwflow.ops import operators

FloatArray = npt.NDArray[np.floating]

MAX_ELEMENTS = 2**28
"""Largest tensor that is read: 2 GiB as float64, far above what fits any FPGA."""

NUMERIC = frozenset(
    {
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT8,
        TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16, TensorProto.INT32,
        TensorProto.UINT32, TensorProto.INT64, TensorProto.UINT64, TensorProto.BOOL,
        TensorProto.INT2, TensorProto.UINT2, TensorProto.INT4, TensorProto.UINT4,
    }
)  # fmt: skip
"""Element types that are read; QONNX keeps small integers in float32."""


def check_tensors(graph: onnx.GraphProto, where: str) -> Iterator[Diagnostic]:
    """Yield constants whose shape is absurd or does not fit their data, and those not finite."""
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
                place = f"{node_label(node)}, attribute {printable(attribute.name)!r}, {where}"
                name = node.output[0] if node.output else ""
                yield from check_values(graph, tensor, place, name)
    for tensor in graph.initializer:
        place = f"initializer {printable(tensor.name)!r}, {where}"
        yield from check_values(graph, tensor, place)
    for sparse in graph.sparse_initializer:
        place = f"initializer {printable(sparse.values.name)!r}, {where}"
        title = "sparse initializers are not supported"
        yield Diagnostic(code="HW015", title=title, where=place, help="store the tensor densely")


def check_values(
    graph: onnx.GraphProto, tensor: TensorProto, place: str, name: str = ""
) -> Iterator[Diagnostic]:
    """Yield what is wrong with one constant; nothing is asked of external data not yet loaded.

    Args:
        graph: where it is used.
        tensor: the constant.
        place: for the diagnostics.
        name: the value that holds it, if not the tensor's own name.
    """
    dims = list(tensor.dims)
    sizes = list(check_size(dims, place))
    if sizes or tensor.data_location == TensorProto.EXTERNAL:
        yield from sizes
        return
    try:
        if any(d < 0 for d in dims):
            raise ValueError("negative dimension")
        if tensor.data_type not in NUMERIC:
            raise ValueError(f"element type {tensor.data_type} is not supported")
        array = np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:
        title = "the data of a tensor does not fit its declaration"
        found = f"shape {dims}: {printable(str(error))}"
        yield Diagnostic(code="HW015", title=title, where=place, found=found)
        return
    bad = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(0, np.bool_)
    if bad.any():
        users = {n.op_type for n in graph.node if (name or tensor.name) in n.input}
        if users and all(takes_infinity(user) for user in users):
            bad = np.isnan(array)
    if bad.any():
        yield _not_finite(array, bad, place)


def takes_infinity(op_type: str) -> bool:
    """Return whether an infinite constant of an ONNX operator means that there is no limit."""
    return any(op_type in cls.infinite for cls in operators().values())


def _not_finite(array: FloatArray, bad: npt.NDArray[np.bool_], place: str) -> Diagnostic:
    """Return a diagnostic with the count and the first place of values that are not finite."""
    first = int(np.flatnonzero(bad)[0])
    return Diagnostic(
        code="HW011",
        title="a constant is not finite",
        where=place,
        found=f"{int(bad.sum())} of {array.size} values; the first, {array.flat[first]}, "
        f"at flat index {first}",
        help="training has diverged; look for NaN in the loss",
    )


def check_size(dims: list[int], place: str) -> Iterator[Diagnostic]:
    """Yield a diagnostic where a declared shape is too large to be meant, or has too many axes."""
    if len(dims) > MAX_AXES:
        yield too_many_axes(len(dims), place)
    if math.prod(dims) > MAX_ELEMENTS:
        found = f"{' x '.join(map(str, dims[:8]))} elements"
        yield Diagnostic(
            code="HW004",
            title="a tensor is too large",
            where=place,
            found=found,
            supported=f"up to {MAX_ELEMENTS} elements",
        )


def node_label(node: onnx.NodeProto) -> str:
    """Return how a diagnostic calls a node of the protobuf."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{printable(name)}: {printable(node.op_type)}" if name else printable(node.op_type)
