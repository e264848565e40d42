"""``LookupDense``: a layer of tables for networks that are written and trained in torch.

It computes ``y_j = sum_i T_ij[x_i]``. Each input is cut to a few bits of fixed point, and each
sub-function ``T_ij`` is trained as in ``tables.py``, at the numbers that its input can be. The
export writes the nodes ``FixedQuant`` and ``LookupDense`` with the very entries that torch adds.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch

from hwflow.compression.tables import Sums, operands_of
from hwflow.compression.training.quantizers import MOST
from hwflow.compression.training.tables import Grid, TableSums
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import Overflow, Rounding
from hwflow.ir.qonnx.fixed_quant import NAME as FIXED_QUANT
from hwflow.ir.qonnx.lookup_dense import NAME as LOOKUP_DENSE

Tensor = Any

WIDEST = 8
"""Most bits of an input: 256 entries, which hardware keeps in logic."""

EXACT = 1 << 24
"""Whole numbers up to this one are exact in float32."""


class LookupDense(torch.nn.Module):
    """A layer of tables in the place of ``torch.nn.Linear``, with what follows it of one value.

    Its parameters are trained like those of other layers. They begin as a random linear layer.
    ``cost`` is differentiable, so that a loss can have it as a term: bits that the tables read
    and bits of their entries are learned, too.

    Attributes:
        in_features: length of the last axis of the input.
        out_features: length of the last axis of the output.
        bits: bits of each input.
        integer: bits left of its binary point, the sign counted.
        signed: it can be negative.
    """

    def __init__(
        self, in_features: int, out_features: int, *, bits: int = 4, integer: int = 1,
        signed: bool = True,
    ) -> None:  # fmt: skip
        """Begin as a linear layer with weights drawn from ``-b`` to ``b``, ``b^2 = 1 / inputs``.

        An input becomes ``FixedType(bits, integer, signed)``: what lies between two numbers becomes
        the lower one, what lies beyond them the nearest.

        Args:
            in_features: length of the last axis of the input.
            out_features: length of the last axis of the output.
            bits: bits of each input, the sign counted; 1 to 8.
            integer: how many of them are left of the binary point, the sign counted. It may be
                negative, or more than ``bits``.
            signed: inputs can be negative.

        Raises:
            ValueError: a size below 1, or bits that are none of these.
        """
        super().__init__()
        if min(in_features, out_features) < 1:
            raise ValueError(f"{in_features} inputs, {out_features} outputs: 1 or more of each")
        if not 1 <= bits <= WIDEST:
            raise ValueError(f"bits = {bits}: 1 to {WIDEST}")
        if abs(bits - integer) > MOST:
            raise ValueError(f"integer = {integer}: {bits - int(MOST)} to {bits + int(MOST)}")
        self.in_features, self.out_features = in_features, out_features
        self.bits, self.integer, self.signed = bits, integer, signed
        bound = 1 / sqrt(in_features)
        matrix = torch.empty(in_features, out_features).uniform_(-bound, bound)
        low, high = (torch.full((in_features,), end * self._step) for end in self._ends)
        self.tables = TableSums(matrix, low, high, torch.full_like(low, float(bits - integer)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sums of tables.

        Args:
            x: float32, ``(batch, ..., in_features)``.

        Returns:
            float32, ``(batch, ..., out_features)``.

        Raises:
            CompileError: HW393 in an export, the sums are not exact in float32.
        """
        if torch.onnx.is_in_onnx_export():
            return _Exported.apply(x, self, tuple(int(size) for size in x.shape))
        self._refresh()
        return self.tables(_Cut.apply(x, self._step, self._ends))

    def cost(self) -> Tensor:
        """Return about how many LUTs one instance takes, tables and sums, with gradients."""
        self._refresh()
        return self.tables.cost()

    @torch.no_grad()
    def sums(self) -> Sums:
        """Return the present tables as plain numbers.

        Raises:
            CompileError: HW393, sums of entries are not exact in float32.
        """
        self._refresh()
        found: Sums = self.tables.sums()
        greatest = float(abs(found.values).max(axis=1).sum(axis=0).max())
        fraction = float(self.tables.entry.fraction.max().clamp(max=MOST).add(0.5).floor())
        if greatest * 2.0**fraction >= EXACT:
            raise CompileError([_inexact(greatest, fraction)])
        return found

    def extra_repr(self) -> str:
        """Return the arguments of the layer, for torch's print-outs."""
        return (
            f"{self.in_features}, {self.out_features}, bits={self.bits}, "
            f"integer={self.integer}, signed={self.signed}"
        )

    @property
    def _step(self) -> float:
        """From one number of an input to the next."""
        return 2.0 ** (self.integer - self.bits)

    @property
    def _ends(self) -> tuple[int, int]:
        """The least and the greatest number of an input, in steps."""
        half = 1 << (self.bits - int(self.signed))
        return (-half if self.signed else 0), half - 1

    def _refresh(self) -> None:
        sign = float(self.signed)
        formats = (self.integer - sign, float(self.bits - self.integer), sign)
        device = self.tables.knots.device
        self.tables.refresh(
            Grid.of(*(torch.full((self.in_features,), n, device=device) for n in formats))
        )


def _inexact(greatest: float, fraction: float) -> Diagnostic:
    return Diagnostic(
        code="HW393", title="sums of table entries that float32 may round",
        where="in a LookupDense",
        found=f"sums up to {greatest:g} with {fraction:.0f} bits right of the binary point",
        supported="24 bits together",
        help="train with weight decay, or put the layer behind a batch norm of its inputs",
    )  # fmt: skip


class _Cut(torch.autograd.Function):
    """Inputs on the grid, rounded down; gradients pass where nothing saturates."""

    @staticmethod
    def forward(context: Any, x: Tensor, step: float, ends: tuple[int, int]) -> Tensor:
        place = torch.floor(x / step)
        context.save_for_backward((place >= ends[0]) & (place <= ends[1]))
        return place.clamp(*ends) * step

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (within,) = context.saved_tensors
        return gradients[0] * within, None, None


class _Exported(torch.autograd.Function):
    """The layer as two nodes of ONNX; torch's exporter reads the shape of the result alone."""

    @staticmethod
    def forward(context: Any, x: Tensor, layer: LookupDense, shape: tuple[int, ...]) -> Tensor:
        return x.new_zeros(*x.shape[:-1], layer.out_features)

    @staticmethod
    def symbolic(g: Any, x: Any, layer: LookupDense, shape: tuple[int, ...]) -> Any:
        """Return the nodes' value, for torch's exporter."""
        bits = (float(layer.signed), float(layer.integer - int(layer.signed)),
                float(layer.bits - layer.integer))  # fmt: skip
        k, i, f = (g.op("Constant", value_t=torch.tensor(n)) for n in bits)
        modes = {"rounding_mode_s": str(Rounding.TRN), "overflow_mode_s": str(Overflow.SAT)}
        cut = g.op(FIXED_QUANT, x, k, i, f, **modes)
        arrays = operands_of(layer.sums()).values()
        constants = [g.op("Constant", value_t=torch.from_numpy(a)) for a in arrays]
        y = g.op(LOOKUP_DENSE, cut, *constants)
        cut.setType(x.type().with_sizes(list(shape)))
        y.setType(x.type().with_sizes([*shape[:-1], layer.out_features]))
        return y
