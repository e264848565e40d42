"""Max and Min with a number are a Clip."""

from __future__ import annotations

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
    values = bound.values
    if not values.size or not np.all(values == values.flat[0]):
        return False
    write = Rewriter(model, node)
    number = write.numbers("bound", Constant(values.ravel()[:1].reshape(()), bound.quantized))
    write.replace("Clip", [x, number] if node.op_type == "Max" else [x, None, number])
    return write.done()
