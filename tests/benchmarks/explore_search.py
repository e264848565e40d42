"""Heuristic searches of a space whose every configuration is known, and how near they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.exploration.evolution import children
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.front import costs_of, hypervolume, pareto
from hwflow.exploration.separable import predicted_front, single_losses
from hwflow.exploration.space import Numbers

Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Known:
    """A space with the answers and the cost of all configurations.

    Attributes:
        explorer: the model.
        quality: right answers.
        costs: what counts against them, (configurations, 1).
        first: what a search begins with.
    """

    explorer: Explorer
    quality: npt.NDArray[np.int64]
    costs: npt.NDArray[np.float64]
    first: Numbers

    @classmethod
    def of(cls, explorer: Explorer, counts: Counts) -> Known:
        """Price all configurations of a space whose right answers are known."""
        (priced,) = explorer.boards
        column = 0 if explorer.search.labels is not None else 1
        costs = costs_of(priced.figures(np.arange(len(counts))), explorer.request.cost)
        losses = single_losses(explorer.space, explorer.tree(explorer.search))
        first = predicted_front(priced, losses)
        return cls(explorer, counts[:, column].astype(np.int64), costs, first)

    def covered(self, numbers: Numbers) -> float:
        """Return the hypervolume of configurations, of all of them 1.

        The reference point is the worst of the certified front in both figures, which is the
        strictest that the front can be compared at.
        """
        front = pareto(self.quality, self.costs)
        reference = float(self.quality[front].min()), float(self.costs[front].max())
        parts = [
            hypervolume(self.quality[n].astype(np.float64), self.costs[n, 0], reference)
            for n in (numbers, front)
        ]
        return parts[0] / parts[1]

    def searched(self, seed: int, evaluations: int) -> Numbers:
        """Return what an exploration with a seed evaluates."""
        numbers, generation = self.first[:0], 0
        while len(numbers) < evaluations:
            known = self.quality[numbers], self.costs[numbers]
            new = (
                children(self.explorer.space, numbers, *known, (seed, generation))
                if generation
                else self.first
            )
            if not len(new):
                break
            numbers = np.concatenate([numbers, new[: evaluations - len(numbers)]])
            generation += 1
        return numbers
