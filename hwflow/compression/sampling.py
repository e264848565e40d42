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
