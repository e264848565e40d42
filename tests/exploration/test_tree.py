"""Every configuration has the answers and the costs of the design that is built of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.exploration.costs import SUMS
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.kernels import Product
from tests.exploration.spaces import naive, request

PER_CHANNEL = {"per_channel": True}
POW2 = {"scale": "pow2", "per_channel": True}
QUICK: list[tuple[str, dict[str, Any]]] = [
    ("mlp", {"bits": "w=2,4 a=4"}),
    ("residual", {"bits": "w=2 a=3,5", "method": PER_CHANNEL, "group": ("[0-9]$",)}),
    ("residual", {"bits": "w=3,4 a=4", "method": POW2, "group": (".",)}),
    ("residual", {"bits": "w=3 a=4,5", "target": {"io_type": "io_stream"}, "group": (".",)}),
    ("branches", {"bits": "w=3 a=3,6", "group": (".",)}),
]
SLOW: list[tuple[str, dict[str, Any]]] = [
    ("mlp", {"bits": "w=2,3,5 a=2,4,6"}),  # 729 configurations
    ("residual", {"bits": "w=2,4 a=3,5", "method": PER_CHANNEL}),
    ("branches", {"bits": "w=2,4 a=3,6", "method": PER_CHANNEL}),
]


def check_all(explorer: Explorer, most: int = 729) -> None:
    """Compare configurations, all or so many drawn at random, with the slow way."""
    size = explorer.space.size
    drawn = np.random.default_rng(0).choice(size, min(size, most), replace=False)
    numbers = np.sort(drawn).astype(np.int64)
    (priced,) = explorer.boards
    priced.cover(lambda done: None)
    figures = priced.figures(numbers)
    counts = explorer.tree(explorer.search).counts(numbers)
    for row, number in enumerate(numbers.tolist()):
        right, agree, total = naive(explorer, number, explorer.search)
        assert counts[row].tolist() == [right, agree], number
        for name in (*SUMS, "ii", "latency_cycles"):
            assert figures[name][row] == pytest.approx(getattr(total, name).value, rel=1e-12)


@pytest.mark.parametrize(("name", "changes"), QUICK)
def test_tree_equals_quantising_compiling_and_simulating(
    name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    check_all(Explorer.of(request(tmp_path, name, **changes)))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "changes"), SLOW)
def test_tree_equals_the_slow_way_in_larger_spaces(
    name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    explorer = Explorer.of(request(tmp_path, name, **changes))
    assert 64 <= explorer.space.size <= 729
    check_all(explorer)


def test_any_selection_of_configurations_has_the_same_answers(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp"))
    explorer.boards[0].cover(lambda done: None)
    every = explorer.tree(explorer.search).counts(np.arange(explorer.space.size))
    some = np.sort(np.random.default_rng(0).choice(explorer.space.size, 17, replace=False))
    assert np.array_equal(explorer.tree(explorer.search).counts(some), every[some])
    right = explorer.tree(explorer.search).right(some)
    assert np.array_equal(right.sum(axis=2).T, every[some])


def test_weights_of_all_options_are_one_product(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp", bits="w=2,3,4 a=4"))
    explorer.boards[0].cover(lambda done: None)
    tree = explorer.tree(explorer.search)
    tree.counts(np.arange(explorer.space.size))
    joints = [joint for found in tree._joints.values() for _, joint in found]
    assert {len(product.keys) for joint in joints for product in joint.products} == {3}


def test_sums_that_float32_does_not_hold_are_float64(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp", bits="w=4,14 a=6,12"))
    tree = explorer.tree(explorer.search)
    numbers = np.array([0, explorer.space.size - 1])
    counts = tree.counts(numbers)
    steps = [s.run for p in tree._programs.values() for s in p if isinstance(s.run, Product)]
    assert {s.matrix.dtype for s in steps} == {np.dtype(np.float32), np.dtype(np.float64)}
    for row, number in enumerate(numbers.tolist()):
        assert counts[row].tolist() == list(naive(explorer, number, explorer.search)[:2])
