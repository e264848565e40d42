"""Rounding away from zero, which ap_fixed has no mode for: QONNX's ``UP``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding
from hwflow.ir.body import integers
from hwflow.ir.body.values import Carrier, Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Example, HlsLayer
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.turns import _Elementwise


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundAway(_Elementwise):
    """The next multiple of ``2**-fractional`` at least as far from zero.

    Attributes:
        fractional: bits right of the binary point that are left.
    """

    pointwise: ClassVar[bool] = True

    fractional: int

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        drop = max(x.dtype.fractional - self.fractional, 0)
        lo, hi = _away(x.lo, drop), _away(x.hi, drop)
        return TensorType.exactly(x.shape, lo, hi, x.dtype.fractional - drop)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        full = self.exact(TensorType.full(x.shape[1:], x.dtype)).dtype
        return FixedArray(_away(x.raw, max(x.dtype.fractional - self.fractional, 0)), full)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), span = operands, Span.of(types[0])
        drop = max(span.fractional - self.fractional, 0)
        size = body.apply("Abs", x)
        if x.carrier is Carrier.INT64:
            size = body.apply("Add", size, body.number(x, (1 << drop) - 1, "below"))
            size = integers.divided(body, size, 1 << drop, Rounding.TRN_ZERO)
        else:
            size = body.apply("Ceil", body.scaled(size, -drop))
        y = body.apply("Mul", body.apply("Sign", x), size.name)
        lo, hi = (int(np.sign(v)) * -(-abs(v) >> drop) for v in (span.lo, span.hi))
        return Result(y, Span(lo, hi, span.fractional - drop))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        grid = self.exact(TensorType.full(x.shape, x.dtype)).dtype
        step = FixedType.covering(0, 1, grid.fractional)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="round_away",
            attributes={
                "output_shape": list(x.shape),
                "weight_names": ["step"],
                "grid": (grid.width + 1, grid.integer + 1),  # a sign bit, if it has none
            },
            weights={"step": FixedArray(np.ones(1, np.int64), step)},
            reuse_factor=self.reuse_factor,
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(7, 3), FixedType(6, 2, signed=False)
        narrow = FixedType(4, 3, True, overflow=Overflow.SAT)
        for name, fractional, dtype in (
            ("signed", 1, signed), ("unsigned", 0, unsigned), ("coarse", -4, signed),
            ("kept", 6, signed),
        ):  # fmt: skip
            op = cls(fractional=fractional)
            yield Example(name, op, (TensorType.full((2, 3), dtype),))
        yield Example(
            "narrow", cls(fractional=1, result_t=narrow), (TensorType.full((4,), signed),)
        )


def _away(raw: RawArray, drop: int) -> RawArray:
    return np.asarray(np.sign(raw) * -(-np.abs(raw) >> drop))
