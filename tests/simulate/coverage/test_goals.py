"""Coverage of whole networks: by sample, in aggregate, and against a recount from the values."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.ir.graph import Graph
from hwflow.ir.pieces import Kind
from hwflow.ops.input import Input
from hwflow.project.design import Design
from hwflow.simulate.coverage.goals import PARTS, Goals
from hwflow.simulate.coverage.meter import Meter
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.numpy import goals_reached, simulate
from hwflow.simulate.samples import mixed_data
from tests.fixtures import model
from tests.fuzz import KINDS
from tests.networks import Builder
from tests.ops.random_graphs import port_data, random_graph

EXAMPLES = ["digits_mlp.onnx", "digits_cnn.onnx", "digits_residual.onnx"]


@pytest.fixture(scope="module", params=EXAMPLES)
def design(request: pytest.FixtureRequest) -> Design:
    return hwflow.compile(Path("examples") / request.param)


def test_samples_together_reach_what_the_aggregate_says(design: Design) -> None:
    goals = Goals.of(design.graph)
    data = mixed_data(design.graph, 60, seed=3).inputs
    meter = Meter(goals)
    simulate(design.graph, data, see=meter.see)
    by_sample = goals_reached(design.graph, goals, data)
    assert by_sample.shape == (60, goals.count)
    assert np.array_equal(by_sample.any(axis=0), meter.bits)
    one = {name: array[17:18] for name, array in data.items()}
    assert np.array_equal(goals_reached(design.graph, goals, one)[0], by_sample[17])
    assert meter.coverage.total.possible == goals.count
    assert meter.coverage.total.reached == meter.bits.sum()


def test_parts_of_ranges_and_casts_are_those_of_the_values(design: Design) -> None:
    data = mixed_data(design.graph, 60, seed=3).inputs
    meter = Meter(Goals.of(design.graph))
    found = simulate(design.graph, data, keep=lambda name: True, see=meter.see)
    for layer in meter.coverage.layers:
        value = design.graph.types[layer.name]
        raw = found.layers[layer.name].raw.reshape(-1, value.channels)
        reached = possible = 0
        for channel, (lo, hi) in enumerate(zip(value.lo.tolist(), value.hi.tolist(), strict=True)):
            size = hi - lo + 1
            parts = min(size, PARTS) if size > 1 else 0
            possible += parts
            own = raw[:, channel].tolist()
            reached += len({(n - lo) * parts // size for n in own}) if parts else 0
        assert layer.of(Kind.RANGE).possible <= possible
        assert layer.of(Kind.RANGE).reached == reached
        counters = found.counters[layer.name]
        if design.graph.by_name[layer.name].op.kind != "Input":
            assert layer.of(Kind.HIGH).reached == min(counters.saturated_high, 1)
            assert layer.of(Kind.LOW).reached == min(counters.saturated_low, 1)


def coverage_of(design: Design, data: np.ndarray) -> Coverage:  # type: ignore[type-arg]
    meter = Meter(Goals.of(design.graph))
    simulate(design.graph, {"x": data}, see=meter.see)
    return meter.coverage


def test_a_goal_that_the_range_rules_out_is_none() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 3, 1 / 4, signed=False)  # from 0 to 7/4
    x = b.node("Add", [x, b.constant([0.5])])
    x = b.quant(b.node("Relu", [x]), 3, 1 / 2, signed=False)  # no more than 3.5
    design = hwflow.compile(model(b, x, (1, 1), (1, 1)))
    every = coverage_of(design, np.arange(-2, 10, dtype=np.float32)[:, None] / 4)
    assert every.total.missed == 0
    assert every.of(Kind.ROUNDING).possible == 1
    assert every.of(Kind.LOW).possible == every.of(Kind.HIGH).possible == 0
    few = coverage_of(design, np.zeros((4, 1), np.float32))
    assert few.of(Kind.ROUNDING).reached == 0
    assert 0 < few.total.share < 0.5


def test_a_bipolar_value_has_two_levels() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 4, 1 / 4, signed=True)
    operands = [x, b.constant(1.0)]
    x = b.node("BipolarQuant", operands, "qonnx.custom_op.general")
    x = b.node("MaxPool", [x], kernel_shape=(1,))
    x = b.node("Flatten", [x], axis=1)
    x = b.node("MatMul", [x, b.weight((4, 2), 2, 1.0)])
    design = hwflow.compile(model(b, x, (1, 2, 2), (1, 2)))
    found = coverage_of(design, np.random.default_rng(0).uniform(-2, 2, (50, 2, 2)))
    for layer in found.layers:
        operator = design.graph.by_name[layer.name].op.kind
        if operator in ("Bipolar", "MaxPool"):
            assert layer.of(Kind.RANGE).missed == 0
            assert layer.of(Kind.RANGE).possible == 4


def assert_consistent(graph: Graph, data: Mapping[str, np.ndarray]) -> None:  # type: ignore[type-arg]
    """Hold what is reached of clips against what is counted of them."""
    meter = Meter(Goals.of(graph))
    found = simulate(graph, data, see=meter.see)
    for layer in meter.coverage.layers:
        counters = found.counters[layer.name]
        assert counters.saturated + counters.wrapped <= counters.elements
        if isinstance(graph.by_name[layer.name].op, Input) or counters.wrapped:
            continue  # a value that wraps is not counted as clipped, too
        assert layer.of(Kind.LOW).reached > 0 or not counters.saturated_low
        assert layer.of(Kind.HIGH).reached > 0 or not counters.saturated_high
        assert counters.saturated_low > 0 or not layer.of(Kind.LOW).reached
        assert counters.saturated_high > 0 or not layer.of(Kind.HIGH).reached


@pytest.mark.parametrize("kind", ["pow2", "float", "mixed"])
def test_random_networks_clip_where_they_say(kind: str) -> None:
    for seed in range(5):
        try:
            graph = hwflow.compile(KINDS[kind](seed)).graph
        except CompileError:
            continue
        assert_consistent(graph, mixed_data(graph, 40).inputs)


def test_random_graphs_clip_where_they_say() -> None:
    for seed in range(40):
        graph = random_graph(seed)
        assert_consistent(graph, port_data(graph, 40, seed))
