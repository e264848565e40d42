"""Model pass: evaluates what depends on no input, exactly, and checks every quantiser."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import (
    QonnxModel,
    constant_of,
    constants,
    is_quantizer,
    operator_name,
    printable,
    set_constant,
)
from hwflow.ir.qonnx.nodes import InvalidQuantizerError, read_quantizer
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ops import facts_of

__all__ = ["MAX_ELEMENTS", "constants", "fold_constants"]

MAX_ELEMENTS = 2**28
"""Largest tensor that is computed: 2 GiB as float64."""


def fold_constants(model: QonnxModel) -> QonnxModel:
    """Replace every node whose operands are constant by its value.

    1. ``Shape`` and ``Size`` of a value of known shape are constants.
    2. Each quantiser is read and checked; one of a constant is evaluated as integer levels times
       scale, exact in float64.
    3. Other operators on constants are evaluated in float64 (integers as they are), so that a
       chain of them is rounded once, to the float32 that the model keeps.
    4. A constant is marked as quantised where a quantiser, and then only operators that move
       values, stand behind it.
    5. What became unused is removed.

    Returns:
        The same model, changed in place; ``constants(model)`` gives the exact values.

    Raises:
        CompileError: HW020 to HW025, all invalid quantisers; HW032, a constant cannot be evaluated
            or is not finite; HW004, it is too large; HW030, a scale does not
            fit the shape of its value.
    """
    findings: list[Diagnostic] = []
    for node in list(model.ir.graph):
        try:
            quantizer = _read(node, model)
            _fold(model.ir.graph, node, quantizer)
        except InvalidQuantizerError as error:
            findings += error.diagnostics
        except _UnfoldableError as error:
            findings.append(error.diagnostic(model.where(node)))
    if findings:
        raise CompileError(findings)
    common.RemoveUnusedNodesPass()(model.ir)
    return model


class _UnfoldableError(Exception):
    """A constant node cannot be evaluated."""

    def __init__(self, code: str, title: str, found: str) -> None:
        self.code, self.title, self.found = code, title, found
        super().__init__(title)

    def diagnostic(self, where: str) -> Diagnostic:
        return Diagnostic(
            code=self.code, title=self.title, where=where, found=printable(self.found)
        )


def _read(node: ir.Node, model: QonnxModel) -> Quantizer | None:
    """Return the quantiser that a node is, if it is one of integers."""
    if not is_quantizer(node) or node.op_type == "FloatQuant":
        return None
    quantizer = read_quantizer(node, model.where(node))
    shape = None if node.inputs[0] is None else node.inputs[0].shape
    if shape is not None and all(isinstance(d, int) for d in shape):
        _check_spread(quantizer, tuple(int(d) for d in shape.numpy()))
    return quantizer


def _check_spread(quantizer: Quantizer, shape: tuple[int, ...]) -> None:
    """Refuse a scale or zero point that does not broadcast to the shape of the quantised value."""
    for name, array in (("scale", quantizer.scale), ("zero point", quantizer.zero_point)):
        try:
            fits = np.broadcast_shapes(array.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            found = f"{name} of shape {array.shape} for a value of shape {shape}"
            raise _UnfoldableError("HW030", "shapes do not fit together", found)


def _fold(graph: ir.Graph, node: ir.Node, quantizer: Quantizer | None) -> None:
    """Evaluate a node if it is constant, and put initializers in its place."""
    shape = _shape_of(node)
    if shape is not None:
        _replace(graph, node, [shape], quantized=False)
        return
    operands = [None if v is None else constant_of(v) for v in node.inputs]
    is_known = [v is None or c is not None for v, c in zip(node.inputs, operands, strict=True)]
    if not operands or not all(is_known) or (node.domain and quantizer is None):
        return
    _check_size(node)
    if quantizer is not None:
        assert operands[0] is not None
        _check_spread(quantizer, operands[0].values.shape)  # its declared shape may be missing
        values = quantizer(operands[0].values)
        _check_finite(node, values)
        _replace(
            graph,
            node,
            [np.broadcast_to(values, operands[0].values.shape)],
            quantized=True,
        )
        return
    facts = facts_of(node)  # what only moves takes from a quantiser what is still quantised
    moved = operands if facts.one_scale else operands[:1]
    quantized = all(c is not None and c.quantized for c in moved)
    quantized &= facts.selects or operator_name(node) == "Cast"
    _replace(graph, node, _evaluate(node, graph.opset_imports), quantized=quantized)


def _shape_of(node: ir.Node) -> npt.NDArray[np.int64] | None:
    """Return the result of ``Shape`` or ``Size`` on a value of known shape."""
    if node.domain or node.op_type not in ("Shape", "Size") or node.inputs[0] is None:
        return None
    shape = node.inputs[0].shape
    if shape is None or not all(isinstance(d, int) for d in shape):
        return None
    dims = np.array(shape.numpy(), np.int64)
    if node.op_type == "Size":
        return np.array(dims.prod(), np.int64)
    start = node.attributes["start"].as_int() if "start" in node.attributes else 0
    end = node.attributes["end"].as_int() if "end" in node.attributes else None
    return dims[start:end]


def _check_size(node: ir.Node) -> None:
    """Refuse results that would take absurd amounts of memory."""
    for value in node.outputs:
        dims = [] if value.shape is None else [d for d in value.shape if isinstance(d, int)]
        if math.prod(dims) > MAX_ELEMENTS:
            found = f"{' x '.join(map(str, dims))} elements, at most {MAX_ELEMENTS} are supported"
            raise _UnfoldableError("HW004", "a tensor is too large", found)


def _evaluate(node: ir.Node, opsets: Mapping[str, int]) -> list[npt.NDArray[Any]]:
    """Return the results of a standard operator on constants, floats in float64."""
    from onnx.reference import ReferenceEvaluator

    feeds = {}
    for value in node.inputs:
        if value is not None and value.const_value is not None:
            array = value.const_value.numpy()
            known = constant_of(value)
            is_float = array.dtype.kind == "f" and known is not None
            feeds[value.name or ""] = known.values if is_float and known else array
    proto = ir.to_proto(node)
    inputs = [onnx.ValueInfoProto(name=name) for name in feeds]
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "constant", inputs, outputs)
    imports = [onnx.helper.make_opsetid("", opsets[""])]
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused below, with its place
            evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=imports))
            results = [np.asarray(r) for r in evaluator.run(None, feeds)]
    except Exception as error:  # an operator the evaluator lacks, or operands that do not fit
        cause = error.__cause__ or error
        raise _UnfoldableError("HW032", "a constant cannot be evaluated", str(cause)) from error
    for result in results:
        _check_finite(node, result)
    return results


def _check_finite(node: ir.Node, values: npt.NDArray[Any]) -> None:
    """Refuse results that are not numbers."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise _UnfoldableError("HW032", "a constant is computed that is not finite", node.op_type)


def _replace(
    graph: ir.Graph, node: ir.Node, results: list[npt.NDArray[Any]], *, quantized: bool
) -> None:
    """Put initializers with a node's results in its place, under the same names."""
    named = [value for value in node.outputs if value.name]
    initializers = []
    for old, array in zip(named, results, strict=True):
        is_float = array.dtype.kind == "f"
        stored = np.ascontiguousarray(array, np.float32 if is_float else array.dtype)
        tensor = ir.tensor(stored.reshape(array.shape), name=old.name)
        new = ir.Value(
            name=old.name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(tensor.dtype),
            const_value=tensor,
        )
        if is_float:
            set_constant(new, Constant(array.astype(np.float64), quantized))
        initializers.append(new)
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    for value in initializers:
        graph.register_initializer(value)
