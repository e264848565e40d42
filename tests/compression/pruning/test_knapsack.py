"""The knapsack against all sets, one by one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.compression.pruning.knapsack import _by_search, _by_table, most_valuable


def best_of_all(
    values: np.ndarray, costs: np.ndarray, budgets: np.ndarray, needed: np.ndarray
) -> float | None:
    found = [
        values[list(chosen)].sum() if (chosen := np.flatnonzero(bits)).size else 0.0
        for bits in product((False, True), repeat=len(values))
        if (costs[:, np.array(bits)].sum(axis=1) <= budgets).all()
        and not (needed & ~np.array(bits)).any()
    ]
    return max(found, default=None)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 2))
def test_no_other_set_is_worth_more(seed: int, size: int, resources: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 12, size).astype(float)
    costs = rng.integers(0, 9, (resources, size)).astype(float)
    budgets = np.floor(costs.sum(axis=1) * rng.uniform(0, 1, resources))
    needed = rng.random(size) < 0.2
    kept, best = most_valuable(values, costs, budgets, needed), best_of_all(
        values, costs, budgets, needed
    )  # fmt: skip
    if kept is None:
        assert best is None
        return
    assert kept.value == best
    assert kept.proven
    assert (costs[:, kept.groups].sum(axis=1) <= budgets).all()
    assert kept.groups[needed].all()
    assert kept.value == values[kept.groups].sum()


def test_thousands_of_weights_are_settled() -> None:
    rng = np.random.default_rng(0)
    values, costs = rng.exponential(size=20_000), rng.integers(1, 640, (1, 20_000)).astype(float)
    budget = costs.sum(axis=1) * 0.3
    kept = most_valuable(values, costs, budget, np.zeros(20_000, bool))
    assert kept is not None
    assert kept.proven
    order = np.argsort(-values / costs[0])
    greedy = order[np.cumsum(costs[0, order]) <= budget[0]]
    assert kept.value >= values[greedy].sum()


@pytest.mark.parametrize("seed", range(4))
def test_table_and_search_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, costs = rng.exponential(size=60), rng.integers(1, 50, 60)
    table = _by_table(values, costs, 400)
    search, proven = _by_search(values, costs[None].astype(float), np.array([400.0]))
    assert proven
    assert values[table].sum() == pytest.approx(values[search].sum(), rel=1e-6)  # HiGHS' tolerance
    assert costs[table].sum() <= 400


def test_equal_costs_keep_the_most_valuable() -> None:
    rng = np.random.default_rng(1)
    values = rng.permutation(50).astype(float)
    kept = most_valuable(values, np.ones((1, 50)), np.array([20.0]), np.zeros(50, bool))
    assert kept is not None
    assert np.array_equal(np.flatnonzero(kept.groups), np.sort(np.argsort(-values)[:20]))


@pytest.mark.parametrize("budget", [0.0, 4.0])
def test_needed_groups_stay_or_there_is_no_set(budget: float) -> None:
    needed = np.array([True, False])
    kept = most_valuable(np.array([1.0, 9.0]), np.array([[4.0, 3.0]]), np.array([budget]), needed)
    assert (kept is None) == (budget < 4)
    assert kept is None or np.array_equal(kept.groups, needed)
