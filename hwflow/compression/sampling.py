"""Samples like some that are known: what a network can be trained with where there are few."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[Any]
F64 = npt.NDArray[np.float64]

RIDGE = 1e-6
"""Added to the variances, so that features that depend on each other can be drawn."""

FEWEST = 20
"""Known samples of a kind, below which it is drawn together with the other rare ones."""


def drawn_by_kind(
    known: Array, kinds: Array, count: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return samples of several kinds, each like the known ones of that kind, and as frequent.

    A mixture of copulas: features that are correlated in one way within a class, and in another
    between classes, keep both.

    Args:
        known: ``(samples, *shape)``.
        kinds: kind of each sample, such as the class that a teacher takes it for.
        count: samples to draw.
        rng: draws them.

    Returns:
        ``(count, *shape)``, kind by kind.
    """
    names, places, sizes = np.unique(kinds, return_inverse=True, return_counts=True)
    group = np.where(sizes < FEWEST, len(names), np.arange(len(names)))[places]
    found, shares = np.unique(group, return_counts=True)
    ends = np.cumsum(shares) * count // len(known)
    counts = np.diff(ends, prepend=0).tolist()
    parts = [copula(known[group == g], n, rng) for g, n in zip(found, counts, strict=True)]
    return np.concatenate(parts)


def copula(known: Array, count: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return samples whose features are distributed and correlated like those of known samples.

    A Gaussian copula (Nelsen, An Introduction to Copulas, 2006, section 2.3): each feature keeps
    its own distribution, interpolated between the known values, and the normal scores of all
    features keep their correlations. Nothing is drawn beyond the least and greatest known value.

    Args:
        known: ``(samples, *shape)``.
        count: samples to draw.
        rng: draws them.

    Returns:
        ``(count, *shape)``.
    """
    flat = np.asarray(known, np.float64).reshape(len(known), -1)
    samples, features = flat.shape
    if samples == 1:
        return np.repeat(flat.astype(np.float32), count, axis=0).reshape(count, *known.shape[1:])
    scores = stats.norm.ppf(stats.rankdata(flat, axis=0) / (samples + 1))
    covariance = np.cov(scores, rowvar=False).reshape(features, features)
    deviation = np.sqrt(np.maximum(np.diag(covariance), RIDGE))
    correlation = covariance / np.outer(deviation, deviation) + RIDGE * np.eye(features)
    lower = np.linalg.cholesky(correlation)
    ranks = stats.norm.cdf(rng.standard_normal((count, features)) @ lower.T)
    levels = np.arange(1, samples + 1) / (samples + 1)
    drawn = np.empty((count, features), np.float32)
    for j in range(features):
        drawn[:, j] = np.interp(ranks[:, j], levels, np.sort(flat[:, j]))
    return drawn.reshape(count, *known.shape[1:])
