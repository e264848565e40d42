"""The body of one layer's ONNX function while it is written: nodes, constants, exact casts.

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

from hwflow.codegen.golden import integers
from hwflow.codegen.golden.values import DOUBLE_BITS, Carrier, Span, Tensor, carrier
from hwflow.fixed import FixedType, Overflow, Rounding

Array = npt.NDArray[Any]


class Body:
    """Nodes and constants of a function that is being written.

    Attributes:
        nodes: in order.
        constants: by name; they become further inputs of the function.
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
            x: in float32.
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

    def rounded(self, x: Tensor, rounding: Rounding) -> Tensor:
        """Return real numbers rounded to integers as ap_fixed does; see ``Rounding``.

        Halves are found by doubling, which is exact: ``ceil(floor(2 x) / 2)`` rounds them up.
        """
        match rounding:
            case Rounding.TRN:
                return self.apply("Floor", x)
            case Rounding.RND_CONV:
                return self.apply("Round", x)  # ONNX rounds halves to even
            case Rounding.RND:
                return self._nearest(x, "Floor", "Ceil")
            case Rounding.RND_MIN_INF:
                return self._nearest(x, "Ceil", "Floor")
        sign, size = self.apply("Sign", x), self.apply("Abs", x)
        if rounding is Rounding.RND_INF:
            size = self._nearest(size, "Floor", "Ceil")
        elif rounding is Rounding.RND_ZERO:
            size = self._nearest(size, "Ceil", "Floor")
        else:
            size = self.apply("Floor", size)
        return self.apply("Mul", sign, size.name)

    def _nearest(self, x: Tensor, inner: str, outer: str) -> Tensor:
        return self.apply(outer, self.scaled(self.apply(inner, self.scaled(x, 1)), -1))

    def cast(
        self, x: Tensor, span: Span, to: FixedType, *, scaled: bool = False
    ) -> tuple[Tensor, Span]:
        """Return mantissas assigned to a type, as ``FixedArray.cast`` does.

        Args:
            x: mantissas; or with ``scaled``, those divided by what their grid is finer.
            span: where the mantissas lie.
            to: the type.
            scaled: the division was done already.

        Raises:
            NoGoldenError: int64 is too narrow.
        """
        drop = span.fractional - to.fractional
        if drop > 0:
            lo, hi = span.lo >> drop, -(-span.hi >> drop)
        else:
            lo, hi = span.lo << -drop, span.hi << -drop
        inside = to.raw_min <= lo and hi <= to.raw_max
        saturates = to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
        at_zero = saturates and to.raw_min == 0 and hi <= to.raw_max  # no other end is met
        reach = max(span.largest, abs(lo), abs(hi), 0 if inside or at_zero else 1 << to.width)
        if x.carrier is Carrier.INT64 or reach > 2**DOUBLE_BITS:
            if scaled:
                x, span = self.rounded(x, to.rounding), Span(lo, hi, to.fractional)
            carrier(2 * span.largest, "a cast")  # with room for what rounding adds
            x = integers.cast(self, self.carried(x, Carrier.INT64), span, to)
            return x, self._after(to, lo, hi)
        x = self.carried(x, max(x.carrier, carrier(reach, "a cast")))
        if not scaled:
            x = self.scaled(x, -drop)
        if not inside and saturates:
            x = self.clipped(x, lo, hi, to)
        if drop > 0:
            x = self.rounded(x, to.rounding)
        if not inside:
            x = self.overflown(x, to)
        return x, self._after(to, lo, hi)

    @staticmethod
    def _after(to: FixedType, lo: int, hi: int) -> Span:
        """Return where numbers from ``lo`` to ``hi`` lie after an overflow."""
        inside = to.raw_min <= lo and hi <= to.raw_max
        if not inside and to.overflow in (Overflow.WRAP, Overflow.SAT_ZERO):
            return Span(to.raw_min, to.raw_max, to.fractional)
        low, high = (min(max(v, to.raw_min), to.raw_max) for v in (lo, hi))
        return Span(low, high, to.fractional)

    def clipped(self, x: Tensor, lo: int, hi: int, to: FixedType) -> Tensor:
        """Return numbers between the ends of a type; before rounding, which keeps integers."""
        if to.raw_min == 0 and hi <= to.raw_max:
            return self.apply("Relu", x)
        return self.apply(
            "Clip", x, self.number(x, to.raw_min, "lo"), self.number(x, to.raw_max, "hi")
        )

    def overflown(self, x: Tensor, to: FixedType) -> Tensor:
        """Return integers after an overflow that does not clip; others were clipped before."""
        if to.overflow is Overflow.WRAP:
            return self._turned(self._turned(x, to, 0), to, to.raw_min)
        if to.overflow is Overflow.SAT_ZERO:
            held = self.node("Clip", x.name, self.number(x, to.raw_min), self.number(x, to.raw_max))
            same = self.node("Equal", held, x.name)
            return replace(x, name=self.node("Where", same, x.name, self.number(x, 0.0)))
        return x

    def _turned(self, x: Tensor, to: FixedType, low: int) -> Tensor:
        """Return integers modulo ``2**width``, from ``low`` on.

        A multiple of the modulus has fewer bits than the number that it is taken from.
        """
        if low == 0 or not to.signed:
            above = x
        else:
            above = self.apply("Sub", x, self.number(x, low))
        turns = self.apply("Floor", self.scaled(above, -to.width))
        return self.apply("Sub", x, self.scaled(turns, to.width).name)
