"""Constant matrices, one for each element of an outer axis, are products of their own."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims


def to_matrices(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``x W``, with ``W`` of shape (..., k, m), as one product for each matrix of ``W``.

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
    count, inner, columns = prod(outer), *values.shape[-2:]
    flat = write.add("Reshape", [x, write.integers("flat", [1, count, shape[-2], inner])])
    products = []
    for place, each in enumerate(values.reshape(count, inner, columns)):
        limits = {"starts": place, "ends": place + 1, "axes": 1}
        operands = [write.integers(name, [value]) for name, value in limits.items()]
        one = Constant(np.ascontiguousarray(each), constant.quantized)
        part = write.add("Slice", [flat, *operands])
        products.append(write.add("MatMul", [part, write.numbers("matrix", one)]))
    joined = write.add("Concat", products, axis=1)
    write.replace("Reshape", [joined, write.integers("shape", [*shape[:-1], columns])])
    return write.done()
