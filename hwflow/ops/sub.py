"""Difference of two activations; a constant operand becomes the offset of a ``ScaleBias``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.estimate import layer as _cost
from hwflow.fixed import FixedArray
from hwflow.ir.cost import Cost
from hwflow.ir.grid import ONE, ZERO
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.real.expression import Expression
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import affine
from hwflow.ops.shared.functions import line, the_constant
from hwflow.ops.shared.merge import (
    check_merge,
    common_shape,
    example_types,
    merge_layer,
    on_common_grid,
    raw_on_common_grid,
    require_two,
    wider_operand,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sub(Op):
    """``a - b``, exactly, with ONNX broadcasting; claims ``Neg`` too."""

    onnx: ClassVar[tuple[str, ...]] = ("Sub", "Neg")
    functions: ClassVar[tuple[str, ...]] = onnx
    aligned: ClassVar[bool] = True
    wraps: ClassVar[bool] = True

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        return True

    @classmethod
    def is_line(cls, node: OnnxNode) -> bool:
        return True

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
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

    def exact(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        ((a_lo, a_hi), (b_lo, b_hi)), fractional = on_common_grid(a, b)
        return TensorType.exactly(common_shape(a, b), a_lo - b_hi, a_hi - b_lo, fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        a, b = inputs
        full = (TensorType.full(t.shape[1:], t.dtype) for t in inputs)
        left, right = raw_on_common_grid(a, b)
        return FixedArray(left - right, self.exact(*full).dtype)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        a, b = inputs
        yield from check_merge(a, b)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        a, b = inputs
        return merge_layer("subtract", "-", a, b)

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        a, b = inputs
        return _cost.elementwise_cost(wider_operand(a, b), self.infer(a, b).dtype, target=target)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for name, result_t, inputs in example_types():
            yield Example(name, cls(result_t=result_t), tuple(inputs))
