"""New configurations from good ones: a seeded evolutionary search, generation by generation.

Many children are drawn between and beside the best configurations. A regression on what was
evaluated so far predicts the right answers and the costs of each, and those on the best predicted
fronts are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hwflow.exploration.front import pareto
from hwflow.exploration.space import Numbers, Space

F64 = npt.NDArray[np.float64]
Digits = npt.NDArray[np.int64]

GENERATION = 64
"""Configurations of a generation: one commit."""

POOL = 4096
"""Children that are drawn for a generation."""

PARENTS = 64
"""Configurations that have children, of the best fronts."""

MOST_KNOWN = 2000
"""Configurations that the regression is on at most: it takes the cube of as many operations."""

NEAR = 2.0
"""Distance in options over which what is known of one fades to 1/e."""

NOISE = 2e-2
"""Variance that the regression leaves unexplained, of all of it 1: answers right by chance."""


def children(
    space: Space,
    numbers: Numbers,
    quality: npt.NDArray[np.int64],
    costs: F64,
    seed: tuple[int, int],
) -> Numbers:
    """Return configurations that were not evaluated yet, ascending; none where all were.

    Args:
        space: all configurations.
        numbers: those that were evaluated.
        quality: right answers of each.
        costs: costs of each, (configurations, costs).
        seed: seed of the draws.
    """
    digits = _digits(space, numbers)
    drawn = _drawn(space, digits[_best(quality, costs)], np.random.default_rng(seed))
    pool = np.setdiff1d(drawn, numbers)
    if len(pool) <= GENERATION:
        return pool
    rows = _best(quality, costs, MOST_KNOWN) if len(numbers) > MOST_KNOWN else slice(None)
    predict = regression(digits[rows], np.column_stack([quality, costs])[rows])
    predicted = predict(_digits(space, pool))
    chosen = _best(predicted[:, 0], predicted[:, 1:], GENERATION)
    return np.sort(pool[chosen])


def _digits(space: Space, numbers: Numbers) -> Digits:
    """Return the options of configurations, (configurations, variables)."""
    return np.stack([space.options(numbers, v) for v in range(len(space.sizes))], axis=1)


def _drawn(space: Space, parents: Digits, rng: np.random.Generator) -> Numbers:
    """Return children of pairs of parents, some of their options one up or down."""
    sizes = np.array(space.sizes)
    a, b = parents[rng.integers(len(parents), size=(2, POOL))]
    mixed = np.where(rng.random(a.shape) < 0.5, a, b)
    changed = rng.random(a.shape) < 1.5 / max(1, int((sizes > 1).sum()))
    mixed += np.where(changed, rng.choice((-1, 1), a.shape), 0)
    return np.unique(np.clip(mixed, 0, sizes - 1) @ np.array(space.strides, np.int64))


def regression(digits: Digits, values: F64) -> Callable[[Digits], F64]:
    """Return what predicts values of configurations from those of others.

    It is the mean of a Gaussian process (C. E. Rasmussen and C. K. I. Williams, Gaussian Processes
    for Machine Learning, 2006, 2.25) whose kernel is ``s + s^2``: effects of single variables, and
    of pairs; ``s`` is the mean over the variables of ``exp(-distance / NEAR)``.

    Args:
        digits: options of configurations, (configurations, variables).
        values: what is known of them, (configurations, values).
    """
    middle, spread = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-300)
    own = _kernel(digits, digits)
    own[np.diag_indices(len(own))] += NOISE
    weights = np.linalg.solve(own, (values - middle) / spread)
    return lambda others: _kernel(others, digits) @ weights * spread + middle


def _kernel(a: Digits, b: Digits) -> F64:
    """Return how alike configurations are, (len(a), len(b))."""
    total = np.zeros((len(a), len(b)))
    for variable in range(a.shape[1]):
        most = int(max(a[:, variable].max(), b[:, variable].max()))
        fading = np.exp(-np.arange(most + 1) / NEAR)
        total += fading[np.abs(a[:, variable, None] - b[:, variable])]
    total /= a.shape[1]
    return np.asarray(total + total**2)


def _best(quality: F64 | npt.NDArray[np.int64], costs: F64, most: int = PARENTS) -> list[int]:
    """Return rows of the front, then of the front without it, and so on."""
    left = np.arange(len(quality))
    found: list[int] = []
    while len(left) and len(found) < most:
        front = left[pareto(quality[left], costs[left])]
        left = np.setdiff1d(left, front)
        if len(found) + len(front) > most:  # evenly thinned
            front = front[np.linspace(0, len(front) - 1, most - len(found)).round().astype(int)]
        found += front.tolist()
    return found
