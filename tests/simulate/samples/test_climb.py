"""Samples that climb: gradients against differences, heights against all inputs there are."""

from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import hwflow
from hwflow.ir.graph import Graph
from hwflow.simulate.coverage.step import Step
from hwflow.simulate.numpy import run_batch, simulate
from hwflow.simulate.samples import made_data, mixture
from hwflow.simulate.samples.climb import climbed
from hwflow.simulate.samples.gradients import Gradients
from hwflow.simulate.samples.ports import port_range
from hwflow.simulate.samples.reach import Reach, Summit
from tests.cli.command import dense
from tests.fixtures import model
from tests.networks import Builder

ROOT = Path(__file__).parents[3]
MLP = ROOT / "examples" / "digits_mlp.onnx"
MODELS = ROOT / "tests" / "models"


def computed(graph: Graph, raw: npt.NDArray[np.int64]) -> list[Step]:
    (port,) = graph.inputs
    point = graph.types[port.value].dtype.fractional
    return list(run_batch(graph, {port.value: np.ldexp(raw.astype(np.float64), -point)}))


def sums(graph: Graph, raw: npt.NDArray[np.int64], node: str) -> npt.NDArray[np.int64]:
    (found,) = [s.full.raw for s in computed(graph, raw) if s.node.name == node]
    return found.reshape(len(raw), -1)


@pytest.mark.parametrize("name", ["float_bias", "grouped", "avgpool", "conv1d", "residual"])
def test_a_gradient_is_the_difference_that_one_step_of_an_input_makes(name: str) -> None:
    """The first layer of products has no clip before it: there the gradient is exact."""
    graph = hwflow.compile(MODELS / f"{name}.onnx").graph
    (port,) = graph.inputs
    first = next(n for n in graph.nodes if hasattr(n.op, "weight"))
    x, size = graph.types[port.value], graph.types[first.name].size
    rng = np.random.default_rng(0)
    base = np.clip(rng.integers(x.lo, x.hi, (1, *x.shape)), x.lo + 1, x.hi - 1)
    moved = base + np.eye(x.size, dtype=np.int64).reshape(x.size, *x.shape)
    elements = rng.permutation(size)[:8]
    seeds = np.eye(size)[elements]
    steps = computed(graph, np.repeat(base, len(elements), axis=0))
    found = Gradients(graph).at_inputs(steps, {first.name: seeds})[port.value]
    wanted = sums(graph, moved, first.name) - sums(graph, base, first.name)
    np.testing.assert_allclose(found, wanted[:, elements].T, rtol=1e-12)


def test_nothing_comes_through_what_is_clipped() -> None:
    b = Builder(np.random.default_rng(3))
    x = b.quant("x", 4, 0.25, signed=True)
    x = b.quant(b.node("Relu", [x]), 3, 0.25, signed=False)
    x = b.node("Gemm", [x, b.weight((5, 2), 4, 1 / 4)])
    graph = hwflow.compile(model(b, x, (1, 5), (1, 2))).graph
    steps = computed(graph, np.array([[-8, -1, 3, 6, 7]]))
    last = graph.nodes[-1]
    weight = last.op.weight.raw[:, :1].T.astype(np.float64)  # type: ignore[attr-defined]
    found = Gradients(graph).at_inputs(steps, {last.name: np.array([[1.0, 0.0]])})
    (slope,) = found.values()
    assert slope[0, 0] == 0.0
    assert (slope[0, 2:4] == weight[0, 2:4]).all()


def test_ascents_come_near_the_greatest_of_all_inputs() -> None:
    """Held against every input of a network of six inputs and two bits each."""
    for seed in range(5):
        b = Builder(np.random.default_rng(seed))
        x = b.quant("x", 2, 0.5, signed=False)
        x = b.node("Gemm", [x, b.weight((6, 8), 4, 1 / 4), b.bias(8)])
        x = b.quant(b.node("Relu", [x]), 4, 0.25, signed=False)
        x = b.node("Gemm", [x, b.weight((8, 4), 4, 1 / 4), b.bias(4)])
        graph = hwflow.compile(model(b, x, (1, 6), (1, 4))).graph
        (port,), last = graph.inputs, graph.nodes[-1].name
        every = sums(graph, np.array(list(product(range(4), repeat=6))), last)
        ports = {port.value: port_range(graph, port)}
        rng = np.random.default_rng(0)
        starts = {port.value: mixture.levels(rng, ports[port.value], 64)}
        summits = [Summit(last, c, up) for c in range(4) for up in (True, False)]
        found, rows = climbed(graph, ports, starts, summits, rng)
        reached = sums(graph, found[port.value], last)
        for summit, row in zip(summits, rows, strict=True):
            own = every[:, summit.channel]
            share = (reached[row, summit.channel] - own.min()) / (own.max() - own.min())
            assert share > 0.9 if summit.up else share < 0.1


def test_a_channel_that_hardly_any_input_wakes_is_woken() -> None:
    """Channel 23 of the MLP's second layer: 0.24 at most, as an integer program has it."""
    graph = hwflow.compile(MLP).graph
    layers = [
        simulate(graph, data, keep=lambda name: True).layers["fc2"].raw
        for data in (made_data(graph).inputs, {"x": np.load(MLP.with_name("digits.npz"))["x"]})
    ]
    assert layers[0][:, 23].any()
    assert not layers[1][:, 23].any()


def test_summits_are_channels_with_one_value_and_results_without_their_first_bit() -> None:
    graph = hwflow.compile(dense()).graph
    reach = Reach(graph)
    (port,) = graph.inputs
    x = graph.types[port.value]
    for step in computed(graph, np.zeros((4, *x.shape), np.int64)):
        reach.take(step)
    weighted = [n.name for n in graph.nodes if hasattr(n.op, "weight")]
    still = {(s.node, s.channel) for s in reach.summits()}
    assert {(n, c) for n in weighted for c in range(graph.types[n].channels)} <= still
    for step in computed(graph, np.random.default_rng(0).integers(x.lo, x.hi, (4096, *x.shape))):
        reach.take(step)
    assert len(reach.summits()) < len(still)
