"""Product of two activations; a constant operand becomes the factor of a ``ScaleBias``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.estimate.layer import product_cost
from hwflow.estimate.turns import in_turns, one_turn
from hwflow.fixed import FixedArray
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.grid import ZERO, Grid
from hwflow.ir.op import OnnxNode, Op, Target
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.nodes import Function, Product
from hwflow.ir.scaled import OnIntegers, Operand, Scaled, Way
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import affine
from hwflow.ops.shared.constants import is_short
from hwflow.ops.shared.functions import line, the_constant
from hwflow.ops.shared.merge import (
    _Merge,
    broadcast,
    common_shape,
    product_bounds,
    require_two,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mul(_Merge):
    """``a * b``, exactly, with ONNX broadcasting; claims ``Div`` by a constant too, and ``Pow``."""

    onnx: ClassVar[tuple[str, ...]] = ("Mul", "Div", "Pow")
    kernel: ClassVar[str] = "multiply"
    sign: ClassVar[str] = "*"
    functions: ClassVar[tuple[str, ...]] = onnx
    pairs: ClassVar[tuple[str, ...]] = ("Mul",)
    wraps: ClassVar[bool] = True

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        constant = node.constant(0) or node.constant(1)
        if constant is None or node.op_type == "Pow":
            return False
        with np.errstate(divide="ignore"):  # refused where it is lowered
            return is_short(1 / constant.values if node.op_type == "Div" else constant.values)

    @classmethod
    def is_line(cls, node: OnnxNode) -> bool:
        divides = node.op_type == "Div"
        constant = node.constant(1) or (None if divides else node.constant(0))
        return node.op_type != "Pow" and constant is not None

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        if len(trees) == 2:
            return Product(*trees)
        (tree,) = trees
        if node.op_type == "Pow":
            return _power(node, tree)
        constant = the_constant(node, x)
        if node.op_type == "Mul":
            return line(tree, constant, ZERO)
        if node.constant(1) is None:  # a constant divided by the activation
            return line(Function(tree, "Reciprocal", {}), constant, ZERO)
        if np.any(constant == 0):
            raise node.refuse("division by 0", code="HW224", found="a divisor of 0")
        return line(tree, 1 / constant, ZERO)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        left, right = (node.constant(i) for i in (0, 1))
        if node.op_type == "Pow":
            raise node.refuse(
                "power without a quantiser behind it",
                supported="squares and cubes in a chain that ends in a quantiser",
                help="put a quantiser behind it, or multiply the value with itself",
            )
        if node.op_type == "Div" and (right is None or not np.all(right.values)):
            raise node.refuse(
                "division by an activation, or by zero",
                found="a divisor that is not a constant other than 0",
                supported="division by a constant",
                help="multiply by a constant instead",
            )
        constant = left or right
        if constant is not None and len(node.activations) == 1:
            (x,) = node.activations
            factor = 1 / constant.values if node.op_type == "Div" else constant.values
            return [affine(node, x, factor, np.array(0.0))]
        require_two(node)
        return [cls()]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        if len(operands) == 1:
            return None if node.op_type == "Pow" else Way.FUNCTION
        grids = [g for x in operands if (g := x.grid) is not None and g.scale.size == 1]
        if node.op_type != "Mul" or len(grids) < 2 or any(np.any(g.offset) for g in grids):
            return None
        return OnIntegers(cls.from_onnx(node), Grid(grids[0].scale * grids[1].scale, ZERO))

    def exact(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        fractional = a.dtype.fractional + b.dtype.fractional
        return TensorType.exactly(common_shape(a, b), *product_bounds(a, b), fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        a, b = inputs
        full = (TensorType.full(t.shape[1:], t.dtype) for t in inputs)
        return FixedArray(a.raw * b.raw, self.exact(*full).dtype)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        left, right = map(Span.of, types)
        within = carrier(left.largest * right.largest, "a product")
        first = all(x.first for x in operands)
        a, b = (body.carried(x if first else body.channels_last(x), within) for x in operands)
        ends = [x * y for x in (left.lo, left.hi) for y in (right.lo, right.hi)]
        span = Span(min(ends), max(ends), left.fractional + right.fractional)
        return Result(broadcast(body, "Mul", a, b), span)

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        a, b = inputs
        shape, turns = common_shape(a, b), self.reuse_factor
        some = [one_turn(TensorType.full(shape, t.dtype), turns, target) for t in inputs]
        cost = product_cost(some[0], some[1], target=target)
        bits = sum(t.dtype.width for t in inputs)
        return in_turns(cost, turns, self.infer(a, b), bits, target=target)


def _power(node: OnnxNode, tree: Expression) -> Expression:
    constant = node.constant(1)
    exponent = float(constant.values.ravel()[0]) if constant and constant.values.size == 1 else 0.0
    if exponent not in (2.0, 3.0):
        raise node.refuse("power", found=f"exponent {exponent:g}", supported="exponents 2 and 3")
    square = Product(tree, tree)
    return square if exponent == 2.0 else Product(square, tree)
