"""DepthToSpace and SpaceToDepth are a transposition between two reshapes."""

from __future__ import annotations

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims


def to_moves(model: QonnxModel, node: ir.Node) -> bool:
    """Write the node by its definition in ONNX (DepthToSpace 13, SpaceToDepth 13 and 28)."""
    x, block = node.inputs[0], attribute(node, "blocksize", 0)
    if x is None or len(dims(x)) != 4 or block < 1:
        return False
    n, c, h, w = dims(x)
    mode = node.attributes["mode"].as_string() if "mode" in node.attributes else "DCR"
    if mode not in ("DCR", "CRD"):
        return False
    if node.op_type == "SpaceToDepth":
        parted = [n, c, h // block, block, w // block, block]
        perm = [0, 3, 5, 1, 2, 4] if mode == "DCR" else [0, 1, 3, 5, 2, 4]
    elif mode == "DCR":
        parted, perm = [n, block, block, c // block**2, h, w], [0, 3, 4, 1, 5, 2]
    else:
        parted, perm = [n, c // block**2, block, block, h, w], [0, 1, 4, 2, 5, 3]
    write = Rewriter(model, node)
    split = write.add("Reshape", [x, write.integers("parts", parted)])
    turned = write.add("Transpose", [split], perm=perm)
    write.replace("Reshape", [turned, write.integers("shape", list(dims(node.outputs[0])))])
    return write.done()
