"""Values of a golden body: what they are carried in, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from hwflow.fixed import MAX_RAW_BITS
from hwflow.ir.tensor import TensorType

FLOAT_BITS, DOUBLE_BITS = 24, 53
"""Significands of float32 and float64: integers up to 2**bits are exact."""

_ONNX = (
    onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64,
)  # fmt: skip


class Carrier(IntEnum):
    """The arithmetic that mantissas are carried in; a greater one holds more of them."""

    UINT8 = 0
    FLOAT32 = 1
    FLOAT64 = 2
    INT64 = 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type in numpy."""
        return np.dtype(str(self))

    @property
    def onnx(self) -> int:
        """The element type in ONNX."""
        return _ONNX[self]

    def __str__(self) -> str:
        """Return numpy's name."""
        return self.name.lower()


class NoGoldenError(Exception):
    """An error that says why no standard operators compute a layer exactly."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A value inside a function.

    Attributes:
        name: name of the ONNX value.
        shape: its shape in hardware: channels last, no batch axis.
        carrier: the arithmetic that it is in.
        first: the channels stand before the other axes.
        zero: what stands for 0; not 0 in uint8 only.
        inner: for a vector whose elements stand as those of a value with the channels first: the
            shape of that value, channels last.
    """

    name: str
    shape: tuple[int, ...]
    carrier: Carrier = Carrier.FLOAT32
    first: bool = False
    zero: int = 0
    inner: tuple[int, ...] = ()

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """The places that a vector's elements have with the channels last."""
        places = np.arange(self.shape[0])
        return np.moveaxis(places.reshape(self.inner), -1, 0).ravel() if self.inner else places


@dataclass(frozen=True)
class Span:
    """Where the mantissas of a value lie.

    Attributes:
        lo: least.
        hi: greatest.
        fractional: bits right of the binary point.
    """

    lo: int
    hi: int
    fractional: int

    @classmethod
    def of(cls, x: TensorType) -> Span:
        """Return where the mantissas of a hardware value lie."""
        return cls(*x.bounds, x.dtype.fractional)

    @property
    def largest(self) -> int:
        """Largest magnitude."""
        return max(abs(self.lo), abs(self.hi))


@dataclass(frozen=True)
class Result:
    """What a body computes, before the cast to ``result_t``.

    Attributes:
        tensor: mantissas on the grid of ``span``.
        span: where they lie.
        divided: they are divided already by what that grid is finer than the one of ``result_t``.
    """

    tensor: Tensor
    span: Span
    divided: bool = False


def carrier(largest: int, what: str = "a value") -> Carrier:
    """Return the narrowest arithmetic that holds integers of this magnitude.

    Raises:
        NoGoldenError: int64 does not hold them either.
    """
    if largest <= 2**FLOAT_BITS:
        return Carrier.FLOAT32
    if largest <= 2**DOUBLE_BITS:
        return Carrier.FLOAT64
    if largest < 2**MAX_RAW_BITS:
        return Carrier.INT64
    raise NoGoldenError(f"{what} needs more than {MAX_RAW_BITS} bits")
