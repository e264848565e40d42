"""Gather by any array of indices is one by a list of them, in another shape."""

from __future__ import annotations

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims


def to_one_axis(model: QonnxModel, node: ir.Node) -> bool:
    """Write a ``Gather`` by one index, or by an array of them, as one by a list and a reshape."""
    x, indices = node.inputs
    chosen = None if indices is None else constant_of(indices)
    shape = dims(x)
    if x is None or chosen is None or constant_of(x) is not None or chosen.values.ndim == 1:
        return False
    axis = attribute(node, "axis", 0) % len(shape)
    if axis == 0 or not chosen.values.size:
        return False  # refused where it is lowered
    write = Rewriter(model, node)
    listed = write.integers("indices", [int(i) for i in chosen.values.ravel()])
    gathered = write.add("Gather", [x, listed], axis=axis)
    wanted = [*shape[:axis], *chosen.values.shape, *shape[axis + 1 :]]
    write.replace("Reshape", [gathered, write.integers("shape", wanted)])
    return write.done()
