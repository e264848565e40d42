"""What implementations by lines have in common: a product, a sum, a shift, a clamp."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from hwflow.fixed import FixedType, RawArray
from hwflow.ops.requantization.plan import Plan, significant_bits


@dataclass(frozen=True, kw_only=True, eq=False)
class LinePlan(Plan):
    """``y = clamp((M n + B) >> S)``, with ``M`` and ``B`` of the row or of a part of it.

    Attributes:
        multiplier: ``M``, rows first.
        offset: ``B``, likewise.
        drop: ``S``.
    """

    multiplier: RawArray
    offset: RawArray
    drop: int

    @property
    @abstractmethod
    def sums(self) -> tuple[int, int]:
        """Least and greatest ``M n + B``, each line on its own inputs."""

    def types(self) -> Mapping[str, FixedType]:
        return {"sum": FixedType.covering(*self.sums, 0, signed=True)}

    @property
    def multiplier_bits(self) -> int:
        return max(int(significant_bits(self.multiplier).max()), self.factor_bits)

    @property
    def shift(self) -> int:
        return self.drop
