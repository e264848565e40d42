"""Values that depend on no input, as the model itself has them; apart from the passes' own folding.

Weights are the levels that a division in float32 gives, as torch, qonnx and ONNX Runtime make it,
times the scale, exactly. Other operators on constants are evaluated in float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, attributes, constant_of, is_quantizer
from hwflow.ir.qonnx.nodes import quantizer_of
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.verify.references.exact.quantizers import STEPS
from hwflow.verify.references.exact.values import F64, NoExactReferenceError

Constants = dict[str, npt.NDArray[Any]]


def known_values(model: QonnxModel) -> tuple[Constants, list[ir.Node]]:
    """Return the values of constants by name, and the nodes that depend on an input.

    Args:
        model: after ``infer_shapes``.

    Raises:
        NoExactReferenceError: an operator on constants cannot be evaluated.
    """
    graph = model.ir.graph
    found = {
        name: values
        for name, value in graph.initializers.items()
        if (values := _initial(value)) is not None
    }
    left = []
    for node in graph:
        results = _results(node, found, graph.opset_imports.get("", 1), model.where(node))
        if results is None:
            left.append(node)
            continue
        named = [value.name for value in node.outputs if value.name]
        found.update(zip(named, results, strict=True))
    return found, left


def _initial(value: ir.Value) -> npt.NDArray[Any] | None:
    """Return an initializer: floats exactly, integers as they are."""
    known = constant_of(value)
    if known is None or value.const_value is None:
        return None
    stored = value.const_value.numpy()
    return known.values if stored.dtype.kind == "f" else stored


def _results(
    node: ir.Node, known: Constants, opset: int, where: str
) -> Sequence[npt.NDArray[Any]] | None:
    """Return the results of a node, or None where it depends on an input."""
    if not node.domain and node.op_type in ("Shape", "Size"):
        shape = None if node.inputs[0] is None else node.inputs[0].shape
        if shape is not None:
            return [_extents(node, np.array(shape.numpy(), np.int64))]
    operands = [None if v is None else known.get(v.name or "") for v in node.inputs]
    if not operands or any(
        a is None and v is not None for a, v in zip(operands, node.inputs, strict=True)
    ):
        return None
    if is_quantizer(node) and node.op_type != "FloatQuant":
        parameters = [np.asarray(a, np.float64) for a in operands[1:] if a is not None]
        quantizer = quantizer_of(node.op_type, parameters, attributes(node))
        return [_quantized(quantizer, np.asarray(operands[0], np.float64))]
    return _evaluated(node, operands, opset, where)


def _extents(node: ir.Node, dims: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the result of ``Shape`` or ``Size``."""
    if node.op_type == "Size":
        return np.array(dims.prod(), np.int64)
    attrs = attributes(node)
    return dims[attrs.get("start", 0) : attrs.get("end")]


def _quantized(quantizer: Quantizer, x: F64) -> F64:
    """Return a quantised constant: levels of float32, times scale in float64."""
    with np.errstate(over="ignore"):  # what is too large is clamped
        scaled = x.astype(np.float32) / quantizer.scale.astype(np.float32)
    y = (scaled + quantizer.zero_point.astype(np.float32)).astype(np.float64)
    zero = quantizer.zero_point
    scale = quantizer.scale
    if quantizer.bipolar:
        levels = np.where(y >= 0, 1.0, -1.0)
    else:
        if quantizer.kind == "Trunc":
            assert quantizer.output_scale is not None
            y, scale = np.rint(y) / 2.0**quantizer.truncated_bits, quantizer.output_scale
            zero = zero / 2.0**quantizer.truncated_bits if quantizer.clamps else zero
        if quantizer.clamps:
            y = np.clip(y, quantizer.raw_min, quantizer.raw_max)
        levels = STEPS[quantizer.rounding](y)
    return np.asarray((levels - zero) * scale)


def _evaluated(
    node: ir.Node, operands: Sequence[npt.NDArray[Any] | None], opset: int, where: str
) -> Sequence[npt.NDArray[Any]]:
    """Return the results of a standard operator on constants."""
    proto = ir.to_proto(node)
    names = [value.name or "" if value is not None else "" for value in node.inputs]
    feeds = {n: a for n, a in zip(names, operands, strict=True) if a is not None}
    return evaluated(proto, feeds, opset, f"{where}: {node.op_type}")


def evaluated(
    proto: onnx.NodeProto, feeds: Mapping[str, npt.NDArray[Any]], opset: int, where: str
) -> Sequence[npt.NDArray[Any]]:
    """Return the results of a node as ONNX's own evaluator gives them.

    Raises:
        NoExactReferenceError: the evaluator does not take the node.
    """
    from onnx.reference import ReferenceEvaluator

    inputs = [onnx.ValueInfoProto(name=name) for name in feeds]
    outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
    graph = onnx.helper.make_graph([proto], "constant", inputs, outputs)
    imports = [onnx.helper.make_opsetid("", opset)]
    try:
        with np.errstate(all="ignore"):
            evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=imports))
            return [np.asarray(result) for result in evaluator.run(None, dict(feeds))]
    except Exception as error:  # an operator that the evaluator lacks, or operands that do not fit
        problem = f"{where} is not taken by ONNX's own evaluator: {error}"
        raise NoExactReferenceError(problem) from error
