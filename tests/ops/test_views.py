"""Reshapes between layers, and of inputs into outputs: views where possible, copies elsewhere."""

import numpy as np
import pytest

from hwflow.codegen.hls.layers import layers_of
from hwflow.codegen.hls.model import generate
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.reshape import Reshape
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.ops.transpose import Transpose
from hwflow.simulate import cpp
from hwflow.simulate.numpy import simulate

X = FixedType(5, 2)


def dense(n_in: int, n_out: int) -> Dense:
    rng = np.random.default_rng(n_in)
    return Dense(
        weight=FixedArray(rng.integers(-8, 8, (n_in, n_out)), FixedType(4, 1)),
        bias=FixedArray(rng.integers(-8, 8, n_out), FixedType(4, 1)),
    )


def network() -> Graph:
    """Return reshapes before dense layers, pooling, reshapes, several readers and outputs."""
    pool = MaxPool(kernel=(2, 2), strides=(2, 2), pads=((0, 0), (0, 0)))
    line = MaxPool(kernel=(2,), strides=(2,), pads=((0, 0),))
    nodes = [
        Node("x", Input(shape=(4, 6, 2), dtype=X)),
        Node("pool", pool, ("x",)),
        Node("flat", Reshape(shape=(12,)), ("pool",)),
        Node("fc", dense(12, 6), ("flat",)),
        Node("rows", Reshape(shape=(3, 2)), ("fc",)),
        Node("line", line, ("rows",)),
        Node("twice", Reshape(shape=(2, 1)), ("line",)),
        Node("again", Reshape(shape=(1, 2)), ("twice",)),
        Node("turned", Transpose(perm=(1, 0)), ("again",)),
        Node("y", Input(shape=(3, 4), dtype=X)),
        Node("through", Reshape(shape=(12,)), ("y",)),
        Node("shared", Reshape(shape=(12,)), ("y",)),
        Node("fc_a", dense(12, 2), ("shared",)),
        Node("fc_b", dense(12, 3), ("shared",)),
    ]
    outputs = ["again", "turned", "through", "fc_a", "fc_b", "fc"]
    graph = Graph.build("views", nodes, [Port("x", "x", (1, 2, 3)), Port("y", "y", (1, 2))], [])
    axes = {n: tuple(range(1, len(graph.types[n].shape) + 1)) for n in outputs}
    return graph.rebuild(nodes, outputs=[Port(n, n, axes[n]) for n in outputs])


@pytest.mark.cpp
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_reshapes_in_a_network(io_type: str) -> None:
    graph, target = network(), Target(io_type=io_type)
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=(20, 4, 6, 2)), "y": rng.normal(size=(20, 3, 4))}
    simulated = simulate(graph, data, keep=lambda name: True)
    built = cpp.build(graph, generate(graph, target), target)
    compiled = built.run(prepare_inputs(graph, data)).layers
    wrong = {n: int((v != simulated.layers[n].values).sum()) for n, v in compiled.items()}
    assert wrong == dict.fromkeys(wrong, 0)
    assert graph.output_values <= set(compiled)


@pytest.mark.parametrize(
    ("io_type", "views"),
    [("io_parallel", {"flat", "rows", "twice", "shared"}), ("io_stream", {"flat"})],
)
def test_which_reshapes_cost_nothing(io_type: str, views: set[str]) -> None:
    graph, target = network(), Target(io_type=io_type)
    found = {
        node.name
        for node in graph.nodes
        if layers_of(graph, node, target)[-1].layer.class_name == "Reshape"
    }
    assert found == views
