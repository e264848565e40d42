"""What must hold of an ONNX model from a stranger before anything is computed from it.

Works on the protobuf, before tensors are copied. Each check yields diagnostics, so that all
findings are reported at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from hwflow.errors import Diagnostic
from hwflow.ir.qonnx import QONNX_DOMAIN, printable

FloatArray = npt.NDArray[np.floating]

MAX_ELEMENTS = 2**28
"""Largest tensor that is read: 2 GiB as float64, far above what fits any FPGA."""

QONNX_DOMAINS = frozenset(
    {QONNX_DOMAIN, "finn.custom_op.general", "onnx.brevitas", "qonnx", "brevitas"}
)
"""Domains under which QONNX operators are found in files: qonnx, FINN and QKeras exports, older
and newer Brevitas."""

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})

OLDEST_OPSET = 9
"""QONNX files in the wild begin here; ``Where`` and ``Sign``, which the reference needs, do, too."""

_INFINITY_ALLOWED = frozenset({"Clip", "Min", "Max", "Pad"})
"""Operators for which an infinite constant means "no limit"."""


def check(proto: onnx.ModelProto, source: str) -> list[Diagnostic]:
    """Return everything that is wrong with a model.

    Args:
        proto: the model, external data not loaded.
        source: how diagnostics call it.
    """
    graph = proto.graph
    where = f"in {source}"
    inputs = graph_inputs(graph)
    empty = [
        part
        for part, found in (
            ("nodes", graph.node),
            ("inputs", inputs),
            ("outputs", graph.output),
        )
        if not found
    ]
    if empty:
        found = "no " + ", no ".join(empty)
        return [Diagnostic(code="HW007", title="the graph is empty", where=where, found=found)]
    return [
        *_check_names(graph, where),
        *_check_order(graph, where),
        *_check_versions(proto, where),
        *_check_operators(graph, {(f.domain, f.name) for f in proto.functions}, where),
        *_check_inputs(inputs, where),
        *_check_tensors(graph, where),
    ]


def graph_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs that are not initializers (before IR version 4 all of these are inputs)."""
    known = {t.name for t in graph.initializer}
    return [value for value in graph.input if value.name not in known]


def _check_names(graph: onnx.GraphProto, where: str) -> Iterator[Diagnostic]:
    """Yield values that are defined twice, and values that are used but defined nowhere."""
    defined: dict[str, str] = {}
    sources = [(v.name, "graph input") for v in graph_inputs(graph)]
    sources += [(t.name, "initializer") for t in graph.initializer]
    sources += [(t.values.name, "sparse initializer") for t in graph.sparse_initializer]
    sources += [(o, f"{n.op_type} {n.name}".strip()) for n in graph.node for o in n.output if o]
    for name, by in sources:
        if name in defined:
            found = f"{printable(name)!r}, by {printable(defined[name])} and by {printable(by)}"
            yield Diagnostic(
                code="HW009", title="a value is defined twice", where=where, found=found
            )
        defined[name] = by
    for node in graph.node:
        for name in node.input:
            if name and name not in defined:
                yield _undefined(name, f"{_node(node)}, {where}")
    for output in graph.output:
        if output.name not in defined:
            yield _undefined(output.name, f"graph output, {where}")


def _undefined(name: str, where: str) -> Diagnostic:
    title = "a value is used but defined nowhere"
    return Diagnostic(code="HW010", title=title, where=where, found=repr(printable(name)))


def _check_order(graph: onnx.GraphProto, where: str) -> Iterator[Diagnostic]:
    """Yield a cycle, where there is one."""
    producer = {out: i for i, node in enumerate(graph.node) for out in node.output if out}
    edges = {
        i: {producer[name] for name in node.input if name in producer}
        for i, node in enumerate(graph.node)
    }
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        names = [_node(graph.node[i]) for i in error.args[1]]
        shown = names if len(names) <= 8 else [*names[:4], "...", *names[-3:]]
        found = " -> ".join(reversed(shown))
        yield Diagnostic(code="HW008", title="the graph has a cycle", where=where, found=found)


def _check_versions(proto: onnx.ModelProto, where: str) -> Iterator[Diagnostic]:
    """Yield versions of the standard operators that are missing, too old or too new."""
    newest = onnx.defs.onnx_opset_version()
    found = [o.version for o in proto.opset_import if o.domain in STANDARD_DOMAINS]
    if len(set(found)) != 1 or not OLDEST_OPSET <= found[0] <= newest:
        yield Diagnostic(
            code="HW013",
            title="unsupported version of the ONNX operators",
            where=where,
            found=f"opset {', '.join(map(str, found)) or 'not given'}",
            supported=f"one opset from {OLDEST_OPSET} to {newest}",
            help="export the model again with opset_version=18",
        )


def _check_operators(
    graph: onnx.GraphProto, functions: set[tuple[str, str]], where: str
) -> Iterator[Diagnostic]:
    """Yield operators of unknown domains, and nodes that hold graphs of their own."""
    for node in graph.node:
        place = f"{_node(node)}, {where}"
        known = STANDARD_DOMAINS | QONNX_DOMAINS
        if node.domain not in known and (node.domain, node.op_type) not in functions:
            yield Diagnostic(
                code="HW012",
                title="operator of an unknown domain",
                where=place,
                found=f"{printable(node.domain)}::{printable(node.op_type)}",
                supported=f"standard ONNX operators, {QONNX_DOMAIN}",
                help="export plain QONNX, before any backend-specific transformation",
            )
        kinds = {a.type for a in node.attribute}
        if kinds & {onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS}:
            title = "control flow is not supported"
            help_ = "export the model with fixed control flow"
            yield Diagnostic(
                code="HW017",
                title=title,
                where=place,
                found=printable(node.op_type),
                help=help_,
            )


def _check_inputs(inputs: list[onnx.ValueInfoProto], where: str) -> Iterator[Diagnostic]:
    """Yield inputs that are no tensors of numbers, or larger than any tensor may be."""
    numeric = {
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16,
        TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16,
        TensorProto.INT32, TensorProto.INT64,
    }  # fmt: skip
    for value in inputs:
        place = f"graph input {printable(value.name)!r}, {where}"
        tensor = value.type.tensor_type
        if value.type.WhichOneof("value") != "tensor_type" or tensor.elem_type not in numeric:
            yield Diagnostic(code="HW029", title="an input is not a tensor of numbers", where=place)
        yield from _check_size([d.dim_value for d in tensor.shape.dim if d.dim_value > 0], place)


def _check_size(dims: list[int], place: str) -> Iterator[Diagnostic]:
    """Yield a diagnostic where a declared shape is too large to be meant."""
    if math.prod(dims) > MAX_ELEMENTS:
        found = f"{' x '.join(map(str, dims[:8]))} elements"
        yield Diagnostic(
            code="HW004",
            title="a tensor is too large",
            where=place,
            found=found,
            supported=f"up to {MAX_ELEMENTS} elements",
        )


def _check_tensors(graph: onnx.GraphProto, where: str) -> Iterator[Diagnostic]:
    """Yield constants whose shape is absurd or does not fit their data, and those not finite."""
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in [attribute.t] if attribute.HasField("t") else attribute.tensors:
                place = f"{_node(node)}, attribute {printable(attribute.name)!r}, {where}"
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
    sizes = list(_check_size(dims, place))
    if sizes or tensor.data_location == TensorProto.EXTERNAL:
        yield from sizes
        return
    try:
        if any(d < 0 for d in dims):
            raise ValueError("negative dimension")
        if tensor.data_type == TensorProto.STRING:
            raise ValueError("strings are not numbers")
        array = np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # noqa: BLE001 - a stranger's bytes may fail anywhere
        title = "the data of a tensor does not fit its declaration"
        found = f"shape {dims}: {printable(str(error))}"
        yield Diagnostic(code="HW015", title=title, where=place, found=found)
        return
    bad = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(0, np.bool_)
    if bad.any():
        users = {n.op_type for n in graph.node if (name or tensor.name) in n.input}
        if users and users <= _INFINITY_ALLOWED:
            bad = np.isnan(array)
    if bad.any():
        yield _not_finite(array, bad, place)


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


def _node(node: onnx.NodeProto) -> str:
    """Return how a diagnostic calls a node of the protobuf."""
    name = node.name or (node.output[0] if node.output else "")
    return f"{printable(name)}: {printable(node.op_type)}" if name else printable(node.op_type)
