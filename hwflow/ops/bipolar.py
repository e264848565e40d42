"""One-bit activation: ``+level`` where ``x >= 0``, else ``-level``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op
from hwflow.ir.pieces import Pieces, two_sides
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import to_hardware
from hwflow.ops.shared.quant import read_quantizer, rescaled
from hwflow.ops.shared.turns import _Elementwise


@dataclass(frozen=True, kw_only=True, eq=False)
class Bipolar(_Elementwise):
    """Sign with ``sign(0) = +1``, times a level, as QONNX's ``BipolarQuant`` has it.

    Attributes:
        level: > 0, shape ``()``, ``(channels,)`` or that of the input.
    """

    onnx: ClassVar[tuple[str, ...]] = ("BipolarQuant",)

    level: FixedArray

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        return two_levels(node, *read_quantizer(node))

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        full = np.broadcast_to(self.level.raw, x.shape).reshape(-1, x.channels)
        low, high = full.min(axis=0), full.max(axis=0)
        lo = np.where(x.lo >= 0, low, -high)
        hi = np.where(x.hi < 0, -low, high)
        return TensorType.exactly(x.shape, lo, hi, self.level.dtype.fractional)

    def magnitude(self, *inputs: float | None) -> float | None:
        levels = set(self.level.values.ravel().tolist())
        return float(levels.pop()) if len(levels) == 1 else None

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        full = self.exact(TensorType.full(x.shape[1:], x.dtype)).dtype
        return FixedArray(np.where(x.raw >= 0, self.level.raw, -self.level.raw), full)

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        size = np.unique(self.level.raw)
        return two_sides(x, levels=np.unique(np.concatenate([-size, size])))

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,) = operands
        largest = int(self.level.raw.max())
        x = body.carried(x, max(x.carrier, carrier(largest, "a level")))
        sign = body.node("GreaterOrEqual", x.name, body.number(x, 0.0))
        level = body.number(x, self.level.raw, "level")
        minus = body.number(x, -self.level.raw, "minus")
        y = replace(x, name=body.node("Where", sign, level, minus))
        return Result(y, Span(-largest, largest, self.level.dtype.fractional))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        level = FixedArray(self.level.raw.reshape(-1), self.level.dtype)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="bipolar",
            attributes={"output_shape": list(x.shape), "weight_names": ["level"]},
            weights={"level": level},
            reuse_factor=self.reuse_factor,
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(6, 2), FixedType(3, 1, signed=False)
        one = FixedArray(np.array(1), FixedType(1, 1, signed=False))
        powers = FixedArray(np.array([1, 2, 4]), FixedType(3, 1, signed=False))
        yield Example("signed", cls(level=one), (TensorType.full((5,), signed),))
        yield Example("unsigned", cls(level=one), (TensorType.full((5,), unsigned),))
        yield Example("per_channel", cls(level=powers), (TensorType.full((2, 3), signed),))


def two_levels(node: OnnxNode, x: TensorType, quantizer: Quantizer) -> Sequence[Op]:
    """Return the operators that compute a quantiser of two levels, its zero point included."""
    level = FixedArray.exactly(to_hardware(node, x, quantizer.scale))
    one, shift = np.array(1.0), quantizer.zero_point * quantizer.scale
    return [
        *rescaled(node, x, one, shift),
        Bipolar(level=level),
        *rescaled(node, x, one, -shift),
    ]
