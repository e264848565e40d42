"""Mean of any number of activations: what an ensemble of networks votes with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedArray, FixedType, RawArray, overflow_raw
from hwflow.ir.body.values import Result, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Example, HlsLayer, Inexact, OnnxNode, Op, Target
from hwflow.ir.pieces import Pieces
from hwflow.ir.scaled import Operand, Scaled, Total
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.casts import quotient_cells, quotient_pieces
from hwflow.ops.shared.division import (
    divide_to,
    mean_type,
    quotient_parameters,
    quotient_too_wide,
    write_division,
)
from hwflow.ops.shared.several import _Several, example_types, require_one_shape
from hwflow.ops.sum import Sum


@dataclass(frozen=True, kw_only=True, eq=False)
class Mean(_Several):
    """The mean of two or more activations of one shape.

    Of a power of two of them it is exact. Any other is a fraction without end: the exact sum is
    divided and rounded **once**, to ``result_t``, as a quantiser right behind the exact mean would.
    Without ``result_t`` it is rounded to the nearest multiple of ``2**-EXTRA_BITS`` of the step
    that a mean of the next power of two would have, so that different sums keep their order.
    """

    onnx: ClassVar[tuple[str, ...]] = ("Mean",)
    one_scale: ClassVar[bool] = True
    wraps: ClassVar[bool] = True
    approximate: ClassVar[str] = "the mean of other than a power of two of values is rounded"

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if len(node.inputs) == 1:
            return []
        require_one_shape(node)
        return [cls()]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        if len(operands) < len(node.inputs):
            return None
        return Total(Sum.from_onnx(node), (1,) * len(operands), Fraction(1, len(operands)))

    def exact(self, *inputs: TensorType) -> TensorType:
        lo, hi, fractional = self.total(*inputs)
        dtype, shape = self._dtype(*(x.dtype for x in inputs)), inputs[0].shape
        if dtype is None:
            return TensorType.exactly(shape, lo, hi, fractional + halvings(len(inputs)))
        divisor = np.array(len(inputs))
        lo, hi = (divide_to(b, fractional, dtype, divisor) for b in (lo, hi))
        return TensorType.exactly(shape, lo, hi, dtype.fractional).cast(dtype)

    def _dtype(self, *inputs: FixedType) -> FixedType | None:
        """Return the type that means are rounded to, or None where they are exact."""
        if len(inputs) == 1 << halvings(len(inputs)):
            return None
        if self.result_t is not None:
            return self.result_t
        return mean_type(inputs, halvings(len(inputs)))

    def inexact(self, *inputs: TensorType) -> Inexact | None:
        dtype = self._dtype(*(x.dtype for x in inputs))
        if dtype is None or self.result_t is not None:
            return None
        return Inexact(self.approximate, dtype.step / 2)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        raw, fractional = self.total_raw(*inputs)
        dtype = self._dtype(*(x.dtype for x in inputs))
        if dtype is None:
            full = self.exact(*(TensorType.full(x.shape[1:], x.dtype) for x in inputs))
            return FixedArray(raw, full.dtype)
        mean = divide_to(raw, fractional, dtype, np.array(len(inputs)))
        return FixedArray(overflow_raw(mean, dtype), dtype)

    def pieces(self, *inputs: TensorType) -> Pieces | None:
        dtype, divisor = self._dtype(*(x.dtype for x in inputs)), np.array(len(inputs))
        if dtype is None:
            return None
        lo, hi, fractional = self.total(*inputs)
        ends = np.stack([divide_to(b, fractional, dtype, divisor) for b in (lo, hi)])

        def cells(*arrays: FixedArray) -> RawArray:
            raw, fractional = self.total_raw(*arrays)
            return quotient_cells(raw, fractional, dtype, divisor)

        return quotient_pieces(cells, ends, dtype, rectified=self.rectified)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        try:
            self.lower(*inputs)
        except OverflowError as problem:
            yield quotient_too_wide(problem)
        else:
            yield from super().check(target, *inputs)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        mean_t = self._dtype(*(t.dtype for t in types))
        total, sums = self.write_total(body, operands, types, mean_t)
        if mean_t is not None:
            return Result(*write_division(body, total, sums, mean_t, len(operands)))
        fractional = sums.fractional + halvings(len(operands))
        return Result(total, replace(sums, fractional=fractional))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        lo, hi, fractional = self.total(*inputs)
        ends, count = (int(lo.min()), int(hi.max())), len(inputs)
        if self._dtype(*(x.dtype for x in inputs)) is None:
            layer = self.kernel(FixedType.covering(*ends, fractional), *inputs)
            return replace(layer, attributes={**layer.attributes, "halvings": halvings(count)})
        sums = FixedType.covering(*ends, fractional, signed=True)
        layer = self.kernel(sums, *inputs)
        mean = quotient_parameters(sums, np.array([count]), self.infer(*inputs).dtype)
        return replace(layer, attributes={**layer.attributes, "mean": mean})

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for name, result_t, inputs in example_types():
            yield Example(name, cls(result_t=result_t), tuple(inputs))


def halvings(count: int) -> int:
    """Return the exponent of the least power of two that is not less than ``count``."""
    return (count - 1).bit_length()
