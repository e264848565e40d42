"""Which configurations nothing beats, and how sure their accuracies are."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

Z = 1.959963984540054
"""Quantile of the normal distribution for 95 %, two-sided."""


def pareto(quality: npt.NDArray[np.int64] | F64, costs: F64) -> npt.NDArray[np.int64]:
    """Return the rows that no other row beats, best quality first.

    A row is beaten by one that is nowhere worse and somewhere better, or equal and before it.

    Args:
        quality: more is better, (rows,).
        costs: less is better, (rows, costs).
    """
    order = np.lexsort((np.arange(len(quality)), *costs.T[::-1], -quality))
    if costs.shape[1] == 1:
        sorted_costs = costs[order, 0]
        least = np.minimum.accumulate(sorted_costs)
        before = np.concatenate([[np.inf], least[:-1]])
        return np.asarray(order[sorted_costs < before])
    kept: list[int] = []
    best = np.empty((0, costs.shape[1]))
    for row in order.tolist():
        if not len(best) or not (best <= costs[row]).all(axis=1).any():
            kept.append(row)
            best = np.vstack([best, costs[row]])
    return np.array(kept, np.int64)


def knee(quality: F64, cost: F64) -> int:
    """Return the point farthest from the line between the ends of a front, both axes scaled to 1.

    Args:
        quality: quality of the points.
        cost: their cost.
    """
    spans = [max(float(np.ptp(v)), 1e-300) for v in (quality, cost)]
    gain = (quality - quality.min()) / spans[0] - (cost - cost.min()) / spans[1]
    return int(gain.argmax())


def wilson(right: int, samples: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, JASA 22, 1927)."""
    if samples == 0:
        return 0.0, 1.0
    share, z2 = right / samples, Z * Z
    middle = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = (
        Z / (1 + z2 / samples) * sqrt(share * (1 - share) / samples + z2 / (4 * samples * samples))
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def told_apart(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> bool:
    """Return whether two lists of right answers on the same samples differ beyond chance.

    McNemar's exact test (Psychometrika 12, 1947) at 5 %: of the samples that only one gets right,
    the share that is the first's is a half if the two are equally good.
    """
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    total, less = only_a + only_b, min(only_a, only_b)
    tail = sum(comb(total, k) for k in range(less + 1))
    return bool(2 * tail * 20 < 2**total)


def hypervolume(quality: F64, cost: F64, reference: tuple[float, float]) -> float:
    """Return the area that a front covers between itself and a reference point.

    Args:
        quality: more is better.
        cost: less is better.
        reference: a quality and a cost that every point that counts is better than.
    """
    inside = (quality > reference[0]) & (cost < reference[1])
    order = np.argsort(cost[inside])
    area, best = 0.0, reference[0]
    ends = np.append(cost[inside][order], reference[1])
    for i, q in enumerate(quality[inside][order].tolist()):
        best = max(best, q)
        area += (best - reference[0]) * float(ends[i + 1] - ends[i])
    return area


def costs_of(figures: dict[str, F64], names: Sequence[str]) -> F64:
    """Return costs to compare, (rows, names), equal where float64 sums differ by rounding only."""
    table = np.stack([figures[name] for name in names], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 9 - np.ceil(np.log10(np.maximum(np.abs(table), 1e-300)))
    scale = 10.0 ** np.clip(digits, -300, 300)
    rounded: F64 = np.where(np.isfinite(table), np.round(table * scale) / scale, table)
    return rounded
