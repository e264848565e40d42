"""Integers in the order of the real numbers that other integers stand for.

To find the greatest of values with a scale and an offset for each channel, no real number is
needed: any factors and offsets will do under which whole numbers compare as the real ones do.

**Proof**: all values that all channels can take are sorted as real numbers; the integers must rise
with them, and be equal exactly where they are equal.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from hwflow.fixed import FixedArray, RawArray
from hwflow.ir.grid import Grid, Rationals
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import ScaleBias

MAX_POINTS = 2**22
"""Most values, over all channels, that are sorted."""

FINEST = 40
"""Bits of the finest factors tried."""


class NoOrderError(Exception):
    """No integers of reasonable size are in the order of the real numbers."""


def in_order(grid: Grid, x: TensorType) -> Op | None:
    """Return what gives integers that compare as the real numbers do, or None where ``x`` does.

    Args:
        grid: what the values of ``x`` mean.
        x: channels on its last axis are compared with each other.

    Raises:
        NoOrderError: there are too many values, or they lie too close together.
    """
    scale, offset = (np.broadcast_to(a, x.channels) for a in (grid.scale, grid.offset))
    if len(set(scale)) == 1 == len(set(offset)) and scale[0] > 0:
        return None
    if int((x.hi - x.lo + 1).sum()) > MAX_POINTS:
        raise NoOrderError(f"more than {MAX_POINTS} values to compare")
    step = Fraction(2) ** -x.dtype.fractional
    steepest, farthest = (max(abs(v) for v in part) for part in (scale * step, offset))
    unit = steepest or farthest or Fraction(1)  # constants rise by nothing
    channel, raw, ties = _sorted(scale * step / unit, offset / unit, x)
    for bits in range(FINEST):
        factors, offsets = (
            np.array([round(v / unit * 2**bits) for v in part], np.int64)
            for part in (scale * step, offset)
        )
        rises = np.diff(factors[channel] * raw + offsets[channel])
        if np.all(np.where(ties, rises == 0, rises > 0)):
            return ScaleBias(
                scale=FixedArray.narrowest(factors, -x.dtype.fractional),
                bias=FixedArray.narrowest(offsets, 0),
            )
    raise NoOrderError("values of different channels lie too close together")


def _sorted(
    scale: Rationals, offset: Rationals, x: TensorType
) -> tuple[RawArray, RawArray, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return channel and mantissa of every value in order, and which equal the one before."""
    counts = x.hi - x.lo + 1
    channel = np.repeat(np.arange(x.channels), counts)
    raw = np.concatenate([np.arange(lo, hi + 1) for lo, hi in zip(x.lo, x.hi, strict=True)])
    slopes, starts = (np.array([float(v) for v in part]) for part in (scale, offset))
    real = slopes[channel] * raw + starts[channel]
    error = 2.0**-50 * (np.abs(slopes[channel] * raw) + np.abs(starts[channel]))
    order = np.argsort(real, kind="stable")
    unsure = np.diff(real[order]) <= error[order][1:] + error[order][:-1]
    ties = np.zeros(len(unsure), bool)
    starts_at = np.flatnonzero(unsure & ~np.concatenate([[False], unsure[:-1]]))
    for first in starts_at.tolist():  # values that float64 cannot tell apart, in exact order
        last = first + 1 + int(np.argmin(np.append(unsure[first:], False)))
        places = order[first:last].tolist()
        exact = {p: scale[channel[p]] * int(raw[p]) + offset[channel[p]] for p in places}
        places.sort(key=exact.__getitem__)
        order[first:last] = places
        ties[first : last - 1] = [exact[a] == exact[b] for a, b in pairwise(places)]
    return channel[order], raw[order], ties
