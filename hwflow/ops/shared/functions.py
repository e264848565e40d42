"""What operators share that say which real function an ONNX node is."""

from __future__ import annotations

import numpy as np

from hwflow.ir.grid import Rationals, rationals
from hwflow.ir.op import OnnxNode
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.nodes import Linear
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import to_hardware


def line(tree: Expression, scale: Rationals, offset: Rationals) -> Expression:
    """Return ``scale * tree + offset``, merged with a line that the tree already is."""
    if isinstance(tree, Linear):
        return Linear(tree.x, tree.scale * scale, tree.offset * scale + offset)
    return Linear(tree, scale, offset)


def constant_operand(node: OnnxNode, x: TensorType, index: int) -> Rationals | None:
    """Return a constant that broadcasts to the activation, exactly; None for another operand.

    Raises:
        RefusedError: HW224, it is not finite; HW223, it does not broadcast.
    """
    constant = node.constant(index)
    if constant is None:
        return None
    if not np.isfinite(constant.values).all():
        raise node.refuse(
            f"{node.op_type} with a constant that is not finite",
            code="HW224",
            found="NaN or infinity",
            help="look at the weights of this layer, and at a variance or divisor of 0",
        )
    return rationals(to_hardware(node, x, constant.values))


def the_constant(node: OnnxNode, x: TensorType) -> Rationals:
    """Return the constant among the two operands of a node."""
    left, right = constant_operand(node, x, 0), constant_operand(node, x, 1)
    found = left if right is None else right
    assert found is not None
    return found
