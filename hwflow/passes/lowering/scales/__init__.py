"""Operators on values whose integers carry a real scale.

Values stay integers. What an operator makes of their scales it says itself (``Op.scaled``): a
linear layer multiplies integers by integers, and its scales multiply on the side; what only moves
or compares values passes the scale on; a sum brings its operands on a common scale, or waits for
the quantiser behind it. Here is what these rules share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir

from hwflow.ir.op import Op
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import constant_of, is_quantizer, operator_name
from hwflow.ir.qonnx.steps import is_steps
from hwflow.ops import by_onnx
from hwflow.passes.lowering.fuse_elementwise import extend
from hwflow.passes.lowering.scales.fixed_quant import lower_fixed_quant
from hwflow.passes.lowering.scales.obstacle import obstacle
from hwflow.passes.lowering.scales.quantizers import lower_quantizer
from hwflow.passes.lowering.scales.rules import by_rule
from hwflow.passes.lowering.scales.steps import lower_steps
from hwflow.passes.lowering.walk import Made, Walk
from hwflow.passes.model.tails import Tail, closes, is_applied_by_host, is_elementwise


def lower_scaled(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Sequence[Made] | None:
    """Lower a node that has to do with scales that are not powers of two.

    Returns:
        What its results became; None where it is plain.

    Raises:
        RefusedError: what the node needs cannot be computed exactly.
    """
    scaled = any(v.name in walk.deferred for v in walk.activations(node))
    if is_quantizer(node) and node.op_type != "FloatQuant":
        made = lower_quantizer(walk, node, cls, scaled=scaled)
        return None if made is None else [made]
    if is_fixed_quant(node):
        return [lower_fixed_quant(walk, node, cls)] if scaled else None
    if is_steps(node):
        return [lower_steps(walk, node, cls)]
    if _is_deferred(walk, node, scaled=scaled):
        return [extend(walk, node, cls)]
    if not scaled and not cls.weighted:
        return None
    found = by_rule(walk, node, cls)
    if found is None and scaled:
        raise obstacle(walk, node, cls)
    return found


def _is_deferred(walk: Walk, node: onnx_ir.Node, *, scaled: bool) -> bool:
    """Return whether an elementwise node is left to the quantiser behind it, or to the host."""
    if not is_elementwise(node):
        return False
    if len({walk.function_of(v).sources for v in walk.activations(node)}) != 1:
        return False
    end = closes(node)
    if end is Tail.HARD or (scaled and end is Tail.PLAIN) or is_applied_by_host(node):
        return True
    return operator_name(node) == "Div" and not _is_short(walk, node) and _scales_weights(node)


def _is_short(walk: Walk, node: onnx_ir.Node) -> bool:
    """Return whether a division is one by powers of two, which is exact."""
    divisor = walk.constants.get((node.inputs[1] and node.inputs[1].name) or "")
    return divisor is None or bool(np.all(np.abs(np.frexp(divisor.values)[0]) == 0.5))


def _scales_weights(node: onnx_ir.Node) -> bool:
    """Return whether a node multiplies or divides, by one number, what goes into weighted sums.

    Their sums take the integers, and the number is a part of their scale.
    """
    if operator_name(node) not in ("Mul", "Div") or not is_elementwise(node):
        return False
    if any(math.prod(v.shape or ()) != 1 for v in node.inputs if v is not None and constant_of(v)):
        return False
    users = node.outputs[0].consumers()
    if not users or node.outputs[0].is_graph_output():
        return False
    claims = by_onnx()
    return all(
        _scales_weights(user)
        or ((cls := claims.get(operator_name(user))) is not None and cls.weighted)
        for user in users
    )
