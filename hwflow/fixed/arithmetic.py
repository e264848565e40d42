"""Exact arithmetic on int64 mantissas: shifts, roundings, casts, sums and products.

What could pass 63 bits is refused with ``OverflowError`` instead of wrapping silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed.types import (
    MAX_RAW_BITS,
    MAX_TYPE_WIDTH,
    FixedType,
    Overflow,
    RawArray,
    Rounding,
)


def shift_round(raw: RawArray, bits: int, rounding: Rounding) -> RawArray:
    """Return ``raw / 2**bits`` rounded to integers; ``bits`` at least 0."""
    if bits <= 0:
        return raw
    if bits > MAX_RAW_BITS:  # every magnitude is far below one half
        sign = np.sign(raw)
        below = np.where(sign < 0, -1, 0)
        return below if rounding is Rounding.TRN else np.zeros_like(raw)
    floor = raw >> bits
    rest = raw - (floor << bits)
    half = np.int64(1) << np.int64(bits - 1)
    match rounding:
        case Rounding.TRN:
            up = np.zeros(raw.shape, bool)
        case Rounding.TRN_ZERO:
            up = (raw < 0) & (rest > 0)
        case Rounding.RND:
            up = rest >= half
        case Rounding.RND_MIN_INF:
            up = rest > half
        case Rounding.RND_ZERO:
            up = (rest > half) | ((rest == half) & (raw < 0))
        case Rounding.RND_INF:
            up = (rest > half) | ((rest == half) & (raw >= 0))
        case Rounding.RND_CONV:
            up = (rest > half) | ((rest == half) & (floor & 1 == 1))
    return floor + up


def overflow_raw(raw: RawArray, to: FixedType) -> RawArray:
    """Return the mantissas brought into the range of ``to`` by its overflow mode."""
    lo, hi = to.raw_min, to.raw_max
    match to.overflow:
        case Overflow.WRAP:
            low_bits = raw & np.int64(2**to.width - 1)
            if not to.signed:
                return low_bits
            return np.where(low_bits > hi, low_bits - np.int64(2**to.width), low_bits)
        case Overflow.SAT_ZERO:
            return np.where((raw < lo) | (raw > hi), 0, raw)
        case _:
            return np.clip(raw, lo, hi)


@dataclass(frozen=True, eq=False)
class FixedArray:
    """An array of fixed-point numbers that share one type.

    Attributes:
        raw: int64 mantissas, any shape.
        dtype: their type; mantissas are within its two's complement range.
    """

    raw: RawArray
    dtype: FixedType

    def __repr__(self) -> str:
        """Return shape and type, with the numbers where they are few."""
        shape = "x".join(map(str, self.raw.shape))
        few = f" {self.values.tolist()}" if self.raw.size <= 8 else ""
        return f"FixedArray [{shape}] {self.dtype}{few}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the mantissas."""
        return self.raw.shape

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """Real values; exact while mantissas stay within 53 bits."""
        return np.ldexp(self.raw.astype(np.float64), -self.dtype.fractional)

    def cast(self, to: FixedType) -> FixedArray:
        """Return the numbers assigned to ``to``: round, then overflow, as ap_fixed does."""
        return FixedArray(cast_raw(self.raw, self.dtype.fractional, to), to)

    def __getitem__(self, key: Any) -> FixedArray:
        """Return the selected numbers, with the same type."""
        return FixedArray(np.asarray(self.raw[key]), self.dtype)

    @classmethod
    def exactly(cls, values: npt.ArrayLike) -> FixedArray:
        """Return finite real values in the narrowest type that holds all of them exactly.

        Raises:
            OverflowError: no type of at most 62 bits holds them all.
        """
        array = np.asarray(values, np.float64)
        fractional = needed_fractional(array)
        scaled = np.ldexp(array, fractional)
        if array.size and np.abs(scaled).max() >= 2.0**61:
            raise OverflowError("the values span more than 62 bits")
        raw = scaled.astype(np.int64)
        lo, hi = (int(raw.min()), int(raw.max())) if raw.size else (0, 0)
        return cls(raw, FixedType.covering(lo, hi, fractional))

    @classmethod
    def narrowest(cls, raw: RawArray, fractional: int) -> FixedArray:
        """Return mantissas at ``fractional`` bits in the narrowest type that holds them exactly."""
        lowest = int(np.bitwise_or.reduce(raw, axis=None)) if raw.size else 0
        spare = (lowest & -lowest).bit_length() - 1 if lowest else 0
        raw = raw >> spare
        lo, hi = (int(raw.min()), int(raw.max())) if raw.size else (0, 0)
        return cls(raw, FixedType.covering(lo, hi, fractional - spare if lowest else 0))

    def __add__(self, other: FixedArray) -> FixedArray:
        """Return the exact sum in the narrowest type, with numpy's broadcasting.

        Raises:
            OverflowError: the common grid would need more than 62 bits.
        """
        common = max(self.dtype.fractional, other.dtype.fractional)
        total = shift_left(self.raw, common - self.dtype.fractional) + shift_left(
            other.raw, common - other.dtype.fractional
        )
        return FixedArray.narrowest(total, common)


def shift_left(raw: RawArray, bits: int) -> RawArray:
    """Return ``raw * 2**bits``.

    Raises:
        OverflowError: the result could pass 62 bits.
    """
    if int(np.abs(raw).max(initial=0)).bit_length() + bits > MAX_TYPE_WIDTH - 1:
        raise OverflowError(f"shifting left by {bits} bits would pass {MAX_TYPE_WIDTH} bits")
    return raw << bits


def needed_fractional(values: npt.NDArray[np.float64]) -> int:
    """Return the fewest fractional bits (may be negative) that represent all values exactly."""
    nonzero = values[values != 0]
    if nonzero.size == 0:
        return 0
    mantissa, exponent = np.frexp(nonzero)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest_bit = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
    return int((53 - exponent - lowest_bit).max())


def cast_raw(raw: RawArray, fractional: int, to: FixedType) -> RawArray:
    """Return mantissas at ``fractional`` bits cast to ``to``.

    Raises:
        OverflowError: a left shift would pass 63 bits and the mode is not WRAP.
    """
    shift = to.fractional - fractional
    if shift <= 0:
        return overflow_raw(shift_round(raw, -shift, to.rounding), to)
    if to.overflow is Overflow.WRAP:
        # only the low bits survive, and a left shift modulo 2**64 keeps those right
        shifted = raw << shift if shift < 64 else np.zeros_like(raw)
        return overflow_raw(shifted, to)
    limit = 2**MAX_TYPE_WIDTH >> shift
    clipped = np.clip(raw, -limit, limit)
    if to.overflow is Overflow.SAT_ZERO or limit <= to.raw_max >> shift:
        _require_fit(raw, shift)
        return overflow_raw(raw << shift, to)
    return overflow_raw(clipped << shift, to)


def _require_fit(raw: RawArray, shift: int) -> None:
    if raw.size and int(np.abs(raw).max()).bit_length() + shift > MAX_RAW_BITS:
        raise OverflowError(f"shifting left by {shift} bits would pass {MAX_RAW_BITS} bits")
