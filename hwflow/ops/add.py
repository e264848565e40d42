"""Sum of two activations; a constant operand becomes the offset of a ``ScaleBias``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.ir.grid import ONE
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.real import nodes
from hwflow.ir.real.expression import Expression
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import affine
from hwflow.ops.shared.functions import line, the_constant
from hwflow.ops.shared.merge import _SignedSum, require_two


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(_SignedSum):
    """``a + b``, exactly, with ONNX broadcasting."""

    onnx: ClassVar[tuple[str, ...]] = ("Add",)
    kernel: ClassVar[str] = "add"
    sign: ClassVar[str] = "+"
    factor: ClassVar[int] = 1
    functions: ClassVar[tuple[str, ...]] = onnx
    pairs: ClassVar[tuple[str, ...]] = ("Add",)

    @classmethod
    def is_line(cls, node: OnnxNode) -> bool:
        return node.constant(0) is not None or node.constant(1) is not None

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        if len(trees) == 2:
            return nodes.Total(*trees)
        (tree,) = trees
        return line(tree, ONE, the_constant(node, x))

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if len(node.activations) == 1 and len(node.inputs) == 2:
            (x,) = node.activations
            constant = node.constant(0) or node.constant(1)
            assert constant is not None
            return [affine(node, x, np.array(1.0), constant.values)]
        require_two(node)
        return [cls()]
