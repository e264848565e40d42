"""``ap_fixed``'s types, with their rounding and overflow modes.

Rounding and overflow follow the AMD/Xilinx ``ap_fixed`` reference (UG1399, "Arbitrary Precision
Fixed-Point Data Types") as implemented in the ap_types headers that hls4ml ships.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

RawArray = npt.NDArray[np.int64]

MAX_RAW_BITS = 63
"""Bits of the largest magnitude of a mantissa: int64 holds magnitudes below 2**63."""

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
