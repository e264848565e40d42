"""Learned formats: of weights, one by one or together, and of activations by channel."""

from __future__ import annotations

from typing import Any

import torch

from hwflow.compression.skeleton import Site
from hwflow.compression.training.rounding import fixed_round, whole_bits

Tensor = Any

FIRST_BITS = 6.0
"""Fractional bits that training begins with; values of trained networks are about 1."""

LEAK = 0.9998
"""Factor by which the range of an activation shrinks at each step unless a value holds it."""

FEWEST, MOST = -8.0, 12.0
"""Fractional bits that can be learned; products of 12 and 12 bits are exact in float32."""

SMALLEST = 1e-30
"""Magnitude that stands for 0 in logarithms."""


def whole_of(values: Tensor) -> Tensor:
    """Return the bits left of the binary point that each magnitude needs; 0.25 needs -1."""
    return torch.floor(torch.log2(values.abs().clamp(min=SMALLEST))) + 1


class LearnedConstant(torch.nn.Module):
    """A matrix or bias on learned grids; as many zeros as training finds.

    Attributes:
        value: what is rounded.
        fraction: bits right of the binary point, for each element or shared.
        live: 0 for what was pruned before the training, and stays 0; else 1.
    """

    live: Tensor

    def __init__(self, value: Tensor, shape: tuple[int, ...], *, pruned: bool) -> None:
        """Start from trained numbers.

        Args:
            value: float32.
            shape: how the bits are laid out; broadcasts to the value.
            pruned: numbers that are 0 stay 0.
        """
        super().__init__()
        live = (value != 0).float() if pruned else torch.ones_like(value)
        self.register_buffer("live", live)
        self.value = torch.nn.Parameter(value.clone())
        self.fraction = torch.nn.Parameter(torch.full(shape, FIRST_BITS))

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return the numbers and how many bits each has, without its sign; 0 for zeros."""
        fraction = self.fraction.clamp(FEWEST, MOST)
        numbers = fixed_round(self.value, fraction) * self.live
        with torch.no_grad():
            whole, alive = whole_of(numbers), (numbers != 0).float()
        return numbers, torch.relu(whole + whole_bits(fraction)) * alive

    @torch.no_grad()
    def whole_numbers(self) -> Tensor:
        """Return the numbers as whole multiples of their steps."""
        return torch.floor(self.value / self._steps() + 0.5)

    @torch.no_grad()
    def hold(self, which: Tensor, wholes: Tensor) -> None:
        """Put some numbers in their places again.

        Args:
            which: True for these, shaped as the value.
            wholes: whole multiples of their steps.
        """
        self.value.copy_(torch.where(which, wholes * self._steps(), self.value))

    def _steps(self) -> Tensor:
        return torch.exp2(-whole_bits(self.fraction.detach().clamp(FEWEST, MOST)))

    def settle(self, numbers: Tensor) -> None:
        """Take numbers that are on a grid, with the bits that keep them as they are."""
        self.value.copy_(numbers)
        self.fraction.fill_(MOST)


class LearnedActivation(torch.nn.Module):
    """A quantiser of fixed point that rounds halves up and saturates.

    The bits left of the binary point follow the greatest magnitude that was seen. Where no bit is
    left, the channel is 0.

    Attributes:
        fraction: bits right of the binary point, by channel or shared.
        greatest: greatest magnitude, of the same shape.
    """

    greatest: Tensor

    def __init__(self, site: Site, *, shared: bool) -> None:
        """Start from the ranges of the float network.

        Args:
            site: where it stands.
            shared: one format for all channels.
        """
        super().__init__()
        greatest = torch.tensor(site.greatest, dtype=torch.float32)
        greatest = greatest.amax().reshape(1) if shared else greatest
        shape = (greatest.numel(), *[1] * (len(site.shape) - 1))
        self.signed = site.signed
        self.register_buffer("greatest", greatest.reshape(shape))
        self.fraction = torch.nn.Parameter(torch.full(shape, FIRST_BITS))
        self._most: int | None = None

    @property
    def formats(self) -> tuple[Tensor, Tensor]:
        """Bits left of the binary point, and right of it; gradients pass to the latter."""
        fraction = whole_bits(self.fraction.clamp(FEWEST, MOST))
        with torch.no_grad():
            rounded = self.greatest + torch.exp2(-fraction - 1)
            whole = torch.ceil(torch.log2(rounded.clamp(min=SMALLEST)))
        return whole, fraction

    def forward(self, x: Tensor) -> Tensor:
        """Return the quantised activation, batch first."""
        if self.training:
            self._watch(x.detach())
        rounded = fixed_round(x, self.fraction.clamp(FEWEST, MOST))
        with torch.no_grad():
            whole, fraction = self.formats
            span = torch.exp2(whole)
            top = span - torch.exp2(-fraction)
            bottom = -span if self.signed else torch.zeros_like(span)
            alive = (whole + fraction + float(self.signed) > 0).float()
        limited = torch.minimum(torch.maximum(rounded, bottom), top) * alive
        # A channel without bits is 0, and still learns that it should have some.
        return limited + (1.0 - alive) * (rounded - rounded.detach())

    @torch.no_grad()
    def limit(self, first: int, most: int) -> None:
        """Have few bits, the sign counted, since tables read the value.

        Args:
            first: bits to begin with.
            most: bits at most.
        """
        self._most = most
        self.fraction.copy_(first - self._left())

    def settle(self, whole: Tensor, fraction: Tensor) -> None:
        """Take a format; the greatest magnitude becomes one that asks for it."""
        self.fraction.copy_(fraction)
        self.greatest.copy_(torch.exp2(whole) - torch.exp2(-fraction - 1))

    def bits(self) -> Tensor:
        """Return the bits of each channel without the sign, as EBOPs count them."""
        whole, fraction = self.formats
        return torch.relu(whole + fraction)

    def _watch(self, x: Tensor) -> None:
        axes = [0, *(a for a in range(1, x.dim()) if self.greatest.shape[a - 1] == 1)]
        seen = x.abs().amax(dim=axes, keepdim=True)[0]
        self.greatest.copy_(torch.maximum(self.greatest * LEAK, seen))
        if self._most is not None:
            with torch.no_grad():
                self.fraction.copy_(torch.minimum(self.fraction, self._most - self._left()))

    def _left(self) -> Tensor:
        """Return the sign and the bits left of the binary point, without what rounding adds."""
        whole = torch.ceil(torch.log2(self.greatest.clamp(min=SMALLEST)))
        return (whole + float(self.signed)).clamp(min=-MOST)
