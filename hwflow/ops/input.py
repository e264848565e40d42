"""A graph input: real numbers are cast to its type where they enter the hardware."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, Op, Target
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.tensor import TensorType


@dataclass(frozen=True, kw_only=True, eq=False)
class Input(Op):
    """A value that enters the hardware, assigned to ``dtype`` as ap_fixed assigns a double.

    Attributes:
        shape: without the batch axis, channels last.
        dtype: type of the port.
        assumed: nobody said the type; a quantiser behind the input will, or a warning is given.
        quantizer: the host applies it; what enters are its levels, zero point taken off.
    """

    settings: ClassVar[tuple[str, ...]] = ()

    shape: tuple[int, ...]
    dtype: FixedType
    assumed: bool = False
    quantizer: Quantizer | None = None

    def exact(self, *inputs: TensorType) -> TensorType:
        if self.quantizer is not None:
            zero = self.quantizer.zero_point.astype(np.int64)
            lo, hi = self.quantizer.raw_min - zero.max(), self.quantizer.raw_max - zero.min()
            return TensorType.exactly(self.shape, np.array(lo), np.array(hi), 0)
        return TensorType.full(self.shape, self.dtype)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (data,) = inputs
        return data.cast(self.dtype)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        return HlsLayer(class_name="Input", attributes={"input_shape": list(self.shape)})

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        return Cost()

    def check_shape(self, where: str) -> Iterator[Diagnostic]:
        """Yield a diagnostic when the shape cannot be a port."""
        if not self.shape:
            yield Diagnostic(
                code="HW220",
                title="a graph input needs at least one axis beside the batch",
                where=where,
                found="shape (batch,)",
                help="give the model an input of shape (batch, 1)",
            )
