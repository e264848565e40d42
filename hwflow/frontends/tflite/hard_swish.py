"""``HARD_SWISH`` in 16-bit fixed point, as TFLite's reference kernel has it.

Source: ``HardSwish`` in ``reference/hard_swish.h``, ``HardSwishPrepare`` in ``activations.cc``, and
gemmlowp's fixed-point functions of 16 bits.
"""

from __future__ import annotations

import numpy as np

from hwflow.frontends.tflite.integers import Integers, quantize_multiplier

LEAST, MOST = -(2**15), 2**15 - 1

RELUISH_SCALE = np.float32(3) / np.float32(32768)
"""A step of the clipped operand: 16 bits cover -3 to 3."""


def hard_swish(x: Integers, scale: float, out_scale: float) -> Integers | None:
    """Return the results for mantissas, before they are limited to their type.

    None where the kernel refuses the scales: the result would be finer than the operand by more
    than seven bits.
    """
    fine = np.float32(1 / 128) * np.float32(scale)
    multiplier, exponent = _narrow(float(fine / np.float32(out_scale)))
    if exponent > 0:
        return None
    high = x << 7
    steps = _doubled_high(high, multiplier)
    multiplier, shift = _narrow(float(fine / RELUISH_SCALE))
    clipped = _saturated(high << (shift - 1)) if shift > 0 else high
    clipped = _doubled_high(clipped, multiplier)
    if shift > 0:
        clipped = _saturated(clipped << 1)
    elif shift < 0:
        clipped = _halved(clipped, -shift)
    product = _toward_zero(((clipped + (1 << 15)) >> 1) * steps)
    return _halved(product, -exponent)


def _narrow(real: float) -> tuple[int, int]:
    """Return a multiplier of 16 bits and its power of two (``DownScaleInt32ToInt16Multiplier``)."""
    multiplier, shift = quantize_multiplier(real)
    half = 1 << 15
    return (MOST if multiplier >= 2**31 - 1 - half else (multiplier + half) >> 16), shift


def _saturated(x: Integers) -> Integers:
    return np.clip(x, LEAST, MOST)


def _doubled_high(x: Integers, multiplier: int) -> Integers:
    """Return ``x * multiplier / 2**15``, to nearest (``SaturatingRoundingDoublingHighMul``)."""
    product = x * multiplier
    return _toward_zero(product + np.where(product >= 0, 1 << 14, 1 - (1 << 14)))


def _toward_zero(x: Integers) -> Integers:
    return np.asarray(np.sign(x) * (np.abs(x) >> 15))


def _halved(x: Integers, times: int) -> Integers:
    """Return ``x / 2**times``, half away from zero (``RoundingDivideByPOT``)."""
    return np.asarray(np.sign(x) * ((np.abs(x) + ((1 << times) >> 1)) >> times))
