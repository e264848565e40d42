"""GatherND between two transpositions, as torch writes ``x[:, [0, 0, 2]]``, is a Gather."""

from __future__ import annotations

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims


def to_gather(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``GatherND`` along an axis that is brought to the front for it, and back behind it."""
    turned, indices = node.inputs
    chosen = None if indices is None else constant_of(indices)
    before = None if turned is None else turned.producer()
    users = node.outputs[0].consumers()
    if chosen is None or before is None or len(users) != 1 or node.outputs[0].is_graph_output():
        return False
    behind, x = users[0], before.inputs[0]
    first, last = (_order(n) for n in (before, behind))
    if x is None or not first or attribute(node, "batch_dims", 0):
        return False
    inverse = tuple(first.index(i) for i in range(len(first)))
    if chosen.values.ndim != 2 or chosen.values.shape[1] != 1 or last != inverse:
        return False
    axis = first[0]
    if axis == 0 or len(dims(x)) != len(first):
        return False
    write = Rewriter(model, behind)
    listed = write.integers("indices", [int(i) for i in chosen.values.ravel()])
    write.replace("Gather", [x, listed], axis=axis)
    return write.done()


def _order(node: ir.Node) -> tuple[int, ...]:
    """Return the order of axes that a ``Transpose`` gives; nothing for another node."""
    if node.op_type != "Transpose" or node.domain or "perm" not in node.attributes:
        return ()
    return tuple(node.attributes["perm"].as_ints())
