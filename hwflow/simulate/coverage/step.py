"""One layer's computation on a batch, as observers see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, RawArray
from hwflow.ir.graph import Node
from hwflow.ir.pieces import Pieces


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """A layer, its operands and results; batch first, channels last.

    Attributes:
        node: the layer.
        inputs: its operands.
        full: the exact result; what entered for an input.
        value: the result after the cast to its type.
        pieces: what the operator is made of, or None.
        entered: for an input what came to the port: real numbers, or levels that the host has made
            of them; None for other layers.
    """

    node: Node
    inputs: tuple[FixedArray, ...]
    full: FixedArray
    value: FixedArray
    pieces: Pieces | None
    entered: npt.NDArray[np.float64] | None = None

    @cached_property
    def cells(self) -> tuple[RawArray, ...]:
        """The cells of ``pieces`` that the values fell into."""
        return () if self.pieces is None else self.pieces.cells(*self.inputs)
