"""QuantizeLinear as the last step of an 8-bit kernel: which one gives the results of a cast.

Its result is ``clip(round(sum / step) + point, 0, 255)`` where halves go to even, computed in
float32 with one division, or one product with ``1 / step``: what is used is proven for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedType, RawArray, Rounding, cast_raw
from hwflow.ir.body.values import FLOAT_BITS, Span
from hwflow.ops.requantization.floating_lines import spaced
from hwflow.ops.requantization.problem import Problem

LEVELS = 256
"""Values of uint8."""

SIGNED_ZERO = 128
"""The uint8 value that stands for 0 where a value can be negative."""

NUDGE = np.float32(2.0**-22)
"""Relative change of a step that decides halves: 4 times the error of a product and a quotient in
float32, and a quarter of what numbers of 20 bits are apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantize:
    """What becomes of sums.

    Attributes:
        step: step of QuantizeLinear.
        point: its zero point.
        zero: the uint8 value that stands for 0.
        low: least uint8 value; 0 where none is cut.
        high: greatest uint8 value.
        added: what is added to every sum before.
    """

    step: np.float32
    point: int = 0
    zero: int = 0
    low: int = 0
    high: int = LEVELS - 1
    added: int = 0

    def levels(self, sums: RawArray) -> Iterator[npt.NDArray[Any]]:
        """Yield what becomes of sums: by a division, and by a product."""
        values = (sums + self.added).astype(np.float32)
        for scaled in (values / self.step, values * (np.float32(1) / self.step)):
            quantized = np.clip(np.rint(scaled) + np.float32(self.point), 0, LEVELS - 1)
            yield np.clip(quantized, self.low, self.high).astype(np.int64) - self.zero

    def gives(self, sums: RawArray, expected: RawArray) -> bool:
        """Return whether sums become what they should; float32 must hold them."""
        if int(np.abs(sums + self.added).max()) > 2**FLOAT_BITS:
            return False
        return all(np.array_equal(levels, expected) for levels in self.levels(sums))


def cast_of(span: Span, to: FixedType) -> Quantize | None:
    """Return what gives the results of a cast for all sums of a span, or None.

    It is compared at both sides of every level's ends; all is monotone, so that sums between two
    neighbours of that list are between the same two results.
    """
    drop = span.fractional - to.fractional
    signed = to.raw_min < 0 and span.lo < 0
    zero = SIGNED_ZERO if signed else 0
    low = (to.raw_min if signed else max(to.raw_min, 0)) + zero
    halves = np.arange(2 * to.raw_min - 3, 2 * to.raw_max + 4)
    ends = halves << (drop - 1) if drop > 0 else halves >> (1 - drop)
    near = (ends[:, None] + np.arange(-2, 3)).ravel()
    sums = np.unique(np.clip(np.append(near, [span.lo, span.hi]), span.lo, span.hi))
    expected = cast_raw(sums.astype(np.int64), span.fractional, to)
    for rise, nudge, lifted in _ways(to.rounding, drop, signed=signed):
        found = Quantize(
            step=np.float32(2.0**drop) * (np.float32(1) - np.float32(nudge)),
            point=0 if lifted else zero,
            zero=zero,
            added=rise + ((zero << drop) if lifted else 0),
        )
        for tried in (found, replace(found, low=low, high=to.raw_max + zero)):
            if tried.gives(sums, expected):
                return tried
    return None


def _ways(rounding: Rounding, drop: int, *, signed: bool) -> Iterator[tuple[int, float, bool]]:
    """Yield what to add to the sums, how to change the step, and whether to lift them above 0.

    A smaller step takes halves away from 0, a greater one towards it. Above 0, away is up; what is
    below 0 there is clipped. Rounding down is rounding to nearest, halves up, half a step lower.
    """
    if drop <= 0:
        yield 0, 0.0, False
        return
    up, nudge = signed, float(NUDGE)
    match rounding:
        case Rounding.RND_CONV:
            yield 0, 0.0, False
        case Rounding.RND:
            yield 0, nudge, up
        case Rounding.RND_MIN_INF:
            yield 0, -nudge, up
        case Rounding.RND_INF:
            yield 0, nudge, False
        case Rounding.RND_ZERO:
            yield 0, -nudge, False
        case Rounding.TRN:
            yield -(1 << (drop - 1)), nudge, up
        case Rounding.TRN_ZERO if not signed:
            yield -(1 << (drop - 1)), nudge, False


def step_of(problem: Problem) -> Quantize | None:
    """Return what gives the results of a function of sums that all channels share, or None."""
    least, most = problem.levels
    zero = SIGNED_ZERO if least < 0 else 0
    if (
        problem.rows > 1
        or problem.weights is not None
        or not 0 <= least + zero <= most + zero < LEVELS
    ):
        return None
    width, offset = (float(v[0]) for v in spaced(problem))
    sums = np.concatenate([problem.first, problem.last])
    expected = np.tile(problem.level, 2)
    for nudge in (np.float32(0), NUDGE, -NUDGE):
        step, point = np.float32(width) * (1 - nudge), zero + int(offset)
        found = Quantize(step=step, point=point, zero=zero)
        for tried in (found, replace(found, low=least + zero, high=most + zero)):
            if 0 <= point < LEVELS and tried.gives(sums, expected):
                return tried
    return None
