"""Intervals of whole designs, learned so that they hold on repositories that had no part in them.

The interval of a figure lies between two multiples of its estimate. The multiples are quantiles of
real over estimated on all known designs, each weighing one over the square root of the number of
its repository's (conformal prediction with weights; R. J. Tibshirani et al., NeurIPS 2019). The
share that is left outside is the one with which the intervals of all other repositories hold as
near to 90 % as can be of the designs of the one left out (mean of the shares by design and by
repository). Where even the extremes hold fewer, they may be moved apart.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, floor, log

import numpy as np

from hwflow.estimate.spread import PLUS
from hwflow.ir.cost import Basis
from tests.benchmarks.calibration_points import Figure

AIM = 90.0
"""Per cent of the designs of unseen repositories that an interval shall hold."""

OUTSIDE = np.arange(12, -1, -1) / 100.0
"""Shares of the designs that may be beyond an interval, on either side."""

APART = np.arange(100, 201, 5) / 100.0
"""Factors by which the ends may be moved."""


def ratio(f: Figure) -> float:
    """Return the logarithm of real over estimated."""
    plus = PLUS[f.figure]
    return log((f.real + plus) / (f.estimate.value + plus))


@dataclass(frozen=True)
class Rule:
    """How intervals are made of ratios: what is left outside, and how far ends are moved."""

    outside: float
    apart: float

    def ends(self, figures: Sequence[Figure]) -> tuple[float, float]:
        """Return the lowest and highest logarithm of a ratio that is inside."""
        count = Counter(f.repo for f in figures)
        ordered = sorted((ratio(f), count[f.repo] ** -0.5) for f in figures)
        weights = np.array([weight for _, weight in ordered])
        at = (np.cumsum(weights) - weights / 2) / weights.sum()
        places, values = [self.outside, 1 - self.outside], [value for value, _ in ordered]
        low, high = np.interp(places, at, values)
        return min(low, 0.0) - log(self.apart), max(high, 0.0) + log(self.apart)

    def held_out(self, figures: Sequence[Figure]) -> tuple[float, float]:
        """Return how often the intervals of all other repositories hold one's designs, in per cent.

        Two means: over designs, and over repositories.
        """
        inside: dict[str, list[bool]] = defaultdict(list)
        for repo in {f.repo for f in figures}:
            low, high = self.ends([f for f in figures if f.repo != repo])
            mine = [f for f in figures if f.repo == repo]
            inside[repo] = [low - 1e-9 <= ratio(f) <= high + 1e-9 for f in mine]
        every = [hit for hits in inside.values() for hit in hits]
        by_repository = np.mean([np.mean(hits) for hits in inside.values()])
        return 100 * float(np.mean(every)), 100 * float(by_repository)


def learned(figures: Sequence[Figure]) -> Rule:
    """Return the rule that holds nearest to ``AIM`` per cent of repositories left out."""
    rules = [Rule(float(outside), 1.0) for outside in OUTSIDE]
    rules += [Rule(0.0, float(apart)) for apart in APART]
    return min(rules, key=lambda rule: abs(float(np.mean(rule.held_out(figures))) - AIM))


def factors(figures: Sequence[Figure]) -> tuple[float, float]:
    """Return the multiples of an estimate that its interval lies between, rounded outward.

    Steps are 0.05, and neither end is nearer to the figure than that.
    """
    low, high = learned(figures).ends(figures)
    lower, upper = floor(exp(low) * 20 + 1e-9) / 20, ceil(exp(high) * 20 - 1e-9) / 20
    return min(lower, 0.95), max(upper, 1.05)


def fitted(figures: Sequence[Figure]) -> list[Figure]:
    """Return what is fitted: rules need no interval, what is extrapolated has one of its own."""
    return [f for f in figures if f.estimate.basis is Basis.FITTED]
