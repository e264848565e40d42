"""What operators on any number of activations of one shape share: Sum and Mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import ClassVar

import numpy as np

from hwflow.estimate.layer import sum_cost
from hwflow.estimate.turns import in_turns, one_turn
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, shift_left
from hwflow.ir.body.values import Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, OnnxNode, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.division import check_width, division_carrier
from hwflow.ops.shared.merge import on_common_grid
from hwflow.ops.shared.turns import _InTurns


@dataclass(frozen=True, kw_only=True, eq=False)
class _Several(_InTurns):
    """A function of the exact sum of several activations of one shape."""

    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")

    def total(self, *inputs: TensorType) -> tuple[RawArray, RawArray, int]:
        """Return the bounds of the sum per channel, and its fractional bits.

        Raises:
            OverflowError: a sum could pass 62 bits.
        """
        bounds, fractional = on_common_grid(*inputs)
        for ends in bounds:
            check_width(np.stack(ends), len(bounds).bit_length())
        return sum_of([lo for lo, _ in bounds]), sum_of([hi for _, hi in bounds]), fractional

    def total_raw(self, *inputs: FixedArray) -> tuple[RawArray, int]:
        """Return the mantissas of the sum, and its fractional bits."""
        fractional = max(x.dtype.fractional for x in inputs)
        terms = [shift_left(x.raw, fractional - x.dtype.fractional) for x in inputs]
        return sum_of(terms), fractional

    def write_total(
        self,
        body: Body,
        operands: Sequence[Tensor],
        types: Sequence[TensorType],
        mean_t: FixedType | None = None,
    ) -> tuple[Tensor, Span]:
        """Return the sum in a golden body, in an arithmetic that divides it to ``mean_t``, too."""
        lo, hi, fractional = self.total(*types)
        ends = (max(map(abs, t.bounds)) << (fractional - t.dtype.fractional) for t in types)
        reach = max(sum(ends), 1)
        sums = Span(int(lo.min()), int(hi.max()), fractional)
        if mean_t is None:
            within = carrier(reach, "a sum")
        else:
            within = division_carrier(Span(-reach, reach, fractional), mean_t)
        terms = (
            body.scaled(
                body.carried(body.channels_last(x), within), fractional - t.dtype.fractional
            )
            for x, t in zip(operands, types, strict=True)
        )
        return reduce(lambda total, x: body.apply("Add", total, x.name), terms), sums

    def kernel(self, sums: FixedType, *inputs: TensorType) -> HlsLayer:
        """Return the layer that adds all activations in a type, as a balanced tree."""
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="mean",
            attributes={
                "output_shape": list(inputs[0].shape),
                "sum_width": sums.width,
                "sum_integer": sums.integer,
                "sum_signed": sums.signed,
                "halvings": 0,
                "mean": None,
            },
            reuse_factor=self.reuse_factor,
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        """Return the cost of an addition per operand but the first, with one cast at the end."""
        lo, hi, fractional = self.total(*inputs)
        total = TensorType.exactly(inputs[0].shape, lo, hi, fractional)
        out, turns = self.infer(*inputs), self.reuse_factor
        divides = self.lower(*inputs).attributes["mean"] is not None
        some = one_turn(total, turns, target)
        cost = sum_cost(some, out.dtype, len(inputs), target=target, divides=divides)
        bits = sum(t.dtype.width for t in inputs)
        return in_turns(cost, turns, out, bits, target=target)


def sum_of(terms: Sequence[RawArray]) -> RawArray:
    """Return the sum of integer arrays of one shape."""
    return np.asarray(np.sum(np.stack(terms), axis=0, dtype=np.int64))


def require_one_shape(node: OnnxNode) -> None:
    """Check that all operands of a node are activations of one shape.

    Raises:
        RefusedError: a constant is among them, or they would be broadcast.
    """
    if len(node.activations) != len(node.inputs):
        raise node.refuse(
            f"{node.op_type} with a constant among {len(node.inputs)} operands",
            supported="activations only",
            help="add the constant behind, with a node of its own (ONNX Add)",
        )
    shapes = {x.shape for x in node.activations}
    if len(shapes) > 1:
        raise node.refuse(
            f"{node.op_type} of shapes that do not match",
            code="HW223",
            found=", ".join(map(str, sorted(shapes))) + ", in the hardware's order of axes",
            supported="one shape, or two operands that broadcast",
            help="bring all operands to one shape before, or add them in pairs",
        )


def example_types() -> Iterable[tuple[str, FixedType | None, Sequence[TensorType]]]:
    """Yield name, result type and inputs of examples."""
    signed, unsigned, coarse = FixedType(6, 2), FixedType(5, 3, signed=False), FixedType(4, 6)
    rounded = FixedType(5, 3, True, Rounding.RND_CONV, Overflow.SAT)
    full = TensorType.full
    yield "three", None, [full((5,), t) for t in (signed, unsigned, coarse)]
    yield "four", None, [full((2, 3), t) for t in (signed, signed, unsigned, signed)]
    yield "five", None, [full((2, 3, 2), FixedType(5, i, i % 2 == 0)) for i in range(5)]
    yield "two", rounded, [full((4,), t) for t in (unsigned, signed)]
    for rounding in Rounding:
        to = replace(rounded, rounding=rounding)
        yield rounding.lower(), to, [full((3,), t) for t in (signed, unsigned, signed)]
    yield "fine", FixedType(10, 2, True, Rounding.RND), [full((2, 2), signed)] * 3
    yield "six", replace(rounded, integer=5), [full((2,), FixedType(4, i)) for i in range(6)]
