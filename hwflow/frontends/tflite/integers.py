"""TFLite's own integers: how its reference kernels turn real factors into multipliers and tables.

Source: ``quantization_util.cc`` and ``common.cc`` in ``tensorflow/lite/kernels/internal``, and the
reference kernels of each operator. Which real factor is computed in float32 and which in float64
matters to the last bit of a multiplier, and is written here as the kernels have it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]

POINT = 31
"""A multiplier is a number of this many bits behind the binary point."""

MOST_STEPS = np.float32(2**20)
"""Limit of what is looked up: beyond any 8-bit range, and within int64."""

ADD_SHIFT = 20
"""Bits that sums are computed more finely in (``add.cc``: ``left_shift`` of 8-bit operands)."""


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Return the multiplier, from ``2**30`` to ``2**31 - 1``, and the power of two of a factor.

    Source: ``QuantizeMultiplier``; factors below ``2**-32`` become 0.
    """
    fraction, shift = math.frexp(real)
    fixed = math.floor(math.ldexp(fraction, POINT) + 0.5)
    if fixed == 1 << POINT:
        fixed, shift = fixed // 2, shift + 1
    return (0, 0) if shift < -POINT else (fixed, shift)


def multiply_twice_rounded(x: Integers, multiplier: int, shift: int) -> Integers:
    """Return ``x * multiplier * 2**(shift - 31)``, rounded twice as gemmlowp does.

    Source: ``MultiplyByQuantizedMultiplier``: ``SaturatingRoundingDoublingHighMul`` (half up), then
    ``RoundingDivideByPOT`` (half away from zero).
    """
    high = ((x << max(shift, 0)) * multiplier + (1 << (POINT - 1))) >> POINT
    down = max(-shift, 0)
    half = (1 << down) >> 1
    return np.asarray(np.sign(high) * ((np.abs(high) + half) >> down))


def rescaled(x: Integers, real: float) -> Integers:
    """Return ``x`` times a real factor as the kernels of elementwise operators compute it."""
    return multiply_twice_rounded(x, *quantize_multiplier(real))


def leaky(x: Integers, positive: float, negative: float) -> Integers:
    """Return a leaky relu with a factor for each side (``QuantizeLeakyRelu``)."""
    return np.where(x >= 0, rescaled(x, positive), rescaled(x, negative))


def looked_up(
    x: Integers, function: Callable[[F32], F32], scale: float, out_scale: float
) -> Integers:
    """Return a real function in float32 steps, rounded half away from zero (``LUTPopulate``)."""
    with np.errstate(over="ignore"):  # exp of a large number, whose reciprocal is 0
        real = (np.float32(scale) * x.astype(np.float32)).astype(np.float32)
        steps = (function(real) * (np.float32(1) / np.float32(out_scale))).astype(np.float32)
    steps = np.clip(steps, -MOST_STEPS, MOST_STEPS)
    whole = np.floor(np.abs(steps))
    whole += np.abs(steps) - whole >= 0.5
    return np.asarray(np.copysign(whole, steps)).astype(np.int64)


def sigmoid(x: F32) -> F32:
    """Return the sigmoid as the kernel writes it in float32."""
    return np.asarray(np.float32(1) / (np.float32(1) + np.exp(-x)), np.float32)


def hyperbolic_tangent(x: F32) -> F32:
    """Return the hyperbolic tangent in float32."""
    return np.asarray(np.tanh(x), np.float32)


def level(real: float, scale: float) -> int:
    """Return how many steps a real number is, in float32 and half away from zero."""
    steps = float(np.float32(real) / np.float32(scale))
    return math.floor(abs(steps) + 0.5) * (1 if steps >= 0 else -1)


def gelu(x: F32) -> F32:
    """Return the Gaussian error linear unit in float32 (``GeluTransform`` of ``gelu.h``)."""
    turned = (x * np.float32(-(0.5**0.5))).astype(np.float32)
    tail = np.array([math.erfc(float(v)) for v in turned.ravel()], np.float32).reshape(x.shape)
    return np.asarray(np.float32(0.5) * x * tail, np.float32)


def gelu_by_tanh(x: F32) -> F32:
    """Return its approximation in float32 (``GeluTransformApproximate``)."""
    cube = np.float32(0.044715) * x * x * x
    inner = (np.float32(math.sqrt(2 / math.pi)) * (x + cube)).astype(np.float32)
    return np.asarray(np.float32(0.5) * x * (np.float32(1) + np.tanh(inner)), np.float32)
