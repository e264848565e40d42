"""Hypothesis strategies for hwflow's values, and numbers computed another way to compare with."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.tensor import TensorType

roundings = st.sampled_from(list(Rounding))
overflows = st.sampled_from(list(Overflow))


@st.composite
def fixed_types(
    draw: st.DrawFn, max_width: int = 20, *, modes: bool = True, max_shift: int = 6
) -> FixedType:
    """Draw a type whose binary point is at most ``max_shift`` bits outside the number."""
    width = draw(st.integers(1, max_width))
    integer = draw(st.integers(-max_shift, width + max_shift))
    signed = draw(st.booleans())
    if not modes:
        return FixedType(width, integer, signed)
    rounding, overflow = draw(roundings), draw(overflows)
    return FixedType(width, integer, signed, rounding, overflow)


@st.composite
def fixed_arrays(
    draw: st.DrawFn, dtype: st.SearchStrategy[FixedType] | None = None, size: int = 16
) -> FixedArray:
    """Draw numbers of one type, the ends of its range more often than others."""
    to = draw(fixed_types(modes=False) if dtype is None else dtype)
    low, high = to.raw_min, to.raw_max
    ends = st.sampled_from(sorted({low, min(low + 1, high), 0, max(high - 1, low), high}))
    raw = draw(arrays(np.int64, draw(st.integers(1, size)), elements=ends | st.integers(low, high)))
    return FixedArray(raw, to)


@st.composite
def tensor_types(draw: st.DrawFn, max_rank: int = 3, max_width: int = 7) -> TensorType:
    """Draw a small tensor type; its range may be narrower than its type, channel by channel."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=max_rank)))
    dtype = draw(fixed_types(max_width, modes=False, max_shift=2))
    bounds = arrays(np.int64, shape[-1], elements=st.integers(dtype.raw_min, dtype.raw_max))
    a, b = draw(bounds), draw(bounds)
    return TensorType(shape, dtype, np.minimum(a, b), np.maximum(a, b))


def rounded(value: Fraction, rounding: Rounding) -> int:
    """Return a rational number rounded to an integer, from the definition of the mode."""
    below, above = floor(value), ceil(value)
    if rounding is Rounding.TRN:
        return below
    if rounding is Rounding.TRN_ZERO:
        return below if value >= 0 else above
    if value - below != above - value:
        return below if value - below < above - value else above
    match rounding:
        case Rounding.RND:
            return above
        case Rounding.RND_MIN_INF:
            return below
        case Rounding.RND_ZERO:
            return below if value >= 0 else above
        case Rounding.RND_INF:
            return above if value >= 0 else below
    return below if below % 2 == 0 else above


def overflowed(raw: int, to: FixedType) -> int:
    """Return an integer brought into the range of a type, from the definition of the mode."""
    if to.raw_min <= raw <= to.raw_max:
        return raw
    match to.overflow:
        case Overflow.SAT_ZERO:
            return 0
        case Overflow.WRAP:
            low = raw % 2**to.width
            return low - 2**to.width if to.signed and low >= 2 ** (to.width - 1) else low
    return to.raw_min if raw < to.raw_min else to.raw_max


def cast_exactly(value: Fraction, to: FixedType) -> int:
    """Return the mantissa of a rational number assigned to a type."""
    return overflowed(rounded(value * Fraction(2) ** to.fractional, to.rounding), to)


def real(raw: int, dtype: FixedType) -> Fraction:
    """Return the number that a mantissa of a type stands for."""
    return raw * Fraction(2) ** -dtype.fractional
