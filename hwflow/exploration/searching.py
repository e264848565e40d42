"""The searcher that is taken unless another is given: sensitivity first, evolution then."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hwflow.exploration.evolution import children
from hwflow.exploration.explorer import Priced
from hwflow.exploration.protocols import F64
from hwflow.exploration.separable import predicted_front, single_losses
from hwflow.exploration.space import Numbers
from hwflow.exploration.tree import Tree


@dataclass(eq=False, kw_only=True)
class Evolution:
    """Asks for the front of single losses, then for generations of children of the best.

    Attributes:
        priced: the space on the board that configurations are chosen for.
        tree: what finds the losses of single choices.
        seed: seed of what is drawn.
    """

    priced: Priced
    tree: Tree
    seed: int
    _generation: int = 0
    _numbers: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    _quality: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    _costs: list[F64] = field(default_factory=list)

    def ask(self, most: int) -> Numbers:
        """Return the configurations to evaluate next; none where nothing is left to ask."""
        space = self.priced.table.space
        if self._generation == 0:
            found = predicted_front(self.priced, single_losses(space, self.tree))
        else:
            seed = (self.seed, self._generation)
            costs = np.concatenate(self._costs)
            found = children(space, self._numbers, self._quality, costs, seed)
        self._generation += 1
        return found[:most]

    def tell(self, numbers: Numbers, quality: Numbers, costs: F64) -> None:
        """Take in what was found."""
        self._numbers = np.concatenate([self._numbers, numbers])
        self._quality = np.concatenate([self._quality, quality])
        self._costs.append(costs)
