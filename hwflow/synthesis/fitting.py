"""Factors for estimates from what tools reported, pulled towards 1, tested on what was left out.

Each figure of a tool and family gets one factor. Its logarithm is the mean over designs of
log(reported / estimated), times ``n TAU^2 / (n TAU^2 + s^2)``: the mean that is to be expected
after ``n`` designs if factors of tools are spread by TAU, and designs of one tool by s around
theirs (posterior mean of a normal distribution; Gelman et al., Bayesian Data Analysis, section
2.5). Reports of one network with several settings are one design: a sweep outvotes nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from hwflow.core.calibration import LARGEST, SMALLEST
from hwflow.ir.cost import Estimate

TAU = 0.3
"""How far tools differ from those that estimates were fitted on: 1.35 times in one sigma."""

WEIGHT = 2.0
"""How many designs the spread that the interval of an estimate claims counts for in s."""

INTERVAL_SIGMAS = 3.29
"""Width of an interval of 90 % in standard deviations of a normal distribution."""

TESTED_FROM = 3
"""Designs from which a factor that does not help on those left out is dropped."""


@dataclass(frozen=True)
class Point:
    """One figure of one design.

    Attributes:
        design: what tells the design from others.
        estimated: what was estimated without any factor.
        reported: what the tool reported.
    """

    design: str
    estimated: Estimate
    reported: float

    @property
    def usable(self) -> bool:
        """Whether there is a ratio."""
        return self.estimated.value > 0 and self.reported > 0


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was learnt of one figure.

    Attributes:
        factor: what the estimate is multiplied with; 1 where a factor does not help.
        designs: how many designs speak of it.
        error_before: mean symmetric error over designs, without the factor, in per cent.
        error_after: the same, each design with the factor of the others; None with one design.
        dropped: whether a factor was dropped, since it did not help.
    """

    factor: float
    designs: int
    error_before: float
    error_after: float | None
    dropped: bool = False


def factor_of(points: Sequence[Point]) -> float:
    """Return the factor that some designs speak for; 1 where none has a ratio."""
    usable = [point for point in points if point.usable]
    if not usable:
        return 1.0
    by_design: defaultdict[str, list[float]] = defaultdict(list)
    for point in usable:
        by_design[point.design].append(log(point.reported / point.estimated.value))
    ratios = [sum(found) / len(found) for found in by_design.values()]
    count, mean = len(ratios), sum(ratios) / len(ratios)
    claimed = sum(_claimed(point.estimated) for point in usable) / len(usable)
    seen = sum((ratio - mean) ** 2 for ratio in ratios)
    spread = (WEIGHT * claimed + seen) / (WEIGHT + count - 1)
    shrunk = mean * count * TAU**2 / (count * TAU**2 + spread)
    return min(LARGEST, max(SMALLEST, exp(shrunk)))


def _claimed(figure: Estimate) -> float:
    """Return the variance of the logarithm that the interval of an estimate stands for."""
    low = max(figure.low, figure.value / LARGEST)
    high = max(min(figure.high, figure.value * LARGEST), low)
    return (log(high / low) / INTERVAL_SIGMAS) ** 2


def symmetric_error(estimated: float, reported: float) -> float:
    """Return 200 |a - b| / (a + b), per cent; 0 where both are 0."""
    total = estimated + reported
    return 200 * abs(estimated - reported) / total if total else 0.0


def fit(points: Sequence[Point]) -> Fitted:
    """Return the factor of one figure, tested on each design with the factor of the others.

    Args:
        points: at least one; several of one design are reports of it with other settings.
    """
    designs = {point.design for point in points}
    before = _mean([symmetric_error(p.estimated.value, p.reported) for p in points])
    factor = factor_of(points)
    if len(designs) < 2:
        return Fitted(factor=factor, designs=1, error_before=before, error_after=None)
    others = {name: factor_of([p for p in points if p.design != name]) for name in designs}
    errors = [symmetric_error(p.estimated.value * others[p.design], p.reported) for p in points]
    after = _mean(errors)
    dropped = len(designs) >= TESTED_FROM and after >= before and factor != 1.0
    return Fitted(
        factor=1.0 if dropped else factor,
        designs=len(designs),
        error_before=before,
        error_after=before if dropped else after,
        dropped=dropped,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def fit_all(points: Mapping[str, Sequence[Point]]) -> dict[str, Fitted]:
    """Return what was learnt of every figure that a point is of."""
    return {figure: fit(found) for figure, found in points.items() if found}
