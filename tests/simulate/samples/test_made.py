"""Made-up data: seeded, bounded, and better than drawing alone at what it is for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import hwflow
from hwflow.ir.graph import Graph
from hwflow.ops.dense import Dense
from hwflow.ops.requantize import Requantize
from hwflow.simulate.numpy import simulate
from hwflow.simulate.samples import MADE_UP, made_data, mixed_data
from tests.cli.command import dense

ROOT = Path(__file__).parents[3]


def graph() -> Graph:
    return hwflow.compile(dense()).graph


def test_fewer_samples_are_made_up_for_large_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    net = graph()
    products = sum(n.op.weight.raw.size for n in net.nodes if isinstance(n.op, Dense))
    for budget, most in ((2**30, 512), (100 * products, 100), (products, 8)):
        monkeypatch.setattr("hwflow.simulate.samples.PRODUCTS", budget)
        assert min(most, 256) <= len(made_data(net).inputs["x"]) <= most


@pytest.mark.parametrize("count", [1, 3, 8, 100])
def test_as_many_as_asked_for(count: int) -> None:
    assert len(made_data(graph(), count).inputs["x"]) == count
    assert len(mixed_data(graph(), count).inputs["x"]) == count


def test_the_same_seed_gives_the_same_samples() -> None:
    net = graph()
    one, two, other = made_data(net), made_data(net), made_data(net, seed=1)
    np.testing.assert_array_equal(one.inputs["x"], two.inputs["x"])
    assert not np.array_equal(one.inputs["x"][8:64], other.inputs["x"][8:64])
    assert (one.seed, other.seed) == (0, 1)
    assert one.source.startswith(MADE_UP)
    assert other.source.endswith("seed 1")


def test_the_first_samples_are_zeros_and_both_ends() -> None:
    net = graph()
    x = made_data(net).inputs["x"]
    low, high = (bound * net.types["x"].dtype.step for bound in net.types["x"].bounds)
    assert not x[0].any()
    assert (x[1] == low).all()
    assert (x[2] == high).all()
    assert (x[3] < low).all()
    assert (x[4] > high).all()


def test_searched_samples_reach_sums_that_drawn_ones_do_not() -> None:
    """Both sides of every threshold, counted from the functions and the simulation's own sums."""
    net = hwflow.compile(ROOT / "tests" / "models" / "float_scale.onnx").graph
    reached = [edges(net, data.inputs) for data in (made_data(net), mixed_data(net, 256))]
    assert reached[0][1] == reached[1][1] > 50
    assert reached[0][0] > reached[1][0]
    assert reached[0][0] >= 0.9 * reached[0][1]


def edges(net: Graph, inputs: Mapping[str, npt.NDArray[Any]]) -> tuple[int, int]:
    """Return how many sums next to a change of a requantiser's result occur, and how many exist."""
    layers = simulate(net, inputs, keep=lambda name: True).layers
    found = possible = 0
    for node in net.nodes:
        if not isinstance(node.op, Requantize) or len(node.inputs) > 1:
            continue
        raw, operand = layers[node.inputs[0]].raw, net.types[node.inputs[0]]
        function = node.op.function_of(operand)
        for channel in range(operand.channels):
            row = channel if function.rows > 1 else 0
            n = np.arange(operand.lo[channel], operand.hi[channel] + 1)
            column = np.broadcast_to(n[:, None], (len(n), operand.channels))
            results = function(column)[:, row if function.rows > 1 else 0]
            change = np.flatnonzero(np.diff(results))
            wanted = set(n[change]) | set(n[change + 1])
            possible += len(wanted)
            found += len(wanted & set(np.unique(raw[..., channel])))
    return found, possible
