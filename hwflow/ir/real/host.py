"""Quantisation of real input data on the host, decided exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hwflow.ir.qonnx.quantizer import ROUNDING, Quantizer
from hwflow.ir.real.decision import round_fraction

F64 = npt.NDArray[np.float64]

MARGIN = 2.0**-50
"""Relative error, generously, of a division and an addition in float64."""


def host_levels(quantizer: Quantizer, x: F64) -> F64:
    """Return the levels of real numbers, zero point taken off, as exact arithmetic gives them.

    Args:
        quantizer: ``Quant`` or ``BipolarQuant``.
        x: batch first, ONNX order of axes.
    """
    scale, zero = (np.broadcast_to(v, x.shape) for v in (quantizer.scale, quantizer.zero_point))
    scaled = x / scale + zero
    if quantizer.bipolar:
        return np.where(x + zero * scale >= 0, 1.0, -1.0) - zero
    clamped = np.clip(scaled, quantizer.raw_min, quantizer.raw_max)
    levels = ROUNDING[quantizer.rounding](clamped)
    error = MARGIN * (np.abs(scaled) + np.abs(zero))
    twice = 2 * clamped
    inside = (scaled > quantizer.raw_min - 1) & (scaled < quantizer.raw_max + 1)
    close = inside & (np.abs(twice - np.rint(twice)) <= 2 * error)
    if close.any():  # images have few distinct values, and many of them
        columns = [part[close] for part in (x, scale, zero)]
        first, inverse = _distinct(columns)
        triples = zip(*(column[first].tolist() for column in columns), strict=True)
        levels[close] = np.array([_level(quantizer, *t) for t in triples])[inverse]
    return np.asarray(levels - zero)


def _distinct(columns: list[F64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return where each distinct row is first, and for each row which of these it equals."""
    code = np.zeros(len(columns[0]), np.intp)
    for column in columns:
        values, number = np.unique(column, return_inverse=True)
        code = code * len(values) + number
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first, inverse


def _level(quantizer: Quantizer, x: float, scale: float, zero: float) -> int:
    level = Fraction(x) / Fraction(scale) + int(zero)
    level = min(max(level, Fraction(quantizer.raw_min)), Fraction(quantizer.raw_max))
    return round_fraction(level, quantizer.rounding)
