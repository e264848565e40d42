"""Doubles assigned to ap_fixed types."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwflow.fixed import MAX_TYPE_WIDTH, FixedType, Overflow, RawArray, Rounding, overflow_raw


def _rounded(scaled: npt.NDArray[np.float64], rounding: Rounding) -> npt.NDArray[np.float64]:
    """Return doubles rounded to integers; what is right of the point is exact, as from no floor."""
    if rounding is Rounding.TRN:
        return np.floor(scaled)
    whole = np.trunc(scaled)
    rest = np.abs(scaled - whole)
    negative, tie = scaled < 0, rest == 0.5
    match rounding:
        case Rounding.TRN_ZERO:
            return whole
        case Rounding.RND:
            away = tie & ~negative
        case Rounding.RND_MIN_INF:
            away = tie & negative
        case Rounding.RND_ZERO:
            away = np.zeros_like(tie)
        case Rounding.RND_INF:
            away = tie
        case Rounding.RND_CONV:
            away = tie & (np.mod(whole, 2.0) != 0)
    return whole + np.where((rest > 0.5) | away, np.where(negative, -1.0, 1.0), 0.0)


def quantize_values(values: npt.NDArray[np.float64], to: FixedType) -> RawArray:
    """Return the mantissas of doubles assigned to ``to``, with ap_fixed's rounding of doubles."""
    finite = np.nan_to_num(values, nan=0.0, posinf=2.0**1000, neginf=-(2.0**1000))
    scaled = np.ldexp(finite, to.fractional)
    rounded = _rounded(scaled, to.rounding)
    if to.overflow is Overflow.WRAP:
        wrapped = np.fmod(rounded, 2.0**to.width)  # exact: nothing is added to what is left
        return overflow_raw(wrapped.astype(np.int64), to)
    limit = 2.0**MAX_TYPE_WIDTH
    return overflow_raw(np.clip(rounded, -limit, limit).astype(np.int64), to)
