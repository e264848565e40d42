"""Fronts against brute force; statistics against published figures and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hwflow.exploration.front import hypervolume, knee, pareto, told_apart, wilson

POINTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40
)


def beaten(points: list[tuple[int, ...]], i: int) -> bool:
    """Return whether another point beats one: quality first, costs behind it."""
    own = points[i]
    for j, other in enumerate(points):
        as_good = other[0] >= own[0] and all(
            a <= b for a, b in zip(other[1:], own[1:], strict=True)
        )
        if j != i and as_good and (other != own or j < i):
            return True
    return False


@given(POINTS, st.integers(1, 2))
def test_front_is_that_of_brute_force(points: list[tuple[int, ...]], costs: int) -> None:
    cut = [p[: 1 + costs] for p in points]
    table = np.array(cut, float)
    found = pareto(table[:, 0].astype(np.int64), table[:, 1:])
    assert sorted(found.tolist()) == [i for i in range(len(cut)) if not beaten(cut, i)]
    assert (np.diff(table[found, 0]) <= 0).all()


def test_wilson_interval_of_published_examples() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    for right, samples, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605),
                                      (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):  # fmt: skip
        assert wilson(right, samples) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 60), st.integers(0, 60))
def test_points_are_told_apart_as_the_exact_binomial_test_does(only_a: int, only_b: int) -> None:
    a = np.array([True] * only_a + [False] * only_b + [True] * 5)
    b = np.array([False] * only_a + [True] * only_b + [True] * 5)
    total = only_a + only_b
    p = stats.binomtest(min(only_a, only_b), total).pvalue if total else 1.0
    assert told_apart(a, b) == (p < 0.05)


def test_knee_is_where_a_front_bends() -> None:
    quality, cost = np.array([0.99, 0.98, 0.5]), np.array([100.0, 20.0, 10.0])
    assert knee(quality, cost) == 1


@given(POINTS)
def test_hypervolume_is_the_area_of_the_cells_that_are_beaten(
    points: list[tuple[int, ...]],
) -> None:
    quality, cost = (np.array([p[i] for p in points], float) for i in (0, 1))
    cells = sum(
        any(q >= y + 1 and c <= x for q, c in zip(quality, cost, strict=True))
        for x in range(7)
        for y in range(6)
    )
    assert hypervolume(quality, cost, (0.0, 7.0)) == cells
