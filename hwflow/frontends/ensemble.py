"""Merges several networks that share their inputs into one that averages (or adds) their outputs.

The result is an ordinary QONNX model: inputs are shared, everything else of a network carries the
network's name in front, and what networks compute alike (the quantiser of an input) is there once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file
from hwflow.frontends import load
from hwflow.frontends.onnx.reader import MAX_FILE_BYTES
from hwflow.ir.names import Namer
from hwflow.ir.qonnx.model import QonnxModel, origin, printable
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes

VOTES = {"mean": "Mean", "sum": "Sum"}
"""ONNX operators by the name of the vote."""

CLASS_AXIS = 1
"""ONNX axis of the classes: behind the batch, as torch's losses have it."""

_SCOPES = "pkg.torch.onnx.name_scopes"


def ensemble(sources: Sequence[Any], *, vote: str = "mean", label: bool = False) -> QonnxModel:
    """Merge networks that take the same inputs and give outputs of the same shapes.

    Args:
        sources: two or more of what ``load`` takes; they are not changed.
        vote: how outputs become one: ``mean`` (exact for a power of two of networks, else rounded
            once) or ``sum`` (always exact; the same order of classes).
        label: give the number of the greatest class instead, along ONNX axis 1. Means have the
            order of sums, so that sums are compared, without a division.

    Returns:
        A model that ``compile`` and ``save_model`` take; inputs and outputs are named as in the
        first network, a label ``label``.

    Raises:
        CompileError: a network cannot be read; HW260, there are fewer than two; HW261, HW262,
            HW263, their inputs, outputs or operator sets differ; HW264, unknown vote; HW265, an
            output is no real number, or has no classes to give a label of.
    """
    findings = list(_misuses(len(sources), vote))
    if findings:
        raise CompileError(findings)
    members = _loaded(sources)
    findings = [f for other in members[1:] for f in _misfits(members[0], other)]
    findings += _unfit_outputs(members[0], label=label)
    if findings:
        raise CompileError(findings)
    merged = _merged(members, VOTES["sum" if label else vote], label=label)
    common.DeduplicateInitializersPass()(merged)
    common.CommonSubexpressionEliminationPass()(merged)
    common.RemoveUnusedNodesPass()(merged)
    return QonnxModel(merged, "ensemble", f"ensemble of {', '.join(m.source for m in members)}")


def model_bytes(model: QonnxModel) -> bytes:
    """Return the content of a model's ONNX file; equal models give equal bytes.

    Raises:
        CompileError: HW003, the model is larger than a file can be.
    """
    proto = ir.to_proto(model.ir)
    size = proto.ByteSize()
    if size > MAX_FILE_BYTES:
        finding = Diagnostic(
            code="HW003", title="the model is too large for one file", where=f"in {model.source}",
            found=f"{size} bytes", supported=f"up to {MAX_FILE_BYTES} bytes",
        )  # fmt: skip
        raise CompileError([finding])
    return bytes(proto.SerializeToString(deterministic=True))


def save_model(model: QonnxModel, path: Path) -> Path:
    """Write a model as an ONNX file, whole or not at all.

    Raises:
        CompileError: HW003, the model is larger than a file can be; HW552, the file cannot be
            written.
    """
    return write_file(path, model_bytes(model))


def _misuses(count: int, vote: str) -> Iterator[Diagnostic]:
    """Yield what is wrong with the arguments."""
    if count < 2:
        yield Diagnostic(
            code="HW260", title="too few networks", found=str(count), supported="two or more",
            help="name every network of the ensemble; one may be named twice",
        )  # fmt: skip
    if vote not in VOTES:
        yield Diagnostic(
            code="HW264", title="unknown vote", found=repr(printable(vote)),
            supported=", ".join(VOTES),
        )  # fmt: skip


def _loaded(sources: Sequence[Any]) -> list[QonnxModel]:
    """Return all networks, each a copy, cleaned, and with the types of its outputs inferred."""
    members: list[QonnxModel] = []
    findings: list[Diagnostic] = []
    for source in sources:
        try:
            model = load(source)
            copies = [ir.from_proto(ir.to_proto(model.ir)) for _ in range(2)]
            own, inferred = (
                clean_model(QonnxModel(copy, model.name, model.source)) for copy in copies
            )
            infer_shapes(inferred)  # may fold constants, so that quantisers of weights are lost
            for value, known in zip(own.ir.graph.outputs, inferred.ir.graph.outputs, strict=True):
                value.shape, value.type = known.shape, known.type
            members.append(own)
        except CompileError as error:
            findings += error.diagnostics
    if findings:
        raise CompileError(findings)
    return members


def _misfits(first: QonnxModel, other: QonnxModel) -> Iterator[Diagnostic]:
    """Yield what keeps two networks from being merged."""
    kinds = (
        ("HW261", "inputs of the networks differ", _inputs),
        ("HW262", "outputs of the networks differ", _outputs),
        ("HW263", "operator sets of the networks differ", _operator_sets),
    )
    for code, title, describe in kinds:
        if describe(first) != describe(other):
            yield Diagnostic(
                code=code,
                title=title,
                where=f"in {other.source}",
                found=describe(other),
                supported=f"{describe(first)}, as in {first.source}",
                help="export all networks with the same input names, shapes and opset_version",
            )


def _unfit_outputs(model: QonnxModel, *, label: bool) -> Iterator[Diagnostic]:
    """Yield outputs that cannot be added, or have no axis of classes."""
    for value in model.ir.graph.outputs:
        rank = 0 if value.shape is None else len(value.shape)
        if value.dtype != ir.DataType.FLOAT or (label and rank <= CLASS_AXIS):
            yield Diagnostic(
                code="HW265",
                title="output that an ensemble cannot vote on",
                where=f"output {printable(value.name or '')!r}, in {model.source}",
                found=_tensor(value),
                supported="real numbers, for a label with the classes on axis 1",
                help="leave ArgMax out of the networks; --label appends it behind the vote",
            )


def _inputs(model: QonnxModel) -> str:
    return ", ".join(f"{printable(v.name or '')} {_tensor(v)}" for v in model.ir.graph.inputs)


def _outputs(model: QonnxModel) -> str:
    return ", ".join(_tensor(v) for v in model.ir.graph.outputs)


def _operator_sets(model: QonnxModel) -> str:
    """Return versions by domain, and the model's own functions with a digest of each."""
    found = [f"{printable(d) or 'ONNX'} {v}" for d, v in sorted(model.ir.opset_imports.items())]
    for (domain, name, _), function in sorted(model.ir.functions.items()):
        content = ir.to_proto(function).SerializeToString(deterministic=True)
        found.append(
            printable(f"{domain}::{name}") + f" #{hashlib.sha256(content).hexdigest()[:8]}"
        )
    return ", ".join(found)


def _tensor(value: ir.Value) -> str:
    """Return type and shape of a value, e.g. ``FLOAT[1,10]``."""
    dtype = "?" if value.dtype is None else value.dtype.name
    return f"{dtype}[{','.join(str(d) for d in value.shape or ())}]"


def _merged(members: Sequence[QonnxModel], operator: str, *, label: bool) -> ir.Model:
    """Return the first network's model with the nodes of all, and the votes as its outputs."""
    model = members[0].ir
    model.graph.name = "ensemble"
    outputs = [list(m.ir.graph.outputs) for m in members]
    names = [v.name or "" for v in outputs[0]]
    inputs = {v.name: v for v in model.graph.inputs}
    taken = {*names, *(v.name or "" for v in model.graph.inputs)}
    prefixes = Namer()
    for member in members:
        graph = member.ir.graph
        _rename(graph, prefixes.unique(member.name), taken)
        if graph is model.graph:
            continue
        for value in graph.inputs:
            ir.convenience.replace_all_uses_with(value, inputs[value.name])
        for value in list(graph.initializers.values()):
            graph.initializers.pop(value.name or "")
            model.graph.register_initializer(value)
        nodes = list(graph)
        graph.outputs.clear()
        graph.remove(nodes)
        model.graph.extend(nodes)
    votes = [
        _vote(model.graph, values, operator, name, taken, label=label)
        for name, values in zip(names, zip(*outputs, strict=True), strict=True)
    ]
    model.graph.outputs.clear()
    model.graph.outputs.extend(votes)
    return model


def _rename(graph: ir.Graph, prefix: str, taken: set[str]) -> None:
    """Put a prefix before the names of all nodes and values but the inputs."""
    for node in graph:
        layer = re.sub(r"[^\w.]+", "_", origin(node))
        node.name = f"/{prefix}/{layer}/{node.op_type}"
        node.metadata_props.pop(_SCOPES, None)  # the author's names, which the prefix replaces
        for value in node.outputs:
            if value.name:
                value.name = _free(f"{prefix}/{value.name}", taken)
    for value in list(graph.initializers.values()):
        value.name = _free(f"{prefix}/{value.name}", taken)


def _free(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _vote(
    graph: ir.Graph, values: Sequence[ir.Value], operator: str, name: str, taken: set[str],
    *, label: bool,
) -> ir.Value:  # fmt: skip
    """Append the vote on one output and return it, or its greatest class."""
    node = ir.node(operator, values, name="vote")
    (result,) = node.outputs
    result.name, result.shape, result.type = name, values[0].shape, values[0].type
    graph.append(node)
    if not label:
        return result
    attributes = {"axis": CLASS_AXIS, "keepdims": 0}
    node = ir.node("ArgMax", [result], attributes, name="label")
    dims = list(result.shape or ())
    node.outputs[0].name = _free("label", taken)
    node.outputs[0].shape = ir.Shape(dims[:CLASS_AXIS] + dims[CLASS_AXIS + 1 :])
    node.outputs[0].type = ir.TensorType(ir.DataType.INT64)
    graph.append(node)
    return node.outputs[0]
