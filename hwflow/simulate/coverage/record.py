"""How much of each layer data reached: one record, which every report takes its figures from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from hwflow.ir.pieces import Kind
from hwflow.simulate.coverage.goals import Bits, Goals


@dataclass(frozen=True)
class Reached:
    """How many goals were reached.

    Attributes:
        reached: number of goals that were reached.
        possible: number of goals in all.
    """

    reached: int = 0
    possible: int = 0

    @property
    def share(self) -> Fraction:
        """Part of the goals that was reached; 1 where there are none."""
        return Fraction(self.reached, self.possible) if self.possible else Fraction(1)

    @property
    def missed(self) -> int:
        """Goals that were not reached."""
        return self.possible - self.reached

    def __add__(self, other: Reached) -> Reached:
        """Add the goals of another layer or kind."""
        return Reached(self.reached + other.reached, self.possible + other.possible)


def total(parts: Iterable[Reached]) -> Reached:
    """Return the sum over layers or kinds."""
    return sum(parts, Reached())


def mean_share(kinds: Iterable[Reached]) -> Fraction:
    """Return the mean of the shares of kinds that have goals: each counts the same; else 1.

    Ranges have many goals and saturations few, so that a share of all goals would hide these.
    """
    shares = [kind.share for kind in kinds if kind.possible]
    return sum(shares, Fraction(0)) / len(shares) if shares else Fraction(1)


@dataclass(frozen=True)
class LayerCoverage:
    """What of one layer was reached.

    Attributes:
        name: the layer.
        origin: its framework name.
        kinds: kinds by what can be reached; kinds without any goal are left out.
    """

    name: str
    origin: str
    kinds: Mapping[Kind, Reached]

    @property
    def total(self) -> Reached:
        """All goals of the layer."""
        return total(self.kinds.values())

    @property
    def share(self) -> Fraction:
        """Mean of the shares of the kinds that the layer has."""
        return mean_share(self.kinds.values())

    def of(self, kind: Kind) -> Reached:
        """Return the goals of one kind."""
        return self.kinds.get(kind, Reached())


@dataclass(frozen=True)
class Coverage:
    """What of a graph was reached.

    Attributes:
        layers: what was reached of each layer, in order of computation.
    """

    layers: tuple[LayerCoverage, ...]

    @property
    def total(self) -> Reached:
        """All goals of all layers."""
        return total(layer.total for layer in self.layers)

    @property
    def share(self) -> Fraction:
        """Mean of the shares of the kinds, each over all layers."""
        return mean_share(map(self.of, Kind))

    def of(self, kind: Kind) -> Reached:
        """Return the goals of one kind of all layers."""
        return total(layer.of(kind) for layer in self.layers)

    @classmethod
    def of_bits(cls, goals: Goals, bits: Bits) -> Coverage:
        """Return the record of which goals were reached.

        Args:
            goals: goals of a graph.
            bits: one for each of them.
        """
        return cls(tuple(_layer(goals, name, bits) for name in goals.layers))


def _layer(goals: Goals, name: str, bits: Bits) -> LayerCoverage:
    layer = goals.layers[name]
    own = bits[layer.base : layer.base + len(layer.kinds)].tolist()
    found: dict[Kind, Reached] = {}
    for kind, reached in zip(layer.kinds, own, strict=True):
        found[kind] = found.get(kind, Reached()) + Reached(int(reached), 1)
    return LayerCoverage(name, layer.node.origin, found)
