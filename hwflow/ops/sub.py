"""Difference of two activations; a constant operand becomes the offset of a ``ScaleBias``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.ir.grid import ONE, ZERO
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.real.expression import Expression
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import affine
from hwflow.ops.shared.functions import line, the_constant
from hwflow.ops.shared.merge import _SignedSum, require_two


@dataclass(frozen=True, kw_only=True, eq=False)
class Sub(_SignedSum):
    """``a - b``, exactly, with ONNX broadcasting; claims ``Neg`` too."""

    onnx: ClassVar[tuple[str, ...]] = ("Sub", "Neg")
    kernel: ClassVar[str] = "subtract"
    sign: ClassVar[str] = "-"
    factor: ClassVar[int] = -1
    functions: ClassVar[tuple[str, ...]] = onnx

    @classmethod
    def is_line(cls, node: OnnxNode) -> bool:
        return True

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        (tree,) = trees
        if node.op_type == "Neg":
            return line(tree, -ONE, ZERO)
        if node.constant(1) is None:
            return line(tree, -ONE, the_constant(node, x))
        return line(tree, ONE, -the_constant(node, x))

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if len(node.activations) == 1:
            (x,) = node.activations
            if node.op_type == "Neg":
                return [affine(node, x, np.array(-1.0), np.array(0.0))]
            left, right = node.constant(0), node.constant(1)
            if left is not None:
                return [affine(node, x, np.array(-1.0), left.values)]
            if right is not None:
                return [affine(node, x, np.array(1.0), -right.values)]
        require_two(node)
        return [cls()]
