"""Greedy set cover, held against trying all sets."""

from itertools import combinations
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.simulate.samples import cover
from hwflow.simulate.samples.cover import greedy_cover, hits_of

TABLES = st.lists(st.lists(st.integers(-1, 12), min_size=4, max_size=4), min_size=1, max_size=9)


@given(TABLES)
def test_everything_is_covered_by_few(rows: list[list[int]]) -> None:
    reached = np.array(rows)
    chosen = greedy_cover(*hits_of(reached, 13), 100)
    sets = [{g for g in row if g >= 0} for row in rows]
    every = set().union(*sets)
    assert set().union(*(sets[s] for s in chosen)) == every
    fewest = next(
        k
        for k in range(len(sets) + 1)
        if any(set().union(*some) == every for some in combinations(sets, k))
    )
    assert fewest <= len(chosen) <= fewest * (log(max(len(every), 1)) + 1)
    assert len(set(chosen)) == len(chosen)


@given(TABLES)
def test_hits_are_the_same_by_marks_and_by_sorting(rows: list[list[int]]) -> None:
    reached = np.array(rows)
    by_marks = hits_of(reached, 13)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cover, "MOST_MARKS", 0)
        by_sorting = hits_of(reached, 13)
    for a, b in zip(by_marks, by_sorting, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_first_reach_the_most() -> None:
    reached = np.array([[0, -1, -1], [1, 2, -1], [3, 4, 5], [0, 3, -1]])
    assert greedy_cover(*hits_of(reached, 6), 2) == [2, 1]
