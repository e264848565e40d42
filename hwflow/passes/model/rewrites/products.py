"""A matrix product of two activations is their products, element by element, and sums of those."""

from __future__ import annotations

from math import prod

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims

MAX_PRODUCTS = 2**14
"""Most products: each of them is a multiplication of its own in hardware."""


def to_products(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``A B``, (..., n, k) times (..., k, m), as (..., n, m, k) products and their sums."""
    a, b = node.inputs
    if a is None or b is None or any(constant_of(v) is not None for v in (a, b)):
        return False
    left, right, out = dims(a), dims(b), dims(node.outputs[0])
    if len(left) != len(right) or len(left) < 3 or left[:-2] != right[:-2] or left[0] != 1:
        return False
    *outer, n, k = left
    m = right[-1]
    if prod(out) * k > MAX_PRODUCTS:
        return False  # refused where it is lowered
    write, rank = Rewriter(model, node), len(left)
    turned = write.add("Transpose", [b], perm=[*range(rank - 2), rank - 1, rank - 2])
    rows = write.add("Reshape", [a, write.integers("rows", [*outer, n, 1, k])])
    columns = write.add("Reshape", [turned, write.integers("columns", [*outer, 1, m, k])])
    ones = [1] * len(outer)
    parts = [
        write.add("Tile", [rows, write.integers("times", [*ones, 1, m, 1])]),
        write.add("Tile", [columns, write.integers("times", [*ones, n, 1, 1])]),
    ]
    products = write.add("Mul", parts)
    opset = model.ir.opset_imports.get("", 18)
    if opset >= 13:
        write.replace("ReduceSum", [products, write.integers("axes", [rank])], keepdims=0)
    else:
        write.replace("ReduceSum", [products], axes=[rank], keepdims=0)
    return write.done()
