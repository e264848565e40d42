"""Model pass: gives every value its full static shape."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import (
    MAX_AXES,
    QONNX_DOMAIN,
    QUANTIZERS,
    QonnxModel,
    attributes,
    is_quantizer,
    operator_name,
    printable,
    too_many_axes,
)
from hwflow.ops import by_onnx
from hwflow.passes.model.fold_constants import MAX_ELEMENTS, fold_constants


def infer_shapes(model: QonnxModel) -> QonnxModel:
    """Infer the shape and element type of every value.

    1. Shapes inferred before are dropped: a pass may have made them stale.
    2. ONNX's own shape inference runs, with each quantiser described to it as a function that
       returns its first input.
    3. Where ONNX and the model's functions know nothing of an operator, the one that claims it is
       asked, and the inference goes on from there.
    4. Where a shape is computed (``Shape``, ``Gather``, ``Concat`` before a ``Reshape``), constants
       are folded with the shapes known so far and the inference runs again, as long as that helps.

    Returns:
        The same model, changed in place.

    Raises:
        CompileError: HW030, the shapes of a node's operands contradict each other or its
            attributes; HW031, a shape cannot be inferred; HW004, a tensor is too large.
    """
    graph = model.ir.graph
    for node in graph:
        for value in node.outputs:
            value.shape, value.type = None, None
    unknown = math.inf
    while (left := _infer(model)) and len(left) < unknown:
        unknown = len(left)
        _ask_operators(left)
        fold_constants(model)
    findings = [*_unknown(model, left), *_too_large(model)]
    if findings:
        raise CompileError(findings)
    return model


def _infer(model: QonnxModel) -> list[ir.Node]:
    """Run ONNX's inference once; return the nodes with results of unknown shape, in order."""
    proto = _skeleton(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        finding = Diagnostic(
            code="HW030",
            title="shapes do not fit together",
            where=f"in {model.source}",
            found=printable(str(error).strip().splitlines()[-1]),
            help="export the model again: these shapes contradict an operator's definition",
        )
        raise CompileError([finding]) from error
    known = {v.name: v for v in (*inferred.graph.value_info, *inferred.graph.output)}
    for node in model.ir.graph:
        for value in node.outputs:
            if value.name in known:
                _record(value, known[value.name])
    return [n for n in model.ir.graph if any(not _is_static(v) for v in n.outputs if v.name)]


def _ask_operators(nodes: list[ir.Node]) -> None:
    """Take the shapes of results from the operators that claim nodes unknown to ONNX."""
    claims = by_onnx()
    for node in nodes:
        cls = claims.get(operator_name(node)) if node.domain else None
        first = node.inputs[0] if node.inputs else None
        if cls is None or first is None or not all(v is None or _is_static(v) for v in node.inputs):
            continue
        shapes = [() if v is None else tuple(_dims(v)) for v in node.inputs]
        node.outputs[0].shape = ir.Shape(cls.onnx_shape(attributes(node), *shapes))
        node.outputs[0].type = first.type or ir.TensorType(ir.DataType.FLOAT)


def _dims(value: ir.Value) -> list[int]:
    """Return a static shape."""
    return [] if value.shape is None else [int(d) for d in value.shape.numpy()]


def _skeleton(model: QonnxModel) -> onnx.ModelProto:
    """Return the model for shape inference: the values of large initializers left out."""
    graph = model.ir.graph
    proto = onnx.ModelProto(ir_version=10)
    for domain, version in graph.opset_imports.items():
        proto.opset_import.add(domain=domain, version=version)
    proto.graph.name = "shapes"
    proto.graph.node.extend(ir.to_proto(node) for node in graph)
    for node in proto.graph.node:
        del node.metadata_props[:]
        if node.op_type == "GroupNormalization" and not node.domain:  # ONNX infers nothing of it
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]
    proto.graph.input.extend(ir.to_proto(value) for value in graph.inputs)
    for value in graph.initializers.values():
        tensor = value.const_value
        assert tensor is not None
        if tensor.size <= _SMALL.get(tensor.dtype, 0):
            proto.graph.initializer.append(ir.to_proto(tensor))
            proto.graph.initializer[-1].name = value.name or ""
        else:
            proto.graph.input.append(
                onnx.helper.make_tensor_value_info(
                    value.name or "", int(tensor.dtype), list(tensor.shape.numpy())
                )
            )
    for value in graph.outputs:
        proto.graph.output.add(name=value.name)
    for value in (v for n in graph if "::" in operator_name(n) for v in n.outputs):
        if _is_static(value):
            proto.graph.value_info.append(ir.to_proto(value))
    functions = model.ir.functions.values()
    proto.functions.extend(ir.to_proto(f) for f in functions)
    proto.functions.extend(_quantizer_functions([*graph, *(n for f in functions for n in f)]))
    return proto


_SMALL = {ir.DataType.INT64: 1024, ir.DataType.INT32: 1024, ir.DataType.FLOAT: 8}
"""Initializers up to these sizes may be shapes, axes, pads or the scales of a Resize."""


def _quantizer_functions(nodes: list[ir.Node]) -> list[onnx.FunctionProto]:
    """Return one function for each kind of quantiser in use: the result is the first input."""
    used = {(n.op_type, len(n.inputs)) for n in nodes if is_quantizer(n)}
    widest = {op: max(count for other, count in used if other == op) for op, _ in used}
    standard = onnx.helper.make_opsetid("", 13)
    return [
        onnx.helper.make_function(
            QONNX_DOMAIN,
            op_type,
            [f"x{i}" for i in range(count)],
            ["y"],
            [onnx.helper.make_node("Identity", ["x0"], ["y"])],
            [standard],
        )
        for op_type, count in sorted(widest.items())
        if op_type in QUANTIZERS
    ]


def _record(value: ir.Value, info: onnx.ValueInfoProto) -> None:
    """Take over an inferred type and, where it is complete, shape."""
    tensor = info.type.tensor_type
    if not tensor.elem_type:
        return
    value.type = ir.TensorType(ir.DataType(tensor.elem_type))
    dims = tensor.shape.dim
    if tensor.HasField("shape") and all(d.HasField("dim_value") for d in dims):
        value.shape = ir.Shape([d.dim_value for d in dims])


def _is_static(value: ir.Value) -> bool:
    """Return whether every axis of a value has a known size."""
    return value.shape is not None and all(isinstance(d, int) for d in value.shape)


def _unknown(model: QonnxModel, nodes: list[ir.Node]) -> Iterator[Diagnostic]:
    """Yield the nodes at which inference stops; those behind them would only repeat it."""
    for node in nodes:
        if all(v is None or v.const_value is not None or _is_static(v) for v in node.inputs):
            yield Diagnostic(
                code="HW031",
                title="the shape of a result cannot be inferred",
                where=model.where(node),
                found=f"{printable(node.domain)}::{printable(node.op_type)}"
                if node.domain
                else "its shape depends on the data, or the operator is unknown",
                help="export with fixed shapes and plain QONNX operators",
            )


def _too_large(model: QonnxModel) -> Iterator[Diagnostic]:
    """Yield nodes whose result is too large to be computed."""
    for node in model.ir.graph:
        for value in node.outputs:
            if value.shape is not None and _is_static(value):
                dims = _dims(value)
                if math.prod(dims) > MAX_ELEMENTS:
                    yield Diagnostic(
                        code="HW004",
                        title="a tensor is too large",
                        where=model.where(node),
                        found=f"{' x '.join(map(str, dims))} elements",
                        supported=f"up to {MAX_ELEMENTS} elements",
                    )
                elif len(dims) > MAX_AXES:
                    yield too_many_axes(len(dims), model.where(node))
