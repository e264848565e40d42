"""What a value of the hardware graph is: its shape, its type and the range it provably stays in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwflow.fixed import FixedType, Overflow, RawArray, cast_raw


@dataclass(frozen=True, eq=False)
class TensorType:
    """Shape, fixed-point type and proven range of a value.

    Attributes:
        shape: without the batch axis, channels last.
        dtype: the fixed-point type of every element.
        lo: smallest mantissa each channel (last axis) can take, int64 of shape ``(shape[-1],)``.
        hi: largest mantissa each channel can take, same shape.
    """

    shape: tuple[int, ...]
    dtype: FixedType
    lo: RawArray
    hi: RawArray

    @property
    def channels(self) -> int:
        """Length of the last axis; 1 for a scalar."""
        return self.shape[-1] if self.shape else 1

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest mantissa over all channels."""
        return int(self.lo.min()), int(self.hi.max())

    def is_like(self, other: TensorType) -> bool:
        """Return whether shapes, types and ranges are the same."""
        return self is other or (
            self.shape == other.shape
            and self.dtype == other.dtype
            and np.array_equal(self.lo, other.lo)
            and np.array_equal(self.hi, other.hi)
        )

    @classmethod
    def full(cls, shape: tuple[int, ...], dtype: FixedType) -> TensorType:
        """Return the tensor whose elements take any value of the type."""
        channels = shape[-1] if shape else 1
        lo = np.full(channels, dtype.raw_min, np.int64)
        return cls(shape, dtype, lo, np.full(channels, dtype.raw_max, np.int64))

    @classmethod
    def exactly(
        cls, shape: tuple[int, ...], lo: RawArray, hi: RawArray, fractional: int
    ) -> TensorType:
        """Return the tensor in the narrowest type that holds its range at ``fractional`` bits.

        Args:
            shape: without the batch axis.
            lo: smallest mantissas, broadcast over channels.
            hi: largest mantissas, broadcast over channels.
            fractional: bits right of the binary point that the mantissas have.

        Raises:
            OverflowError: more than 62 bits would be needed.
        """
        channels = (shape[-1] if shape else 1,)
        lo, hi = np.broadcast_to(lo, channels), np.broadcast_to(hi, channels)
        return cls(shape, FixedType.covering(int(lo.min()), int(hi.max()), fractional), lo, hi)

    def cast(self, to: FixedType) -> TensorType:
        """Return the tensor after a cast of every element to ``to``; casts are monotone or wrap.

        A channel that may wrap takes any value of ``to``, unless it is constant.
        """
        frac = self.dtype.fractional
        lo, hi = cast_raw(self.lo, frac, to), cast_raw(self.hi, frac, to)
        wraps = to.overflow in (Overflow.WRAP, Overflow.SAT_ZERO)
        if wraps and not _stays(*self.bounds, frac - to.fractional, to):
            pairs = zip(self.lo.tolist(), self.hi.tolist(), strict=True)
            known = [a == b or _stays(a, b, frac - to.fractional, to) for a, b in pairs]
            lo, hi = np.where(known, lo, to.raw_min), np.where(known, hi, to.raw_max)
        return TensorType(self.shape, to, lo, hi)

    def __str__(self) -> str:
        """Return e.g. ``[8x8x4] ufixed<6,0> in 0..63``."""
        lo, hi = self.bounds
        return f"[{'x'.join(map(str, self.shape))}] {self.dtype} in {lo}..{hi}"


def _stays(lo: int, hi: int, shift: int, to: FixedType) -> bool:
    """Return whether mantissas ``lo..hi``, shifted right and rounded, stay in range."""
    if shift <= 0:
        return to.raw_min <= lo << -shift and hi << -shift <= to.raw_max
    rounded_hi = (hi >> shift) + (1 if hi & ((1 << shift) - 1) and to.rounding != "TRN" else 0)
    return to.raw_min <= lo >> shift and rounded_hi <= to.raw_max
