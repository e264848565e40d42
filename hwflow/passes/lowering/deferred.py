"""Values that the hardware does not hold, as real functions of integers that it does hold."""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.fixed import RawArray
from hwflow.ir.grid import Rationals
from hwflow.ir.real.expression import Expression


@dataclass(frozen=True, eq=False)
class Deferred:
    """A value that the hardware does not hold: a real function of integers that it does hold.

    Attributes:
        sources: names of the hardware values, all of one shape.
        tree: the function of ``N``, the sum of the sources' mantissas, each times its weight; its
            constants have shape ``(1,)``, ``(channels,)`` or that of the sources.
        weights: for several sources, an array of whole numbers for each, shaped likewise.
        exact: what the weights are rounded from; empty where they are exact themselves.
    """

    sources: tuple[str, ...]
    tree: Expression
    weights: tuple[RawArray, ...] = ()
    exact: tuple[Rationals, ...] = ()

    @property
    def lone_source(self) -> str | None:
        """The only source, or None where there are several."""
        return self.sources[0] if len(self.sources) == 1 else None
