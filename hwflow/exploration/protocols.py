"""The parts of an exploration: what evaluates, what prices, and what asks."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from hwflow.exploration.space import Numbers

Counts = npt.NDArray[np.int32]
F64 = npt.NDArray[np.float64]


class Evaluator(Protocol):
    """Counts right answers; ``Tree`` does for all that hwflow explores."""

    def counts(self, numbers: Numbers) -> Counts:
        """Return the right answers of configurations on the search samples.

        Args:
            numbers: the configurations, ascending.

        Returns:
            Shape (configurations, 2): samples with the right label (or -1 without labels), and
            with the class that the float model gives.
        """


class CostModel(Protocol):
    """Prices configurations on one board; ``Priced`` does by the estimates of stages."""

    def figures(self, numbers: Numbers) -> dict[str, F64]:
        """Return the figures of configurations, by the names of ``FIGURES``, each (numbers,)."""


class Searcher(Protocol):
    """Decides which configurations are evaluated; ``Evolution`` does unless another is given."""

    def ask(self, most: int) -> Numbers:
        """Return the configurations to evaluate next; none where nothing is left to ask.

        Args:
            most: as many are evaluated, and no more.
        """

    def tell(self, numbers: Numbers, quality: Numbers, costs: F64) -> None:
        """Take in what was found.

        Args:
            numbers: what was asked for, in that order.
            quality: right answers of each; more is better.
            costs: costs of each, (configurations, costs), as ``cost`` names them; less is better.
        """
