"""Sums and means with constants or of several shapes, and sums of squares and magnitudes."""

from __future__ import annotations

from functools import reduce

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims


def to_one_shape(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``Sum`` of activations of one shape, and additions of constants and other shapes.

    A ``Mean`` is such a sum, times the reciprocal of its number of operands where that is exact.
    """
    operands = [v for v in node.inputs if v is not None]
    constants = [c for c in map(constant_of, operands) if c is not None]
    rest = [v for v in operands if constant_of(v) is None]
    shapes = {dims(v) for v in rest}
    count = len(operands)
    exact = node.op_type == "Sum" or count & (count - 1) == 0
    if not rest or count < 2 or not exact or (not constants and len(shapes) == 1):
        return False
    write = Rewriter(model, node)
    if len(shapes) == 1 and len(rest) > 2:
        found = write.add("Sum", rest)
    else:
        found = reduce(lambda a, b: write.add("Add", [a, b]), rest)
    if constants:
        values = sum(c.values for c in constants)
        number = Constant(np.asarray(values), all(c.quantized for c in constants))
        found = write.add("Add", [found, write.numbers("constant", number)])
    if node.op_type == "Sum":
        write.replace("Identity", [found])
    else:
        factor = write.numbers("factor", Constant(np.array(1.0 / count), quantized=True))
        write.replace("Mul", [found, factor])
    return write.done()


def to_sum(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``ReduceSumSquare``, ``ReduceL1`` and ``ReduceL2`` as sums of squares or magnitudes."""
    x = node.inputs[0]
    if x is None:
        return False
    write, inputs = Rewriter(model, node), list(node.inputs)
    attributes = {name: value.value for name, value in node.attributes.items()}
    if "axes" in attributes and model.ir.opset_imports.get("", 18) >= 13:
        inputs = [x, write.integers("axes", list(attributes.pop("axes")))]
    each = write.add("Abs", [x]) if node.op_type == "ReduceL1" else write.add("Mul", [x, x])
    if node.op_type == "ReduceL2":
        total = write.add("ReduceSum", [each, *inputs[1:]], **attributes)
        # the range of a product does not know that both factors are the same
        write.replace("Sqrt", [write.add("Abs", [total])])
    else:
        write.replace("ReduceSum", [each, *inputs[1:]], **attributes)
    return write.done()


def to_choice(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``Where`` by a constant condition as products with 0 and 1, and their sum."""
    condition, *both = node.inputs
    mask = None if condition is None else constant_of(condition)
    if mask is None or None in both:
        return False
    constants = [constant_of(v) for v in both if v is not None]
    finite = all(c is None or bool(np.isfinite(c.values).all()) for c in constants)
    if not finite or all(c is not None for c in constants):
        return False
    write, parts = Rewriter(model, node), []
    kept = mask.values.astype(bool)
    for value, constant, where in zip(both, constants, (kept, ~kept), strict=True):
        assert value is not None
        if constant is not None:
            values = np.where(where, constant.values, 0.0)
            parts.append(write.numbers("constant", Constant(values, constant.quantized)))
        else:
            chosen = write.numbers("chosen", Constant(where.astype(np.float64), quantized=True))
            parts.append(write.add("Mul", [value, chosen]))
    write.replace("Add", parts)
    return write.done()
