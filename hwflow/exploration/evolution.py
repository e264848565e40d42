"""New configurations from good ones: a seeded evolutionary search, generation by generation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwflow.exploration.front import pareto
from hwflow.exploration.space import Numbers, Space

F64 = npt.NDArray[np.float64]

GENERATION = 128
"""Configurations of a generation: one commit."""

PARENTS = 64
"""Configurations that have children, of the best fronts."""

TRIES = 50
"""Draws for each child that is new, before a generation is left smaller."""


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
    rng = np.random.default_rng(seed)
    parents = [space.digits(int(numbers[row])) for row in _best(quality, costs)]
    known = set(numbers.tolist())
    found: set[int] = set()
    sizes = np.array(space.sizes)
    free = np.flatnonzero(sizes > 1)
    for _ in range(TRIES * GENERATION):
        if len(found) == GENERATION or not len(free):
            break
        a, b = (parents[int(i)] for i in rng.integers(len(parents), size=2))
        digits = np.where(rng.random(len(sizes)) < 0.5, a, b)
        changed = free[rng.random(len(free)) < 1.5 / len(free)]
        digits[changed] += rng.choice((-1, 1), len(changed))
        child = space.number(np.clip(digits, 0, sizes - 1).tolist())
        if child not in known:
            found.add(child)
    return np.array(sorted(found), np.int64)


def _best(quality: npt.NDArray[np.int64], costs: F64) -> list[int]:
    """Return rows of the front, then of the front without it, and so on."""
    left = np.arange(len(quality))
    found: list[int] = []
    while len(left) and len(found) < PARENTS:
        front = left[pareto(quality[left], costs[left])]
        found += front.tolist()
        left = np.setdiff1d(left, front)
    return found[: max(PARENTS, 2)]
