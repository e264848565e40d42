"""Rectified linear unit: ``max(x, 0)``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.body.values import Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op
from hwflow.ir.pieces import Pieces, two_sides
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.turns import _Elementwise, turns_layer


@dataclass(frozen=True, kw_only=True, eq=False)
class Relu(_Elementwise):
    """``max(x, 0)``; the result is unsigned."""

    onnx: ClassVar[tuple[str, ...]] = ("Relu",)
    functions: ClassVar[tuple[str, ...]] = onnx
    homogeneous: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        return True

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        return [cls()]

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        lo, hi = np.maximum(x.lo, 0), np.maximum(x.hi, 0)
        return TensorType.exactly(x.shape, lo, hi, x.dtype.fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        full = TensorType.full(x.shape[1:], x.dtype)
        return FixedArray(np.maximum(x.raw, 0), self.exact(full).dtype)

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        return two_sides(x)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        span = Span.of(types[0])
        above = replace(span, lo=max(span.lo, 0), hi=max(span.hi, 0))
        return Result(body.positive(operands[0]), above)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        if self.reuse_factor > 1:
            return turns_layer("relu", x.shape, self.reuse_factor)
        return HlsLayer(class_name="Activation", attributes={"n_in": x.size, "activation": "relu"})

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(7, 3), FixedType(5, 3, signed=False)
        rounded = FixedType(4, 2, False, Rounding.RND_CONV, Overflow.SAT)
        for name, dtype, result_t in (
            ("signed", signed, None), ("unsigned", unsigned, None), ("rounded", signed, rounded),
            ("integers", FixedType(6, 8), rounded),
        ):  # fmt: skip
            yield Example(name, cls(result_t=result_t), (TensorType.full((2, 3), dtype),))
