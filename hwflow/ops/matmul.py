"""Matrix product of two activations: scores and weighted sums of attention, Gram matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np

from hwflow.dataflow.pattern import Loop, Pattern, none, ones, only
from hwflow.estimate.layer import product_cost, sum_cost
from hwflow.estimate.spread import side_by_side
from hwflow.estimate.turns import in_turns, values_of
from hwflow.fixed import MAX_TYPE_WIDTH, FixedArray, FixedType, Overflow, RawArray, Rounding
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.grid import ZERO, Grid
from hwflow.ir.op import Example, HlsLayer, Layout, OnnxNode, Op, Target
from hwflow.ir.scaled import OnIntegers, Operand, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.matvec import sum_depth
from hwflow.ops.shared.turns import _InTurns

NAME = "hwflow::MatMul"
"""The ONNX name of a matrix product of two activations with equal outer axes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MatMul(_InTurns):
    """``y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]``, exactly.

    The outer axes of both are equal. In streams, the columns of ``b`` are kept for each matrix, and
    the rows of ``a`` pass; a row of the result is a token.
    """

    onnx: ClassVar[tuple[str, ...]] = (NAME, "Einsum")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Einsum": ("equation",)}
    takes_integers: ClassVar[bool] = True
    layout: ClassVar[Layout] = Layout.ONNX
    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if node.op_type == "Einsum":  # others were written as products before
            raise node.refuse(
                "equation that is no product of two activations, or of one with constants",
                found=f"equation = {node.attributes.get('equation')}",
                supported="one or two operands, no axis twice in one of them, and the batch axis "
                "first in every activation and in the result",
                help="write it as products of two (torch.einsum with two operands)",
            )
        return [cls()]

    @classmethod
    def onnx_shape(cls, attributes: Mapping[str, Any], *shapes: tuple[int, ...]) -> tuple[int, ...]:
        return (*shapes[0][:-1], shapes[1][-1])

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return the product of the scales; columns of the right operand may have their own."""
        if len(operands) != 2:
            return None
        left, right = (x.grid for x in operands)
        if left is None or right is None or np.any(left.offset) or np.any(right.offset):
            return None
        if left.scale.size > 1 or not operands[1].by_channel:
            return None
        return OnIntegers(cls.from_onnx(node), Grid(left.scale * right.scale, ZERO))

    def exact(self, *inputs: TensorType) -> TensorType:
        """Return type and range of the sums.

        Raises:
            OverflowError: a sum could pass 62 bits.
        """
        a, b = inputs
        if _reach(a, b).bit_length() > MAX_TYPE_WIDTH:
            raise OverflowError("a sum of products could pass 62 bits")
        ends = [x[:, None] * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        low, high = np.min(ends, axis=0).sum(axis=0), np.max(ends, axis=0).sum(axis=0)
        fractional = a.dtype.fractional + b.dtype.fractional
        return TensorType.exactly((*a.shape[:-1], b.channels), low, high, fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        a, b = inputs
        full = (TensorType.full(t.shape[1:], t.dtype) for t in inputs)
        return FixedArray(_product(a.raw, b.raw), self.exact(*full).dtype)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        within = carrier(_reach(*types), "a sum of products")
        a, b = (body.carried(body.channels_last(x), within) for x in operands)
        y = replace(a, name=body.node("MatMul", a.name, b.name), shape=(*a.shape[:-1], b.shape[-1]))
        return Result(y, Span.of(self.exact(*types)))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        a, b = inputs
        total = self.exact(a, b).dtype
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="matmul",
            attributes={
                "output_shape": [*a.shape[:-1], b.channels],
                "matrices": prod(a.shape[:-2]),
                "rows": a.shape[-2],
                "inner": a.channels,
                "columns": b.channels,
                "sum_width": total.width,
                "sum_integer": total.integer,
                "sum_signed": total.signed,
            },
            reuse_factor=self.reuse_factor,
        )

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return for each matrix a loop that keeps ``b``, and one that takes the rows of ``a``."""
        a, b = inputs
        matrices = prod(a.shape[:-2])
        kept = Loop(only(2, 1, b.shape[-2]), none(b.shape[-2]))
        rows = Loop(only(2, 0, a.shape[-2]), ones(a.shape[-2])).in_turns(self.reuse_factor)
        return Pattern.of([kept, rows] * matrices, sum_depth(a.channels))

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        """Return the cost of a multiplier for each product of a turn, and of trees of adders."""
        a, b = inputs
        out, turns = self.infer(a, b), self.reuse_factor
        lanes = values_of(out, target) // turns
        positions = out.shape[:-1] if target.streams else ()
        at_once = [TensorType.full((*positions, lanes * a.channels), t.dtype) for t in inputs]
        total = TensorType.full((*positions, lanes), self.exact(a, b).dtype)
        products = product_cost(at_once[0], at_once[1], target=target)
        sums = sum_cost(total, out.dtype, a.channels, target=target)
        cost = side_by_side(products, sums)
        cost = replace(cost, latency_cycles=cost.latency_cycles + sums.latency_cycles)
        bits = a.channels * sum(t.dtype.width for t in inputs)
        return in_turns(cost, turns, out, bits, target=target)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(6, 2), FixedType(5, 3, signed=False)
        rounded = FixedType(7, 5, True, Rounding.RND_CONV, Overflow.SAT)
        full = TensorType.full
        # every product is more than the sum's range leaves to it
        high = TensorType((4, 2), unsigned, np.array([3, 0]), np.array([9, 1]))
        for name, op, inputs in (
            ("scores", cls(), (full((3, 4), signed), full((4, 5), unsigned))),
            ("heads", cls(result_t=rounded), (full((2, 3, 4), unsigned), full((2, 4, 2), signed))),
            ("row", cls(), (full((1, 3), signed), full((3, 1), signed))),
            ("outer", cls(), (full((3, 1), signed), full((1, 4), signed))),
            ("shared", cls(reuse_factor=2), (full((2, 3), signed), full((3, 4), signed))),
            ("ranges", cls(), (high, full((2, 3), unsigned))),
        ):
            yield Example(name, op, inputs)


def _reach(a: TensorType, b: TensorType) -> int:
    """Return a magnitude that no sum of some of the products passes."""
    each = np.abs(np.stack([a.lo, a.hi])).max(axis=0).astype(object)
    return int(each.sum()) * max(map(abs, b.bounds))


def _product(a: RawArray, b: RawArray) -> RawArray:
    """Return ``a @ b`` exactly; in float64, which is faster, while every sum is below 2**53."""
    largest = int(np.abs(a).max(initial=0)) * int(np.abs(b).max(initial=0)) * a.shape[-1]
    if largest < 2**53:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a @ b
