"""Exact fixed-point arithmetic with ``ap_fixed``'s types, rounding and overflow modes.

A number is an integer mantissa ``raw`` and a type; its value is ``raw * 2**-fractional``.
"""

from hwflow.fixed.arithmetic import (
    FixedArray,
    cast_raw,
    needed_fractional,
    overflow_raw,
    shift_left,
    shift_round,
)
from hwflow.fixed.types import (
    MAX_PARSED_INTEGER,
    MAX_RAW_BITS,
    MAX_TYPE_WIDTH,
    FixedType,
    Overflow,
    RawArray,
    Rounding,
)

__all__ = [
    "MAX_PARSED_INTEGER",
    "MAX_RAW_BITS",
    "MAX_TYPE_WIDTH",
    "FixedArray",
    "FixedType",
    "Overflow",
    "RawArray",
    "Rounding",
    "cast_raw",
    "needed_fractional",
    "overflow_raw",
    "shift_left",
    "shift_round",
]
