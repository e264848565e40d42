"""Proposes the type of a port from its data: exact where that is possible in 16 bits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import frexp
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedType, Overflow, Rounding, needed_fractional

Array = npt.NDArray[Any]

WIDTH = 16
"""Widest type that is proposed."""

EXPONENTS = (-48, 48)
"""Powers of two between which the largest absolute value has to lie."""

_FINEST = 1074
"""Fractional bits of the smallest double."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A type for a port, and what it rests on.

    Attributes:
        dtype: the type. It saturates and rounds half to even.
        exact: every value of the data is one of the type's.
        samples: samples of the data.
        low: smallest value of the data.
        high: largest value.
        whole: every value of the data is an integer.
    """

    dtype: FixedType
    exact: bool
    samples: int
    low: float
    high: float
    whole: bool

    def __str__(self) -> str:
        """Return what the type rests on: ``5,000 samples, integers from 0 to 255``."""
        kind = "integers" if self.whole else "values"
        return f"{self.samples:,} samples, {kind} from {self.low:.6g} to {self.high:.6g}"


def propose(parts: Iterable[Array]) -> Proposal | None:
    """Return the type for data, or None where no type of 16 bits suits it, or it is no numbers.

    Integers of 8 and 16 bits get all of their type's range, since the next ones may have it.
    Others get the fewest bits that hold every value; where that takes more than ``WIDTH`` bits,
    ``WIDTH`` bits that cover the range.

    Args:
        parts: arrays of one element type, batch first.
    """
    low, high, fractional, samples = np.inf, -np.inf, -_FINEST, 0
    short: FixedType | None = None
    for part in parts:
        values = np.asarray(part)
        if values.dtype.kind not in "fiub" or not np.isfinite(values).all():
            return None
        short = _short_type(values.dtype)
        real = values.astype(np.float64)
        samples += len(real)
        if real.size:
            low, high = min(low, float(real.min())), max(high, float(real.max()))
        if real.any():
            fractional = max(fractional, needed_fractional(real))
    if not samples or not np.isfinite(low):
        return None
    whole = fractional <= 0
    exact = (
        short or _exact_type(low, high, max(fractional, 0)) or _exact_type(low, high, fractional)
    )
    dtype = exact or _covering_type(low, high)
    if dtype is None:
        return None
    return Proposal(
        dtype=_port(dtype),
        exact=exact is not None,
        samples=samples,
        low=low,
        high=high,
        whole=whole,
    )


def _short_type(dtype: np.dtype[Any]) -> FixedType | None:
    """Return the type of the numbers of a short integer type."""
    if dtype.kind == "b":
        return FixedType(1, 1, signed=False)
    bits = 8 * dtype.itemsize
    return FixedType(bits, bits, dtype.kind == "i") if dtype.kind in "iu" and bits < 32 else None


def _exact_type(low: float, high: float, fractional: int) -> FixedType | None:
    if fractional > WIDTH + EXPONENTS[1] or max(-low, high) >= 2.0 ** EXPONENTS[1]:
        return None
    if max(-low, high) * 2.0**fractional >= 2.0**WIDTH:
        return None
    first, last = (int(v * 2.0**fractional) for v in (low, high))
    found = FixedType.covering(first, last, fractional)
    return found if found.width <= WIDTH else None


def _covering_type(low: float, high: float) -> FixedType | None:
    """Return the finest type of ``WIDTH`` bits to whose range the ends round."""
    largest, signed = max(-low, high), low < 0
    exponent = frexp(largest)[1]
    if not EXPONENTS[0] <= exponent <= EXPONENTS[1]:
        return None
    for integer in (exponent + signed, exponent + signed + 1):
        found = FixedType(WIDTH, integer, signed)
        ends = (np.rint(v * 2.0**found.fractional) for v in (low, high))
        if all(found.raw_min <= end <= found.raw_max for end in ends):
            return found
    raise AssertionError("one bit more holds what rounds up to a power of two")


def _port(dtype: FixedType) -> FixedType:
    return FixedType(dtype.width, dtype.integer, dtype.signed, Rounding.RND_CONV, Overflow.SAT)
