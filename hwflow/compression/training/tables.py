"""Sums of tables in training: each sub-function a spline of one quantised input.

``f_ij(x) = w_ij x + sum_k v_ijk hat_k(x)`` with piecewise linear hats at fixed knots of each input,
as in Kolmogorov-Arnold networks (Liu et al. 2024, of degree 1). A layer begins as the dense layer
that it takes the place of. It is evaluated at every number that the quantiser before it can give,
so that what is trained is the table itself; samples then look up their entries.

Each table reads its input with a number of bits of its own: bits at the end are left out, which
costs nothing in hardware. Its entries are rounded to a number of bits of their own. Both numbers
are learned with the derivative of ``rounding.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from hwflow.compression.tables import Sums
from hwflow.compression.training.quantizers import FEWEST, FIRST_BITS, MOST, whole_of
from hwflow.compression.training.rounding import LN2, fixed_round, whole_bits

Tensor = Any

KNOTS = 9
"""Knots of each input, over the range that it had in the float network."""

READ_BITS = 6
"""Most bits that a table is read at; 64 entries are one LUT for each bit of the result."""

FIRST_READ = 5
"""Bits that a table is read at when training begins; two tables of 32 entries share a LUT."""

LUT_INPUTS = 6
"""Inputs of a look-up table (AMD UG474)."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The numbers that each input of a layer can be.

    Attributes:
        first: the least, ``(inputs,)``.
        step: from one to the next.
        count: how many there are, whole numbers.
        fraction: learned bits right of the binary point, with gradients.
        bits: bits of each input, the sign counted, with gradients.
    """

    first: Tensor
    step: Tensor
    count: Tensor
    fraction: Tensor
    bits: Tensor

    @classmethod
    def of(cls, whole: Tensor, fraction: Tensor, signed: Tensor) -> Grid:
        """Return the grid of formats, ``(inputs,)`` each; an input without bits is 0."""
        bits = torch.relu(whole + fraction + signed)
        with torch.no_grad():
            alive = (bits > 0).float()
            first = -torch.exp2(whole) * signed * alive
            count = torch.where(alive > 0, torch.exp2(bits), torch.ones_like(bits)).long()
        return cls(first, torch.exp2(-fraction.detach()), count, fraction, bits)

    @property
    def size(self) -> int:
        """Entries of the longest table."""
        return int(self.count.max())

    def points(self) -> Tensor:
        """Return the numbers, ``(inputs, size)``; those behind the last one are the last one."""
        place = torch.arange(self.size).unsqueeze(0)
        place = torch.minimum(place, self.count.unsqueeze(1) - 1)
        return self.first.unsqueeze(1) + place * self.step.unsqueeze(1)

    def places(self, x: Tensor) -> Tensor:
        """Return the entries that numbers on the grid pick, counted through all inputs."""
        place = torch.round((x - self.first) / self.step).long()
        place = torch.minimum(place.clamp(min=0), self.count - 1)
        return place + torch.arange(x.shape[-1]) * self.size


class _Coarse(torch.autograd.Function):
    """Tables read with fewer bits: all entries of a cell are the one in its middle."""

    @staticmethod
    def forward(context: Any, table: Tensor, fraction: Tensor, place: Tensor) -> Tensor:
        found = table.gather(1, place)
        context.save_for_backward(table - found, place)
        return found

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        error, place = context.saved_tensors
        back = torch.zeros_like(gradient).scatter_add(1, place, gradient)
        return back, (LN2 * error * gradient).sum(1), None


class _Values(torch.nn.Module):
    """Numbers that are trained."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = torch.nn.Parameter(value.clone())


class _Bits(torch.nn.Module):
    """Numbers of bits that are trained."""

    def __init__(self, fraction: Tensor) -> None:
        super().__init__()
        self.fraction = torch.nn.Parameter(fraction.clone())


class TableSums(torch.nn.Module):
    """A layer of tables in the place of a dense one.

    Attributes:
        slope: the dense layer's matrix, ``(inputs, outputs)``.
        curve: what each hat adds, ``(inputs, knots, outputs)``.
        reading: bits right of the binary point that each table reads.
        entry: bits right of the binary point of its entries.
        knots: where the hats are, ``(inputs, knots)``.
        grid: what the inputs can be, since the last ``refresh``.
        table: entries, ``(inputs, size, outputs)``, since the last ``refresh``.
        bits: bits of the entries of each table, ``(inputs, outputs)``, 0 for constant ones.
    """

    knots: Tensor
    grid: Grid
    table: Tensor
    bits: Tensor

    def __init__(self, matrix: Tensor, low: Tensor, high: Tensor, fraction: Tensor) -> None:
        """Begin as a dense layer.

        Args:
            matrix: ``(inputs, outputs)``.
            low: least value of each input in the float network, ``(inputs,)``.
            high: greatest value.
            fraction: bits right of the binary point that each input begins with.
        """
        super().__init__()
        inputs, outputs = matrix.shape
        part = torch.linspace(0, 1, KNOTS)
        spread = torch.where(high > low, high - low, torch.ones_like(low))
        self.register_buffer("knots", low.unsqueeze(1) + spread.unsqueeze(1) * part)
        self.slope = _Values(matrix)
        self.curve = _Values(torch.zeros(inputs, KNOTS, outputs))
        self.reading = _Bits(fraction.unsqueeze(1).repeat(1, outputs))
        self.entry = _Bits(torch.full((inputs, outputs), FIRST_BITS))
        self._settled: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what copies have: all but what ``refresh`` makes, which torch cannot copy."""
        return {k: v for k, v in self.__dict__.items() if k not in ("grid", "table", "bits")}

    def refresh(self, grid: Grid) -> None:
        """Evaluate all tables.

        Args:
            grid: what the inputs can be at present.
        """
        self.grid = grid
        if self._settled is not None:
            self.table = self._settled.to(self.slope.value.dtype)
        else:
            real = self._coarse(self._real(grid.points()))
            fraction = self.entry.fraction.clamp(FEWEST, MOST).unsqueeze(1)
            self.table = fixed_round(real, fraction)
        with torch.no_grad():
            varies = (self.table != self.table[:, :1]).any(dim=1).float()
            whole = whole_of(self.table.abs().amax(dim=1))
        bits = torch.relu(whole + whole_bits(self.entry.fraction.clamp(FEWEST, MOST)) + 1)
        self.bits = bits * varies

    def forward(self, x: Tensor) -> Tensor:
        """Return the sums for quantised inputs, the last axis being theirs."""
        flat = x.reshape(-1, x.shape[-1])
        places = self.grid.places(flat.detach())
        size = self.table.shape[-1]
        y = functional.embedding_bag(places, self.table.reshape(-1, size), mode="sum")
        if x.requires_grad:
            slopes = self._slopes().reshape(-1, size)[places]
            line = torch.einsum("bi,bij->bj", flat, slopes)
            y = y + (line - line.detach())
        return y.reshape(*x.shape[:-1], size)

    def cost(self) -> Tensor:
        """Return the look-up tables of one instance, tables and sums.

        A table of n bits takes ``2^(n - 6)`` for each bit of its entries, and n / 10 where n is
        below 5, when several of them share; a sum takes one for each bit. That is how HGQ2 counts
        its tables, too (``QDenseT._compute_ebops``, 0.2).
        """
        read = torch.relu(self.grid.bits.unsqueeze(1) - self._dropped())
        few, many = read / 10.0, torch.exp2(read - LUT_INPUTS)
        return (self.bits * (torch.where(read < 5.0, few, many) + 1.0)).sum()

    @torch.no_grad()
    def sums(self) -> Sums:
        """Return the tables as plain numbers."""
        parts = (self.grid.first, self.grid.step, self.grid.count, self.table)
        first, step, count, table = (p.detach().double().numpy() for p in parts)
        return Sums(first, step, count, table)

    def settle(self, sums: Sums) -> None:
        """Take tables as they are."""
        self._settled = torch.from_numpy(sums.values).float()

    def _real(self, points: Tensor) -> Tensor:
        """Return the sub-functions at numbers, ``(inputs, numbers, outputs)``."""
        spread = self.knots[:, -1:] - self.knots[:, :1]
        place = (points - self.knots[:, :1]) / spread * (KNOTS - 1)
        place = place.clamp(0, KNOTS - 1).unsqueeze(2)
        hats = torch.relu(1.0 - (place - torch.arange(KNOTS)).abs())
        return points.unsqueeze(2) * self.slope.value.unsqueeze(1) + torch.bmm(
            hats, self.curve.value
        )

    def _dropped(self) -> Tensor:
        """Return how many bits at the end of its input each table does not read."""
        fraction = self.grid.fraction.unsqueeze(1)
        own = whole_bits(self.reading.fraction.clamp(FEWEST, MOST))
        return fraction - torch.minimum(own, fraction)

    def _coarse(self, table: Tensor) -> Tensor:
        """Return tables that read fewer bits; a cell has the value at its middle."""
        with torch.no_grad():
            cell = torch.exp2(self._dropped()).long().unsqueeze(1)
            place = torch.arange(table.shape[1]).reshape(1, -1, 1)
            middle = (place // cell) * cell + cell // 2
            middle = torch.minimum(middle, self.grid.count.reshape(-1, 1, 1) - 1)
        return _Coarse.apply(table, self.reading.fraction, middle)

    @torch.no_grad()
    def _slopes(self) -> Tensor:
        """Return how fast each sub-function changes at each entry."""
        ends = torch.cat([self.table[:, :1], self.table, self.table[:, -1:]], dim=1)
        if self.grid.size == 1:
            return torch.zeros_like(self.table)
        width = torch.full((1, self.grid.size, 1), 2.0)
        width[:, [0, -1]] = 1.0
        return (ends[:, 2:] - ends[:, :-2]) / (width * self.grid.step.reshape(-1, 1, 1))
