"""Exact fixed-point arithmetic with ap_fixed's types, rounding and overflow modes.

A number is an integer mantissa ``raw`` and a type; its value is ``raw * 2**-fractional``. All
arithmetic is done on int64 mantissas, so results are exact; what could pass 63 bits is refused
with ``OverflowError`` instead of wrapping silently.

Rounding and overflow follow the AMD/Xilinx ``ap_fixed`` reference (UG1399, "Arbitrary Precision
Fixed-Point Data Types") as implemented in the ap_types headers that hls4ml ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

RawArray = npt.NDArray[np.int64]

MAX_RAW_BITS = 63
"""Mantissas live in int64: magnitudes stay below 2**63."""

MAX_TYPE_WIDTH = 62
"""Widest type: one bit is kept free, so that rounding never overflows int64."""

MAX_PARSED_INTEGER = 256
"""Farthest binary point that a type given as text may have; doubles reach to 2**1023."""


class Rounding(StrEnum):
    """ap_fixed's quantisation modes (the part below the last bit)."""

    TRN = "TRN"  # toward minus infinity
    TRN_ZERO = "TRN_ZERO"  # toward zero
    RND = "RND"  # half toward plus infinity
    RND_ZERO = "RND_ZERO"  # half toward zero
    RND_INF = "RND_INF"  # half away from zero
    RND_MIN_INF = "RND_MIN_INF"  # half toward minus infinity
    RND_CONV = "RND_CONV"  # half to even


class Overflow(StrEnum):
    """ap_fixed's overflow modes."""

    WRAP = "WRAP"
    SAT = "SAT"
    SAT_ZERO = "SAT_ZERO"
    SAT_SYM = "SAT_SYM"


@dataclass(frozen=True)
class FixedType:
    """``ap_fixed<width, integer, rounding, overflow>``, or ``ap_ufixed`` when not ``signed``.

    Attributes:
        width: total number of bits, at least 1.
        integer: bits left of the binary point, the sign bit included; may be negative or larger
            than ``width``.
        signed: two's complement if true.
        rounding: applied when bits below the last are dropped.
        overflow: applied when the value is out of range.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def __post_init__(self) -> None:
        """Refuse widths that cannot be computed exactly in int64."""
        if not 1 <= self.width <= MAX_TYPE_WIDTH:
            raise OverflowError(
                f"1 <= width <= {MAX_TYPE_WIDTH} must hold, but got width={self.width}"
            )

    @property
    def fractional(self) -> int:
        """Number of bits right of the binary point; may be negative."""
        return self.width - self.integer

    @property
    def step(self) -> float:
        """Value of the last bit."""
        return 2.0**-self.fractional

    @property
    def raw_min(self) -> int:
        """Smallest mantissa that a cast to this type can give."""
        if not self.signed:
            return 0
        if self.overflow is Overflow.SAT_SYM:
            return -(1 << (self.width - 1)) + 1
        return -(1 << (self.width - 1))

    @property
    def raw_max(self) -> int:
        """Largest mantissa."""
        return int(2 ** (self.width - int(self.signed)) - 1)

    def holds(self, lo: int, hi: int, fractional: int) -> bool:
        """Return whether mantissas ``lo..hi`` at ``fractional`` bits survive a cast unchanged."""
        if self.fractional < fractional:
            return False
        shift = self.fractional - fractional
        return self.raw_min <= lo << shift and hi << shift <= self.raw_max

    def __str__(self) -> str:
        """Return hwflow's short form, e.g. ``ufixed<6,0,RND_CONV,SAT>``."""
        modes = ""
        if self.overflow is not Overflow.WRAP:
            modes = f",{self.rounding},{self.overflow}"
        elif self.rounding is not Rounding.TRN:
            modes = f",{self.rounding}"
        return f"{'' if self.signed else 'u'}fixed<{self.width},{self.integer}{modes}>"

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Return the type written as ``[ap_][u]fixed<W,I[,Q[,O]]>`` or ``[ap_][u]int<W>``.

        Raises:
            ValueError: the text has another form or an unknown mode.
            OverflowError: the width cannot be computed exactly.
        """
        import re

        match = re.fullmatch(r"\s*(?:ap_)?(u?)(fixed|int)<([^<>]*)>\s*", text)
        if match is None:
            raise ValueError(f"{text!r} is not of the form fixed<W,I[,ROUNDING[,OVERFLOW]]>")
        fields = [f.strip().removeprefix("AP_") for f in match[3].split(",")]
        numbers, most = (1, 1) if match[2] == "int" else (2, 4)
        are_numbers = all(re.fullmatch(r"-?\d+", f) for f in fields[:numbers])
        if not numbers <= len(fields) <= most or not are_numbers:
            raise ValueError(f"{text!r} is not of the form fixed<W,I[,ROUNDING[,OVERFLOW]]>")
        width = int(fields[0])
        integer = width if match[2] == "int" else int(fields[1])
        if abs(integer) > MAX_PARSED_INTEGER:
            raise ValueError(f"{text!r} puts the binary point beyond {MAX_PARSED_INTEGER} bits")
        rounding = Rounding(fields[2]) if len(fields) > 2 else Rounding.TRN
        overflow = Overflow(fields[3]) if len(fields) > 3 else Overflow.WRAP
        return cls(width, integer, not match[1], rounding, overflow)

    @classmethod
    def covering(
        cls, lo: int, hi: int, fractional: int, *, signed: bool | None = None
    ) -> FixedType:
        """Return the narrowest exact type holding the mantissas ``lo..hi`` at ``fractional`` bits.

        Raises:
            OverflowError: more than 62 bits would be needed.
        """
        if lo > hi:
            raise ValueError(f"lo <= hi must hold, but got lo={lo}, hi={hi}")
        is_signed = lo < 0 if signed is None else signed
        bits = max(hi, -lo - 1, 0).bit_length() + int(is_signed)
        width = max(bits, 1)
        return cls(width, width - fractional, is_signed)


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
