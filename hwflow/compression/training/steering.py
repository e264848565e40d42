"""Steers the weight of the cost in the loss, so that the cost goes down a path to its goal."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

DESCENT = 0.5
"""Part of the training in which the cost goes down; the rest keeps it at the goal."""

GAIN, MEMORY, LIMIT = 4.0, 0.02, 0.5
"""The factor's logarithm has ``GAIN`` times the logarithm of cost over path, and ``MEMORY`` times
the sum of it over all steps, each cut to ``LIMIT``: at most e-fold in 100 steps by the sum."""

FIRST, LEAST, GREATEST = 1e-6, 1e-9, 1e-1
"""Factor of the cost at the beginning, and between which bounds it stays."""


@dataclass
class Steering:
    """The factor of the cost, which rises where the cost is above its path.

    Attributes:
        goal: cost to reach.
        start: cost at the beginning, or 0 before the first step.
        factor: what the cost is multiplied with in the loss.
        remembered: the part of it that past steps have left.
    """

    goal: float
    start: float = 0.0
    factor: float = FIRST
    remembered: float = FIRST

    def path(self, done: float) -> float:
        """Return the cost to have where a part of the training is done: an exponential descent."""
        start = max(self.start, self.goal)
        return float(start * (self.goal / start) ** min(1.0, done / DESCENT))

    def step(self, cost: float, done: float) -> float:
        """Take note of a cost and return the factor for the next step.

        Args:
            cost: present cost.
            done: part of the training that is done, 0 to 1.
        """
        self.start = self.start or cost
        error = max(-LIMIT, min(LIMIT, log(max(cost, 1.0) / self.path(done))))
        moved = self.remembered * exp(MEMORY * error)
        self.remembered = max(LEAST, min(GREATEST, moved))
        self.factor = self.remembered * exp(GAIN * error)
        return self.factor
