"""A matrix product of two activations has equal outer axes, and is an operator of its own."""

from __future__ import annotations

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.ops.matmul import NAME
from hwflow.passes.model.rewrites.writer import Rewriter, dims


def to_products(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``A B``, (..., n, k) times (..., k, m), with the outer axes repeated where they are 1.

    ONNX broadcasts outer axes; a matrix that belongs to several is repeated for each of them.
    """
    a, b = node.inputs
    if a is None or b is None or any(constant_of(v) is not None for v in (a, b)):
        return False
    left, right, out = dims(a), dims(b), dims(node.outputs[0])
    if len(left) != len(right) or len(left) < 3 or left[0] != 1 or right[0] != 1:
        return False
    write = Rewriter(model, node)
    operands = []
    for value, shape in ((a, left), (b, right)):
        times = [o // s for o, s in zip(out[:-2], shape[:-2], strict=True)]
        if any(t > 1 for t in times):
            value = write.add("Tile", [value, write.integers("times", [*times, 1, 1])])
        operands.append(value)
    write.replace(NAME, operands)
    return write.done()
