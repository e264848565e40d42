"""Constant matrices, one for each element of an outer axis, are products of their own."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims

MAX_WHOLE = 2**16
"""Most elements of one matrix that has all others on its diagonal."""


def to_matrices(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``x W``, with ``W`` of shape (..., k, m), as products with one matrix each.

    All products see the same columns where ``W`` has one matrix only. Otherwise, the outer axes of
    ``x`` are those of ``W``, behind the batch axis.
    """
    x, weight = node.inputs
    constant = None if weight is None else constant_of(weight)
    if x is None or constant is None or constant_of(x) is not None:
        return False
    values, shape = constant.values, dims(x)
    outer = values.shape[:-2]
    if values.ndim < 3 or len(shape) < 3:
        return False
    write = Rewriter(model, node)
    if prod(outer) == 1 and values.ndim <= len(shape):
        matrix = Constant(values.reshape(values.shape[-2:]), constant.quantized)
        write.replace("MatMul", [x, write.numbers("matrix", matrix)])
        return write.done()
    if outer[:1] == (1,) and values.ndim == len(shape):
        outer = outer[1:]
    if shape[0] != 1 or outer != shape[1:-2]:
        return False
    matrices = values.reshape(-1, *values.shape[-2:])
    whole = write_slices if len(matrices) ** 2 * matrices[0].size > MAX_WHOLE else write_whole
    joined = whole(write, x, shape, Constant(matrices, constant.quantized))
    write.replace("Reshape", [joined, write.integers("shape", [*shape[:-1], values.shape[-1]])])
    return write.done()


def write_whole(
    write: Rewriter, x: ir.Value, shape: tuple[int, ...], matrices: Constant
) -> ir.Value:
    """Write one product, whose matrix has all of them on its diagonal; zeros cost no hardware."""
    count, inner, columns = matrices.values.shape
    rows = shape[-2]
    diagonal = np.zeros((count, inner, count, columns))
    diagonal[np.arange(count), :, np.arange(count)] = matrices.values
    matrix = Constant(diagonal.reshape(count * inner, -1), matrices.quantized)
    flat = write.add("Reshape", [x, write.integers("flat", [1, count, rows, inner])])
    flat = write.add("Transpose", [flat], perm=(0, 2, 1, 3))
    flat = write.add("Reshape", [flat, write.integers("row", [1, rows, count * inner])])
    product = write.add("MatMul", [flat, write.numbers("matrix", matrix)])
    apart = [1, rows, count, columns]
    product = write.add("Reshape", [product, write.integers("apart", apart)])
    return write.add("Transpose", [product], perm=(0, 2, 1, 3))


def write_slices(
    write: Rewriter, x: ir.Value, shape: tuple[int, ...], matrices: Constant
) -> ir.Value:
    """Write one product for each matrix, with a slice of the operand."""
    count, inner, _ = matrices.values.shape
    flat = write.add("Reshape", [x, write.integers("flat", [1, count, shape[-2], inner])])
    products = []
    for place, each in enumerate(matrices.values):
        limits = {"starts": place, "ends": place + 1, "axes": 1}
        operands = [write.integers(name, [value]) for name, value in limits.items()]
        one = Constant(np.ascontiguousarray(each), matrices.quantized)
        part = write.add("Slice", [flat, *operands])
        products.append(write.add("MatMul", [part, write.numbers("matrix", one)]))
    return write.add("Concat", products, axis=1)
