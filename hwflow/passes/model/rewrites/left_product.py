"""A constant matrix from the left is one from the right, between two transpositions."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims


def to_right(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``R x`` as ``(x^T R^T)^T`` for a constant ``R`` of two axes, or of more of length 1."""
    left, x = node.inputs
    constant = None if left is None else constant_of(left)
    rank = len(dims(x))
    if constant is None or x is None or constant_of(x) is not None or rank < 3:
        return False
    matrix = constant.values
    if matrix.ndim < 2 or any(d != 1 for d in matrix.shape[:-2]) or matrix.ndim > rank:
        return False
    matrix = matrix.reshape(matrix.shape[-2:])
    write, perm = Rewriter(model, node), [*range(rank - 2), rank - 1, rank - 2]
    turned = Constant(np.ascontiguousarray(matrix.T), constant.quantized)
    product = write.add(
        "MatMul", [write.add("Transpose", [x], perm=perm), write.numbers("matrix", turned)]
    )
    write.replace("Transpose", [product], perm=perm)
    return write.done()
