"""Pruned neurons cost what the network without them costs, in one pipeline; streams carry all."""

from dataclasses import replace

import numpy as np
import pytest

from hwflow.estimate.graph import estimate, node_cost
from hwflow.estimate.liveness import is_dataflow, used_channels
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.relu import Relu
from hwflow.ops.reshape import Reshape

PARALLEL = Target("Vivado", "io_parallel", "xc7z020clg400-1", 25.0)
STREAM = Target("Vivado", "io_stream", "xc7z020clg400-1", 25.0)
T = FixedType(16, 6)
AREA = ("lut", "ff", "dsp", "lut_synth", "ff_synth")


def mlp(first: RawArray, bias: RawArray, second: RawArray, **settings: object) -> Graph:
    def dense(weight: RawArray, offsets: RawArray) -> Dense:
        return Dense(
            weight=FixedArray(weight, T), bias=FixedArray(offsets, T), accum_t=T, result_t=T,
            **settings,  # type: ignore[arg-type]
        )  # fmt: skip

    nodes = [
        Node("x", Input(shape=(len(first),), dtype=T)),
        Node("fc1", dense(first, bias), ("x",)),
        Node("relu", Relu(result_t=T), ("fc1",)),
        Node("fc2", dense(second, np.ones(second.shape[1], np.int64)), ("relu",)),
    ]
    return Graph.build("net", nodes, [Port("x", "x", (1,))], [Port("fc2", "y", (1,))])


def weights() -> tuple[RawArray, RawArray, RawArray]:
    rng = np.random.default_rng(3)
    first, second = rng.integers(300, 1000, (4, 12)), rng.integers(300, 1000, (12, 3))
    return first, rng.integers(1, 50, 12), second


def test_a_neuron_that_nothing_reads_costs_nothing() -> None:
    first, bias, second = weights()
    unread = second.copy()
    unread[[1, 5, 7]] = 0
    keep = [i for i in range(12) if i not in (1, 5, 7)]
    smaller = estimate(mlp(first[:, keep], bias[keep], second[keep]), PARALLEL).total
    pruned = estimate(mlp(first, bias, unread), PARALLEL).total
    for figure in AREA:
        assert getattr(pruned, figure).value == pytest.approx(getattr(smaller, figure).value)
    whole = estimate(mlp(first, bias, second), PARALLEL).total
    assert all(getattr(pruned, f).value < 0.9 * getattr(whole, f).value for f in AREA)


def test_a_neuron_without_inputs_is_a_constant() -> None:
    first, bias, second = weights()
    constant = first.copy()
    constant[:, [2, 9]] = 0
    keep = [i for i in range(12) if i not in (2, 9)]
    smaller = estimate(mlp(first[:, keep], bias[keep], second[keep]), PARALLEL).total
    pruned = estimate(mlp(constant, bias, second), PARALLEL).total
    for figure in ("dsp", "ff"):
        assert getattr(pruned, figure).value == getattr(smaller, figure).value
    relu = mlp(constant, bias, second).types["relu"]
    assert (relu.lo == relu.hi).nonzero()[0].tolist() == [2, 9]


def test_streams_and_stages_carry_what_nothing_reads() -> None:
    first, bias, second = weights()
    unread = second.copy()
    unread[0] = 0
    graph, whole = mlp(first, bias, unread), mlp(first, bias, second)
    assert used_channels(graph, "relu").tolist() == [False] + [True] * 11
    assert node_cost(graph, graph.nodes[2], STREAM) == node_cost(whole, whole.nodes[2], STREAM)
    stored = mlp(first, bias, unread, strategy="resource", reuse_factor=2)
    assert is_dataflow(stored)
    assert not is_dataflow(graph)
    cost = node_cost(stored, stored.nodes[2], PARALLEL)
    whole = mlp(first, bias, second, strategy="resource", reuse_factor=2)
    assert cost == node_cost(whole, whole.nodes[2], PARALLEL)


def test_a_layer_with_reuse_keeps_the_multipliers_that_hls4ml_allows_it() -> None:
    first, bias, second = weights()
    unread = second.copy()
    unread[[1, 5, 7]] = 0
    shared = mlp(first, bias, unread, reuse_factor=4)
    cost = node_cost(shared, shared.nodes[1], PARALLEL)
    assert cost.dsp.value == 48 / 4  # of all weights, though a quarter of them is not built
    whole = mlp(first, bias, second, reuse_factor=4)
    assert (
        cost.latency_cycles.value < node_cost(whole, whole.nodes[1], PARALLEL).latency_cycles.value
    )


def test_what_another_layer_takes_apart_is_all_read() -> None:
    nodes = [
        Node("x", Input(shape=(2, 2), dtype=T)),
        Node("relu", Relu(), ("x",)),
        Node("flat", Reshape(shape=(4,)), ("relu",)),
    ]
    graph = Graph.build("net", nodes, [Port("x", "x", (1, 2))], [Port("flat", "y", (1,))])
    assert used_channels(graph, "relu").all()


@pytest.mark.parametrize("overflow", [Overflow.WRAP, Overflow.SAT_ZERO])
def test_a_cast_knows_constant_channels_and_those_that_stay(overflow: Overflow) -> None:
    lo, hi = np.array([900, -3, -4000]), np.array([900, 5, 4000])
    x = TensorType((3,), FixedType(14, 14), lo, hi)
    to = FixedType(6, 6, True, Rounding.TRN, overflow)
    found = x.cast(to)
    for channel in range(3):
        values = FixedArray(np.arange(lo[channel], hi[channel] + 1), x.dtype).cast(to).raw
        assert (found.lo[channel], found.hi[channel]) == (values.min(), values.max())
    assert replace(found).dtype == to
