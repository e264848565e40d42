"""What shares a learned number of bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Granularity:
    """Which numbers have the same number of bits.

    Attributes:
        weights: ``weight`` for one by one, ``channel`` for those of an output, ``layer`` for all.
        activations: ``channel`` for one by one along the axis behind the batch, ``layer`` for all.
    """

    weights: Literal["weight", "channel", "layer"] = "weight"
    activations: Literal["channel", "layer"] = "channel"

    def shape(self, weights: tuple[int, ...], outputs: int) -> tuple[int, ...]:
        """Return the shape of the bits of a matrix.

        Args:
            weights: shape of the matrix.
            outputs: its axis along which outputs lie.
        """
        if self.weights == "weight":
            return weights
        size = weights[outputs] if self.weights == "channel" else 1
        return tuple(size if axis == outputs else 1 for axis in range(len(weights)))
