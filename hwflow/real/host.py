"""Quantisation of real input data on the host, decided exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hwflow.ir.quantizer import ROUNDING, Quantizer
from hwflow.real.exact import round_exactly

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
    for place in zip(*np.nonzero(close), strict=True):
        exact = Fraction(float(x[place])) / Fraction(float(scale[place])) + int(zero[place])
        exact = min(max(exact, Fraction(quantizer.raw_min)), Fraction(quantizer.raw_max))
        levels[place] = round_exactly(exact, quantizer.rounding)
    return np.asarray(levels - zero)
