"""Rounding to a learned number of bits, with gradients for both the value and the bits."""

from __future__ import annotations

from math import log
from typing import Any

import torch

Tensor = Any

LN2 = log(2.0)


class _Fixed(torch.autograd.Function):
    """``floor(x 2^f + 1/2) / 2^f``, ``f`` rounded to whole bits."""

    @staticmethod
    def forward(context: Any, x: Tensor, fraction: Tensor) -> Tensor:
        step = torch.exp2(-whole_bits(fraction))
        rounded = torch.floor(x / step + 0.5) * step
        context.save_for_backward(x - rounded)
        context.shape = fraction.shape
        return rounded

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        (error,) = context.saved_tensors
        return gradient, (LN2 * error * gradient).sum_to_size(context.shape)


class _Whole(torch.autograd.Function):
    """``floor(x + 1/2)`` with the gradient of ``x``."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return torch.floor(x + 0.5)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def whole_bits(bits: Tensor) -> Tensor:
    """Return learned bits as the whole number that hardware has; gradients pass through."""
    return _Whole.apply(bits)


def fixed_round(x: Tensor, fraction: Tensor) -> Tensor:
    """Return ``x`` with so many bits right of the binary point, halves rounded up.

    The gradient of ``x`` is that of the result (straight-through, Bengio et al. 2013). The error
    ``x - q`` halves with each bit, so that ``q`` depends on the bits as ``x - error 2^(f0 - f)``
    does, whose derivative at ``f0`` is ``ln 2 error`` (Sun et al., HGQ, 2024, section 4.2).

    Args:
        x: float32.
        fraction: bits, of a shape that broadcasts to that of ``x``; rounded to whole ones.
    """
    return _Fixed.apply(x, fraction)
