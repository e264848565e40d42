"""Max and Min of any number of operands are those of two, and clips where one is a number."""

from __future__ import annotations

from functools import reduce

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims


def to_clip(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``Max`` or ``Min`` of an activation and a constant of one value as ``Clip``."""
    if len(node.inputs) != 2 or None in node.inputs:
        return False
    left, right = (v for v in node.inputs if v is not None)
    x, other = (left, right) if constant_of(left) is None else (right, left)
    bound = constant_of(other)
    if bound is None or constant_of(x) is not None or dims(x) != dims(node.outputs[0]):
        return False
    values, write = bound.values, Rewriter(model, node)
    if not values.size or not np.all(np.isfinite(values)):
        return False
    if not np.all(values == values.flat[0]):
        return _beyond(write, node, x, bound)
    number = write.numbers("bound", Constant(values.ravel()[:1].reshape(()), bound.quantized))
    write.replace("Clip", [x, number] if node.op_type == "Max" else [x, None, number])
    return write.done()


def _beyond(write: Rewriter, node: ir.Node, x: ir.Value, bound: Constant) -> bool:
    """Write ``max(x, c)`` as ``relu(x - c) + c``, and ``min(x, c)`` as ``c - relu(c - x)``."""
    number = write.numbers("bound", bound)
    if node.op_type == "Max":
        beyond = write.add("Relu", [write.add("Sub", [x, number])])
        write.replace("Add", [beyond, number])
    else:
        beyond = write.add("Relu", [write.add("Sub", [number, x])])
        write.replace("Sub", [number, beyond])
    return write.done()


def to_pairs(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``Max`` or ``Min`` of three or more operands as those of two; constants are one."""
    operands = [v for v in node.inputs if v is not None]
    if len(operands) < 3:
        return False
    constants = [c for c in map(constant_of, operands) if c is not None]
    rest = [v for v in operands if constant_of(v) is None]
    if not rest:
        return False
    write = Rewriter(model, node)
    if constants:
        merge = np.maximum if node.op_type == "Max" else np.minimum
        values = reduce(merge, (c.values for c in constants))
        quantized = all(c.quantized for c in constants)
        rest.append(write.numbers("bound", Constant(values, quantized)))
    *first, last = rest
    found = reduce(lambda a, b: write.add(node.op_type, [a, b]), first)
    write.replace(node.op_type, [found, last])
    return write.done()
