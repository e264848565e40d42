"""Split is a slice for each of its results."""

from __future__ import annotations

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims


def to_slices(model: QonnxModel, node: ir.Node) -> bool:
    """Write a ``Split`` as slices; parts are as long as the shapes of the results say."""
    x, shape = node.inputs[0], dims(node.inputs[0])
    if x is None or not shape or not any(o.uses() or o.is_graph_output() for o in node.outputs):
        return False
    axis = attribute(node, "axis", 0) % len(shape)
    sizes = [dims(o)[axis] for o in node.outputs]
    if sum(sizes) != shape[axis]:
        return False
    write, start = Rewriter(model, node), 0
    for which, size in enumerate(sizes):
        limits = {"starts": start, "ends": start + size, "axes": axis}
        operands = [write.integers(name, [value]) for name, value in limits.items()]
        write.replace("Slice", [x, *operands], which)
        start += size
    return write.done()
