"""Operators whose kernel can work through its values in turns, and so share its hardware."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.layer import elementwise_cost, product_cost, scale_cost
from hwflow.estimate.spread import with_luts
from hwflow.estimate.turns import channels_of_lanes, in_turns, one_turn, values_of
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.matvec import check_reuse_factor, divisors


@dataclass(frozen=True, kw_only=True, eq=False)
class _InTurns(Op):
    """An operator that computes its values one share after the other.

    The kernels take whole turns alone, so that divisors of the number of values are legal: of all
    values in io_parallel, of the channels of a pixel in streams. ``[target]`` does not set it: what
    is cheaper than the choice of its operands would grow.

    Attributes:
        reuse_factor: values that one lane computes.
    """

    reuse_factor: int = 1

    def reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        return divisors(values_of(self.infer(*inputs), target))

    def turns(self, target: Target, *inputs: TensorType) -> int:
        """Return the reuse factor where it is legal, else 1; ``check`` says that it is not."""
        one = self.reuse_factor == 1 or self.reuse_factor not in self.reuse_factors(target, *inputs)
        return 1 if one else self.reuse_factor

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        yield from super().check(target, *inputs)
        if self.reuse_factor > 1:
            yield from check_reuse_factor(self.reuse_factor, self.reuse_factors(target, *inputs))

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        return Pattern.elementwise(counts[0], len(counts), turns=self.reuse_factor)

    def parameters(self) -> dict[str, Any]:
        shown = super().parameters()
        return (
            shown if self.reuse_factor > 1 else {k: shown[k] for k in shown if k != "reuse_factor"}
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Elementwise(_InTurns):
    """A comparison, a choice or a cast of each element."""

    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        out, turns = self.infer(x), self.reuse_factor
        cost = elementwise_cost(one_turn(x, turns, target), out.dtype, target=target)
        return in_turns(cost, turns, out, x.dtype.width, target=target)


def turns_layer(
    function: str, shape: Sequence[int], turns: int, *, merges: bool = False,
    entries: int = 0, entry: FixedType | None = None,
) -> HlsLayer:  # fmt: skip
    """Return the kernel that calls hls4ml's elementwise function on a share of the values a turn.

    Args:
        function: hls4ml's name, of an activation or of a merge.
        shape: shape of the result, and of every operand.
        turns: calls for all values, or for those of a position.
        merges: whether it takes two operands.
        entries: size of the table.
        entry: type of its entries; None where the function has no table.
    """
    return HlsLayer(
        class_name="HwflowKernel",
        kernel="in_turns",
        attributes={
            "output_shape": list(shape),
            "function": function,
            "base": "merge" if merges else "activ",
            "entries": entries,
            "entry": entry,
        },
        reuse_factor=turns,
    )


ROM_BITS = 64
"""Bits in a look-up table of six inputs (UG474)."""


def lines_cost(
    x: TensorType, out: TensorType, *constants: FixedArray, turns: int, target: Target
) -> Cost:
    """Return the cost of a constant factor for each value, and of what is added to the product.

    A lane that serves several channels has their constants in a memory, and a multiplier with two
    variable operands.

    Args:
        x: what is scaled.
        out: the result.
        constants: the factor, and an offset or none; for all values, each channel or each element.
        turns: values of each lane.
        target: backend, io type, part and clock.
    """
    factors = np.broadcast_to(constants[0].raw, x.shape).reshape(-1, x.channels)[0]
    if turns == 1:
        return scale_cost(factors, x, out.dtype, target=target)
    channels, some = channels_of_lanes(x, turns, target), one_turn(x, turns, target)
    if constants[0].raw.ndim < 2 and (factors[channels] == factors[channels[0]]).all():
        cost = scale_cost(factors[channels[0]], some, out.dtype, target=target)
    else:
        rows = ceil(max(c.raw.size for c in constants) / ROM_BITS)
        bits = rows * sum(c.dtype.width for c in constants) + out.dtype.width
        product = product_cost(some, TensorType.full(some.shape, constants[0].dtype), target=target)
        cost = with_luts(product, float(some.channels * bits))
    return in_turns(cost, turns, out, x.dtype.width, target=target)
