"""The XNOR kernel in compiled C++: random sizes, signs, magnitudes and results."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwflow.codegen.hls.model import generate
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op, Target
from hwflow.ops.bipolar import Bipolar
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.passes.graph.choose_xnor import choose_xnor
from hwflow.simulate import cpp
from hwflow.simulate.samples import mixed_data
from tests.cppsim import compare_with_cpp
from tests.ops.random_ops import castable, random_result

Rng = np.random.Generator
LAYERS = 10
SIZES = (1, 2, 5, 6, 7, 12, 13, 36, 37, 70)
"""Around the multiples of six, at which the kernel divides a count."""


def constants(rng: Rng, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return weights of one magnitude for each output, some with zeros, and a bias."""
    levels = ([-1, 1], [-1, 0, 1], [-1, -1])[int(rng.integers(3))]
    magnitudes = 2.0 ** rng.integers(-3, 3, shape[-1])
    bias = rng.integers(-8, 9, shape[-1]) / 4.0 * rng.integers(2)
    return {
        "weight": FixedArray.exactly(rng.choice(levels, shape) * magnitudes),
        "bias": FixedArray.exactly(bias),
    }


def random_layer(rng: Rng, target: Target) -> tuple[Op, tuple[int, ...]]:
    """Return a layer that must be XNORs, and the shape of its input."""
    settings: dict[str, Any] = {"product": "xnor", "result_t": random_result(rng)}
    n_in, n_out = int(rng.choice(SIZES)), int(rng.integers(1, 5))
    rank = int(rng.integers(3))
    if rank == 0:
        outer = tuple(int(n) for n in rng.integers(1, 4, rng.choice([0, 0, 1, 2])))
        return Dense(**constants(rng, (n_in, n_out)), **settings), (*outer, n_in)
    kernel = tuple(int(k) for k in rng.integers(1, 4, rank))
    strides = tuple(int(s) for s in rng.integers(1, 3, rank))
    size = tuple(int(k + n) for k, n in zip(kernel, rng.integers(0, 4, rank), strict=True))
    channels = int(rng.integers(1, 6))
    layer = (Conv1D, Conv2D)[rank - 1](
        **constants(rng, (*kernel, channels, n_out)), strides=strides,
        pads=((0, 0),) * rank, **settings,
    )  # fmt: skip
    positions = int(np.prod(layer.window((*size, channels)).out))
    if not target.streams and rng.integers(2):
        layer = replace(layer, parallelization_factor=positions)
    return layer, (*size, channels)


def random_graph(seed: int, target: Target) -> Graph:
    """Return random layers behind random signs, side by side."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = []
    inputs: list[Port] = []
    outputs: list[Port] = []
    while len(outputs) < LAYERS:
        op, shape = random_layer(rng, target)
        number = len(outputs)
        level = FixedArray.exactly(np.array(2.0 ** rng.integers(-3, 4)))
        branch = [
            Node(f"x{number}", Input(shape=shape, dtype=FixedType(3, 2))),
            Node(f"sign{number}", Bipolar(level=level), (f"x{number}",)),
            Node(f"layer{number}", op, (f"sign{number}",)),
        ]
        chosen = choose_xnor(Graph.build("one", branch, [], []), target)
        layer, sign = chosen.nodes[-1].op, chosen.types[f"sign{number}"]
        if not castable(layer, (sign,)) or list(layer.check(target, sign)):
            continue  # such as vertical strides that hls4ml does not stream
        nodes += chosen.nodes
        inputs.append(_port(f"x{number}", shape))
        outputs.append(_port(f"layer{number}", chosen.types[f"layer{number}"].shape))
    return Graph.build("layers", nodes, inputs, outputs)


def _port(name: str, shape: tuple[int, ...]) -> Port:
    return Port(name, name, tuple(range(1, len(shape) + 1)))


def agree(seed: int, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpp, "FLAGS", ("-std=c++17", "-O0", "-w", "-fmax-errors=5"))
    graph = random_graph(seed, target)
    found = compare_with_cpp(graph, target, mixed_data(graph, 60).inputs)
    assert [(m.name, m.mismatches) for m in found.layers if m.mismatches] == []
    assert len(found.layers) == 2 * LAYERS


@pytest.mark.cpp
@pytest.mark.parametrize(
    "io_type", ["io_parallel", pytest.param("io_stream", marks=pytest.mark.slow)]
)
def test_random_layers_compute_the_same_in_cpp(
    io_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(1, Target(io_type=io_type), monkeypatch)


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 16))
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_many_random_layers_compute_the_same_in_cpp(
    backend: str, io_type: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(seed, Target(backend, io_type), monkeypatch)


@pytest.mark.cpp
def test_the_generated_code_counts() -> None:
    for io_type in ("io_parallel", "io_stream"):
        files = generate(random_graph(1, Target(io_type=io_type)), Target(io_type=io_type)).files
        assert files["firmware/parameters.h"].count(b"nnet::DenseXnor<") == LAYERS
        assert b"nnet::DenseLatency<" not in files["firmware/parameters.h"]
        assert b"dense_xnor<" in files["firmware/layers.cpp"]
        assert (b"conv_xnor<" in files["firmware/layers.cpp"]) == (io_type == "io_parallel")
        assert b"popcount" in files["firmware/nnet_utils/nnet_xnor.h"].lower()
