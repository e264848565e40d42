"""Steers the weight of the cost in the loss, so that the cost goes down a path to its goal."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

DESCENT = 0.5
"""Part of the training in which the cost goes down; the rest keeps it at the goal."""

MARGIN = 0.97
"""Where the path ends, as a part of the goal: the cost swings around its path."""

GAIN, MEMORY, LIMIT = 4.0, 0.05, 0.5
"""The factor's logarithm has ``GAIN`` times the logarithm of cost over path, and ``MEMORY`` times
the sum of it over all steps, each cut to ``LIMIT``: at most e-fold in 40 steps by the sum."""

PATIENCE, FLOOR, FOLLOWING = 6.0, 0.05, 0.02
"""The cost counts at most ``PATIENCE`` times as much as the loss, or as ``FLOOR`` where the loss is
less. More would end networks that have no way left to the goal, instead of stopping before it. The
loss is followed as a mean of the last 1 / ``FOLLOWING`` steps or so."""

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
        loss: mean of past steps.
    """

    goal: float
    start: float = 0.0
    factor: float = FIRST
    remembered: float = FIRST
    loss: float = 0.0

    def path(self, done: float) -> float:
        """Return the cost to have where a part of the training is done: an exponential descent."""
        end = MARGIN * self.goal
        start = max(self.start, end)
        return float(start * (end / start) ** min(1.0, done / DESCENT))

    def step(self, cost: float, loss: float, done: float) -> float:
        """Take note of a cost and return the factor for the next step.

        Args:
            cost: present cost.
            loss: present loss, without the cost.
            done: part of the training that is done, 0 to 1.
        """
        self.start = self.start or cost
        error = max(-LIMIT, min(LIMIT, log(max(cost, 1.0) / self.path(done))))
        moved = self.remembered * exp(MEMORY * error)
        self.loss += FOLLOWING * (loss - self.loss)
        most = PATIENCE * max(self.loss, FLOOR) / max(cost, 1.0)
        self.remembered = max(LEAST, min(GREATEST, most, moved))
        self.factor = min(self.remembered * exp(GAIN * error), most)
        return self.factor
