"""What an operator's own arithmetic is made of, beside the cast to its result type.

A requantiser has steps, a table has entries, a relu has two sides. Data that never reaches one of
them has not tested it. Some of them are limits: a value that gets there was clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, RawArray
from hwflow.ir.tensor import TensorType

Flags = npt.NDArray[np.bool_]


class Kind(Enum):
    """What data can reach in a layer."""

    RANGE = "range"
    """An eighth of the proven range of a channel."""
    STEPS = "steps"
    """A piece of a function: a run of a requantiser, a side of a relu or a sign."""
    ENTRIES = "entries"
    """An entry of a table."""
    ROUNDING = "rounding"
    """A cast that drops bits which are not zero."""
    LOW = "low"
    """A clip from below."""
    HIGH = "high"
    """A clip from above."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """The cells that values fall into, and what reaching each of them shows.

    Attributes:
        cells: function from the operands to the cells that they fall into: arrays with the batch
            in front that broadcast to the shape of the result.
        kinds: what each goal is; only goals that the proven ranges let be reached.
        goals: for each cell the number of a goal that it reaches, int64, -1 for none; several
            arrays where a cell can reach several goals.
        low: cells in which the value was clipped from below.
        high: cells in which it was clipped from above.
        wrapped: cells in which it wrapped around.
        levels: every mantissa that the exact result can have, ascending; None where any can be.
    """

    cells: Callable[..., tuple[RawArray, ...]]
    kinds: tuple[Kind, ...]
    goals: tuple[RawArray, ...]
    low: Flags
    high: Flags
    wrapped: Flags
    levels: RawArray | None = None

    @property
    def limits(self) -> bool:
        """Whether there is a cell in which values are clipped or wrap."""
        return bool(self.low.any() or self.high.any() or self.wrapped.any())

    @classmethod
    def of(
        cls,
        cells: Callable[..., tuple[RawArray, ...]],
        kind: Kind,
        piece: RawArray,
        *,
        low: Flags | None = None,
        high: Flags | None = None,
        levels: RawArray | None = None,
    ) -> Pieces:
        """Return pieces of one kind; cells that are clipped are goals of their own, too.

        Args:
            cells: function from the operands to the cells that they fall into.
            kind: kind of the pieces.
            piece: any number for each cell, the same for cells of one piece; -1 where no value can
                get.
            low: cells in which the value is clipped from below; none by default.
            high: cells in which it is clipped from above; none by default.
            levels: every mantissa that the exact result can have; None where any can be.
        """
        numbers = np.unique(piece[piece >= 0])
        goal = np.where(piece < 0, -1, np.searchsorted(numbers, piece))
        goals, kinds = [np.asarray(goal, np.int64)], [kind] * len(numbers)
        sides = []
        for side, flags in ((Kind.LOW, low), (Kind.HIGH, high)):
            met = np.zeros(len(piece), bool) if flags is None else flags & (piece >= 0)
            sides.append(met)
            if met.any():
                goals.append(np.where(met, len(kinds), -1))
                kinds.append(side)
        none = np.zeros(len(piece), bool)
        return cls(
            cells=cells,
            kinds=tuple(kinds),
            goals=tuple(goals),
            low=sides[0],
            high=sides[1],
            wrapped=none,
            levels=levels,
        )


def two_sides(x: TensorType, levels: RawArray | None = None) -> Pieces:
    """Return the pieces of a function that has one below 0, and another from 0 on."""
    met = np.array([x.lo.min() < 0, x.hi.max() >= 0])
    piece = np.where(met, np.arange(2), -1)

    def cells(value: FixedArray) -> tuple[RawArray, ...]:
        return ((value.raw >= 0).astype(np.int64),)

    return Pieces.of(cells, Kind.STEPS, piece, levels=levels)
