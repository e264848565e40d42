"""What must hold of an ONNX model from a stranger before anything is computed from it.

Works on the protobuf, before tensors are copied. Each check yields diagnostics, so that all
findings are reported at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import onnx
from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]

from hwflow.core.errors import Diagnostic
from hwflow.frontends.onnx.cells import cell_of_brevitas
from hwflow.frontends.onnx.node_attributes import check_known
from hwflow.frontends.onnx.tensor_checks import (
    NUMERIC,
    check_size,
    check_tensors,
    node_label,
    takes_infinity,
)
from hwflow.frontends.qdq.parameters import CONTRIB_DOMAIN, LINEAR, refused_operators
from hwflow.ir.qonnx.model import QONNX_DOMAIN, printable
from hwflow.ops import by_onnx

QONNX_DOMAINS = frozenset(
    {QONNX_DOMAIN, "finn.custom_op.general", "onnx.brevitas", "qonnx", "brevitas"}
)
"""Domains under which QONNX operators are found in files: qonnx, FINN and QKeras exports, older
and newer Brevitas."""

STANDARD_DOMAINS = frozenset({"", "ai.onnx"})

OLDEST_OPSET = 9
"""Oldest opset that is read: QONNX files in the wild begin there, ``Where`` and ``Sign``, too."""


def check(proto: onnx.ModelProto, source: str, *, operators: bool = True) -> list[Diagnostic]:
    """Return everything that is wrong with a model.

    Args:
        proto: the model, external data not loaded.
        source: how diagnostics call it.
        operators: check versions, operators and their attributes, too.
    """
    graph = proto.graph
    where = f"in {source}"
    if not all(isinstance(text, str) for text in _texts(proto)):  # protobuf then gives bytes
        title = "not an ONNX model, or a damaged one"
        return [Diagnostic(code="HW002", title=title, where=where, found="texts are not UTF-8")]
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
        *(_check_use(proto, where) if operators else ()),
        *_check_inputs(inputs, where),
        *_check_declared(graph, where),
        *check_tensors(graph, where),
    ]


def _check_use(proto: onnx.ModelProto, where: str) -> Iterator[Diagnostic]:
    """Yield what is wrong with versions, operators, operands and attributes."""
    yield from _check_versions(proto, where)
    functions = {(f.domain, f.name) for f in proto.functions}
    yield from _check_operators(proto.graph, functions, where)
    yield from _check_operands(proto, where)
    yield from _check_known_attributes(proto, where)


def _texts(message: Message) -> Iterator[str | bytes]:
    """Yield every text in a message, and in those within it; bytes where it is not UTF-8."""
    for field, value in message.ListFields():
        several = [value] if isinstance(value, (str, bytes, Message)) else value
        if field.type == FieldDescriptor.TYPE_STRING:
            yield from several
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in several:
                yield from _texts(part)


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
                yield _undefined(name, f"{node_label(node)}, {where}")
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
        names = [node_label(graph.node[i]) for i in error.args[1]]
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
            supported=f"one opset from 6 to {newest}",
            help="export the model again with opset_version=18",
        )


def _check_operators(
    graph: onnx.GraphProto, functions: set[tuple[str, str]], where: str
) -> Iterator[Diagnostic]:
    """Yield operators of unknown domains, and nodes that hold graphs of their own."""
    for node in graph.node:
        place = f"{node_label(node)}, {where}"
        known = node.domain in STANDARD_DOMAINS | QONNX_DOMAINS
        known = known or (node.domain, node.op_type) in functions
        known = known or f"{node.domain}::{node.op_type}" in by_onnx()
        known = known or (node.domain == CONTRIB_DOMAIN and node.op_type in LINEAR)
        if node.domain in STANDARD_DOMAINS or (node.domain == CONTRIB_DOMAIN and not known):
            refusals = list(refused_operators(node.op_type, place))
            known = known or bool(refusals)
            yield from refusals
        if not known:
            yield Diagnostic(
                code="HW012",
                title="operator of an unknown domain",
                where=place,
                found=f"{printable(node.domain)}::{printable(node.op_type)}",
                supported=f"standard ONNX operators, {QONNX_DOMAIN}",
                help="export plain QONNX, before any backend-specific transformation; "
                "or give an operator that claims it, with --plugin (docs/custom-layers.md)",
            )
        yield from _check_attributes(node, place)
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


def _opset(proto: onnx.ModelProto) -> int:
    """Return the version of the standard operators, or the nearest one that can be looked up."""
    found = [o.version for o in proto.opset_import if o.domain in STANDARD_DOMAINS]
    return int(min(max([*found, OLDEST_OPSET]), onnx.defs.onnx_opset_version()))


def _check_operands(proto: onnx.ModelProto, where: str) -> Iterator[Diagnostic]:
    """Yield operators with more or fewer inputs or outputs than ONNX or QONNX gives them."""
    opset = _opset(proto)
    for node in proto.graph.node:
        if node.domain in QONNX_DOMAINS and node.op_type == "QuantLSTMCell":
            yield cell_of_brevitas(f"{node_label(node)}, {where}")
            continue
        for kind, count, least, most in _counts(node, opset):
            if not least <= count <= most:
                yield Diagnostic(
                    code="HW025",
                    title=f"{printable(node.op_type)} has the wrong number of {kind}",
                    where=f"{node_label(node)}, {where}",
                    found=str(count),
                    supported=f"{least}" if least == most else f"{least} to {most}",
                )


def _counts(node: onnx.NodeProto, opset: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield how many inputs and outputs a node has, and the least and most it may have."""
    if node.domain in QONNX_DOMAINS:
        yield "outputs", len(node.output), 1, 1  # readers count the inputs of quantisers
    if node.domain not in STANDARD_DOMAINS or not onnx.defs.has(node.op_type):
        return
    try:
        schema = onnx.defs.get_schema(node.op_type, opset)
    except onnx.defs.SchemaError:  # the operator is newer than the opset
        return
    yield "inputs", len(node.input), schema.min_input, schema.max_input
    # fewer outputs than there are leave some out, which harms nobody
    yield "outputs", len(node.output), min(schema.min_output, 1), schema.max_output


def _check_known_attributes(proto: onnx.ModelProto, where: str) -> Iterator[Diagnostic]:
    """Yield attributes of nodes that nothing reads; see ``check_known``."""
    opset = _opset(proto)
    for owner in (proto.graph, *proto.functions):
        for node in owner.node:
            place = f"{node_label(node)}, {where}"
            yield from check_known(node, opset, place)


def _check_attributes(node: onnx.NodeProto, place: str) -> Iterator[Diagnostic]:
    """Yield attributes of a type that ONNX does not define, and texts that are not UTF-8."""
    plain = onnx.AttributeProto
    known = {
        plain.FLOAT, plain.INT, plain.STRING, plain.TENSOR, plain.FLOATS, plain.INTS,
        plain.STRINGS, plain.TENSORS, plain.GRAPH, plain.GRAPHS,
    }  # fmt: skip
    for attribute in node.attribute:
        problem = "" if attribute.type in known else "its type is not supported"
        try:
            for text in (attribute.s, *attribute.strings):
                text.decode()
        except UnicodeDecodeError:
            problem = "its text is not UTF-8"
        if attribute.ref_attr_name:
            problem = "it stands for an attribute of a function, and the node is in none"
        if attribute.type == plain.TENSOR and not attribute.HasField("t"):
            problem = "it has no value"
        if not problem and not _is_number(node.op_type, attribute):
            problem = "a value that is not finite"
        if problem:
            title = "an attribute cannot be read"
            found = f"{printable(attribute.name)}: {problem}"
            yield Diagnostic(code="HW034", title=title, where=place, found=found)


def _is_number(op_type: str, attribute: onnx.AttributeProto) -> bool:
    """Return whether the numbers of an attribute are finite, or no limit where that has a sense."""
    numbers = (attribute.f, *attribute.floats)
    if all(math.isfinite(n) for n in numbers):
        return True
    return takes_infinity(op_type) and not any(math.isnan(n) for n in numbers)


def _check_inputs(inputs: list[onnx.ValueInfoProto], where: str) -> Iterator[Diagnostic]:
    """Yield inputs that are no tensors of numbers, or larger than any tensor may be."""
    for value in inputs:
        place = f"graph input {printable(value.name)!r}, {where}"
        tensor = value.type.tensor_type
        if value.type.WhichOneof("value") != "tensor_type" or tensor.elem_type not in NUMERIC:
            yield Diagnostic(code="HW029", title="an input is not a tensor of numbers", where=place)
        yield from check_size([max(d.dim_value, 1) for d in tensor.shape.dim], place)


def _check_declared(graph: onnx.GraphProto, where: str) -> Iterator[Diagnostic]:
    """Yield results and constants that are declared larger than any tensor may be."""
    known = {t.name for t in graph.initializer}
    constants = [value for value in graph.input if value.name in known]
    for value in (*constants, *graph.value_info, *graph.output):
        dims = [max(d.dim_value, 1) for d in value.type.tensor_type.shape.dim]
        yield from check_size(dims, f"value {printable(value.name)!r}, {where}")
