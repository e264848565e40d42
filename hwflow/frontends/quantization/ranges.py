"""Chooses a scale from values: where the range of an activation ends.

Integers are symmetric where values have both signs, unsigned where they have not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

PERCENTILE = 99.99
"""Share of values inside the range, in percent (Wu et al. 2020, arXiv:2004.09602, table 5)."""

CANDIDATES = np.geomspace(1.0, 0.05, 100)
"""Ranges that are tried, in parts of the largest absolute value; steps of 3 percent."""

OCTAVES = 6
"""Powers of two that are tried below the one that holds every value."""

BINS = 2048
"""Bins of the histogram (Migacz, "8-bit Inference with TensorRT", GTC 2017, slide 38)."""


@dataclass(frozen=True)
class Format:
    """Integers of a quantiser.

    Attributes:
        bits: width.
        signed: whether negative integers are among them.
        zero_point: the integer that stands for 0.
    """

    bits: int
    signed: bool
    zero_point: int = 0

    @property
    def low(self) -> int:
        """The smallest integer."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The greatest integer."""
        return (1 << (self.bits - self.signed)) - 1

    def quantized(self, values: Array, scale: float | Array) -> Array:
        """Return values as QONNX's ``Quant`` gives them: rounded half to even, saturated."""
        whole = np.clip(np.rint(values / scale + self.zero_point), self.low, self.high)
        rounded: Array = (whole - self.zero_point) * scale
        return rounded

    def error(self, values: Array, scale: float) -> float:
        """Return the mean squared error of quantised values."""
        return float(np.mean((self.quantized(values, scale) - values) ** 2))


def choose_format(values: Array, bits: int, *, asymmetric: bool) -> Format:
    """Return unsigned integers for values of no sign, else symmetric ones or a zero point."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if low == 0.0:
        return Format(bits, signed=False)
    if not asymmetric:
        return Format(bits, signed=True)
    return Format(bits, False, round(-low / (high - low) * (2**bits - 1)))


def choose_scale(values: Array, form: Format, method: str, *, pow2: bool) -> float:
    """Return the scale of a quantiser.

    Args:
        values: samples of what it quantises.
        form: its integers.
        method: ``minmax``, ``percentile``, ``mse`` (least squared error) or ``entropy``.
        pow2: take a power of two: the next greater one, with ``mse`` the best.
    """
    whole = full_scale(values, form)
    if method == "percentile":
        inside = np.percentile(values, [100 - PERCENTILE, PERCENTILE])
        whole = full_scale(inside if form.signed or form.zero_point else inside[1:], form)
    elif method == "entropy" and not form.zero_point:
        whole = _entropy_limit(np.abs(values), form.high + 1) / form.high
    if whole <= 0.0 or not np.isfinite(whole):
        whole = 1.0 / form.high
    if method == "mse":
        steps = np.exp2(-np.arange(OCTAVES)) if pow2 else CANDIDATES
        start = 2.0 ** np.ceil(np.log2(whole)) if pow2 else whole
        return min((float(start * f) for f in steps), key=lambda s: form.error(values, s))
    return float(2.0 ** np.ceil(np.log2(whole))) if pow2 else float(np.float32(whole))


def full_scale(values: Array, form: Format) -> float:
    """Return the smallest scale at which no value saturates, or 1 where all are zero."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    if form.zero_point:
        above = high / max(form.high - form.zero_point, 1)
        return max(above, -low / form.zero_point) or 1.0
    return max(-low, high) / form.high or 1.0


def _entropy_limit(values: Array, levels: int) -> float:
    """Return the end of the range that loses least information, after Migacz, slides 29 to 35.

    The distribution inside the range, what is outside counted to the last bin, is compared by
    Kullback-Leibler divergence with itself merged to ``levels`` bins. Zeros do not count: they are
    exact at every scale, and behind a relu so many that they would decide alone.
    """
    values = values[values > 0] if np.any(values > 0) else values
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, float(values.max()) or 1.0))
    if levels >= BINS:
        return float(edges[-1])
    best, limit = np.inf, float(edges[-1])
    for end in range(levels, BINS + 1, 8):
        inside = counts[:end].astype(np.float64)
        reference = inside.copy()
        reference[-1] += counts[end:].sum()
        group = np.arange(end) * levels // end
        used = inside > 0
        total = np.bincount(group, inside, levels)
        filled = np.bincount(group, used, levels)
        merged = np.where(used, total[group] / np.maximum(filled[group], 1), 0.0)
        found = _divergence(reference, merged)
        if found < best:
            best, limit = found, float(edges[end])
    return limit


def _divergence(p: Array, q: Array) -> float:
    """Return KL(p || q) of two histograms; empty bins of ``q`` count as one part in a million."""
    p, q = p / max(p.sum(), 1e-300), q / max(q.sum(), 1e-300)
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / np.maximum(q[used], 1e-6))))
