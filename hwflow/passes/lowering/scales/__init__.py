"""Operators on values whose integers carry a real scale.

Values stay integers. A linear layer multiplies integers by integers and its scales multiply on the
side; what only moves or compares values passes the scale on; a sum brings its operands on a common
scale, or waits for the quantiser behind it.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir

from hwflow.ir.op import Op
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import is_quantizer, operator_name
from hwflow.passes.lowering.fuse_elementwise import deferred_of, extend
from hwflow.passes.lowering.scales.fixed_quant import lower_fixed_quant
from hwflow.passes.lowering.scales.layers import lower_weighted
from hwflow.passes.lowering.scales.moves import (
    averaged,
    concatenated,
    homogeneous,
    moved,
    pooled,
    same_grid,
)
from hwflow.passes.lowering.scales.obstacle import obstacle
from hwflow.passes.lowering.scales.quantizers import lower_quantizer
from hwflow.passes.lowering.scales.ranks import approximate, ranked, top_k
from hwflow.passes.lowering.scales.sums import affine, mean, of_two, total
from hwflow.passes.lowering.walk import Walk
from hwflow.passes.model.tails import Tail, closes, is_applied_by_host, is_elementwise

Handler = Callable[[Walk, onnx_ir.Node, type[Op]], bool]
"""Lowers a node of scaled values, or returns False where that takes a quantiser first."""

WEIGHTED = ("Conv", "Gemm", "MatMul")

MOVING = (
    "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather", "Pad", "Tile",
    "Expand", "Resize", "Upsample",
)  # fmt: skip

HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(MOVING, moved),
    **dict.fromkeys(("MaxPool", "GlobalMaxPool", "ReduceMax"), pooled),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"), averaged),
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Abs"), homogeneous),
    **dict.fromkeys(("Max", "Min"), same_grid),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), of_two),
    **dict.fromkeys(("BatchNormalization", "Neg", "Identity"), affine),
    **dict.fromkeys(("ArgMax", "ArgMin"), ranked),
    "Concat": concatenated,
    "Mean": mean,
    "Sum": total,
    "TopK": top_k,
}


def lower_scaled(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """Lower a node that has to do with scales that are not powers of two, or say that it is plain.

    Raises:
        RefusedError: what the node needs cannot be computed exactly.
    """
    name = operator_name(node)
    values = [v for v in node.inputs if v is not None and v.name in walk.values]
    scaled = any(v.name in walk.deferred for v in values)
    if is_quantizer(node) and node.op_type != "FloatQuant":
        return lower_quantizer(walk, node, cls, scaled=scaled)
    if is_fixed_quant(node):
        return scaled and lower_fixed_quant(walk, node, cls)
    if is_elementwise(node) and _of_one(walk, values):
        end = closes(node)
        if end is Tail.HARD or (scaled and end is Tail.PLAIN) or is_applied_by_host(node):
            extend(walk, node, cls)
            return True
    if name in WEIGHTED and len(values) == 1:
        return lower_weighted(walk, node, cls, scaled=scaled)
    if not scaled:
        return False
    handler = HANDLERS.get(name) or (approximate if cls.approximate else None)
    if handler is None or not handler(walk, node, cls):
        raise obstacle(walk, node, cls)
    return True


def _of_one(walk: Walk, values: list[onnx_ir.Value]) -> bool:
    """Return whether values are functions of the same hardware values."""
    return len({deferred_of(walk, value).sources for value in values}) == 1
