"""The body of one layer's ONNX function while it is written: nodes and constants.

Values are whole numbers (mantissas) in float32, float64 or int64. The floating-point ones compute
exactly while every intermediate result fits their significands (IEEE 754: 24 and 53 bits), in any
order of additions and however ONNX Runtime fuses them. ``carrier`` picks the narrowest one that
provably does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from hwflow.ir.body.values import Carrier, Tensor

Array = npt.NDArray[Any]


class Body:
    """Nodes and constants of a function that is being written.

    Attributes:
        nodes: the nodes in order.
        constants: the constants by name; they become further inputs of the function.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}

    def node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Append a node of a standard operator and return the name of its result."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op_type, inputs, [name], **attributes))
        return name

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike, name: str = "c") -> str:
        """Return the name of a constant with these values."""
        array = np.asarray(values, dtype)
        for known, other in self.constants.items():
            if other.dtype == array.dtype and np.array_equal(other, array):
                return known
        name = name if name not in self.constants else f"{name}{len(self.constants)}"
        self.constants[name] = array
        return name

    def number(self, x: Tensor, values: npt.ArrayLike, name: str = "c") -> str:
        """Return a constant in ``x``'s arithmetic, one for all, per channel or per element."""
        array = np.asarray(values)
        if x.first and array.ndim == 1 and len(x.shape) > 1:
            array = array.reshape(-1, *(1 for _ in x.shape[1:]))
        elif x.first and array.ndim == len(x.shape):
            array = np.moveaxis(array, -1, 0)
        return self.constant(array, x.carrier.dtype, name)

    def apply(self, op_type: str, x: Tensor, *others: str, **attributes: Any) -> Tensor:
        """Return the result of an elementwise operator."""
        return replace(x, name=self.node(op_type, x.name, *others, **attributes))

    def scaled(self, x: Tensor, bits: int) -> Tensor:
        """Return ``x * 2**bits``; integers in int64 are not divided so."""
        factor = 1 << bits if x.carrier is Carrier.INT64 else 2.0**bits
        return x if bits == 0 else self.apply("Mul", x, self.number(x, factor, "scale"))

    def positive(self, x: Tensor) -> Tensor:
        """Return what is above zero, and zero; ``Relu`` has no kernel for int64."""
        if x.carrier is Carrier.INT64:
            return self.apply("Max", x, self.number(x, 0))
        return self.apply("Relu", x)

    def carried(self, x: Tensor, carrier: Carrier) -> Tensor:
        """Return a value in the arithmetic asked for."""
        if x.carrier is Carrier.UINT8 and carrier is not Carrier.UINT8:
            step, zero = self._levels(1.0, x.zero)
            name = self.node("DequantizeLinear", x.name, step, zero)
            x = replace(x, name=name, carrier=Carrier.FLOAT32, zero=0)
        if x.carrier is carrier:
            return x
        return replace(self.apply("Cast", x, to=carrier.onnx), carrier=carrier)

    def in_uint8(self, x: Tensor, zero: int, step: float = 1.0, point: int | None = None) -> Tensor:
        """Return float32 divided by a step, rounded halves to even, and clipped to uint8.

        Args:
            x: values in float32.
            zero: the uint8 value that stands for 0 in the result.
            step: what a unit of the result is.
            point: what is added before clipping; ``zero`` where it is not said.
        """
        names = self._levels(step, zero if point is None else point)
        return replace(self.apply("QuantizeLinear", x, *names), carrier=Carrier.UINT8, zero=zero)

    def cut(self, x: Tensor, low: int, high: int) -> Tensor:
        """Return uint8 values between two of them."""
        if (low, high) == (0, 255):
            return x
        least = self.constant(low, np.uint8, "low") if low else ""
        most = [self.constant(high, np.uint8, "high")] if high < 255 else []
        return self.apply("Clip", x, least, *most)

    def _levels(self, step: float, zero: int) -> tuple[str, str]:
        """Return a step and a zero point of DequantizeLinear and QuantizeLinear."""
        return self.constant(step, np.float32, "step"), self.constant(zero, np.uint8, "zero")

    def channels_first(self, x: Tensor) -> Tensor:
        """Return a value with the channels before the other axes."""
        rank = len(x.shape)
        if x.first or rank < 2:
            return replace(x, first=rank > 1)
        return replace(self.apply("Transpose", x, perm=[0, rank, *range(1, rank)]), first=True)

    def channels_last(self, x: Tensor) -> Tensor:
        """Return a value with the channels behind the other axes."""
        if x.inner:
            (*others, channels), size = x.inner, x.shape
            to = self.constant([-1, channels, *others], np.int64, "shape")
            apart = replace(self.apply("Reshape", x, to), shape=x.inner, first=True, inner=())
            return self.reshaped(apart, size)
        if not x.first:
            return x
        perm = [0, *range(2, len(x.shape) + 1), 1]
        return replace(self.apply("Transpose", x, perm=perm), first=False)

    def reshaped(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Return the elements of a channels-last value in another shape."""
        to = self.constant([-1, *shape], np.int64, "shape")
        return replace(self.apply("Reshape", self.channels_last(x), to), shape=tuple(shape))

    def flattened(self, x: Tensor) -> Tensor:
        """Return the elements of a channels-first value as a vector, in the order they have."""
        size = int(np.prod(x.shape))
        y = self.apply("Reshape", x, self.constant([-1, size], np.int64, "shape"))
        return replace(y, shape=(size,), first=False, inner=x.shape)
