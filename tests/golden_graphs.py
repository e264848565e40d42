"""Graphs of single operators, and the comparison of every engine with the simulation."""

from __future__ import annotations

import numpy as np
import torch

from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.simulate.numpy import simulate
from hwflow.simulate.onnxruntime import GoldenEngine
from hwflow.simulate.torch.engine import TorchEngine

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
"""What torch computes on, on this machine."""


def plain(name: str, tensor: TensorType) -> Port:
    return Port(name, name, tuple(range(1, len(tensor.shape) + 1)))


def graph_of(op: Op, *inputs: TensorType) -> Graph:
    nodes = [
        Node(f"in{i}", Input(shape=t.shape, dtype=t.dtype)) for i, t in enumerate(inputs)
    ]  # fmt: skip
    ports = [plain(n.name, t) for n, t in zip(nodes, inputs, strict=True)]
    nodes.append(Node("y", op, tuple(n.name for n in nodes)))
    bare = Graph.build("graph", nodes, ports, ())
    return Graph.build("graph", nodes, ports, [plain("y", bare.types["y"])])


def random_values(tensors: tuple[TensorType, ...], samples: int = 48) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {}
    for i, t in enumerate(tensors):
        raw = rng.integers(t.lo, t.hi, (samples, *t.shape), endpoint=True)
        raw[0], raw[1] = t.lo, t.hi
        found[f"in{i}"] = np.ldexp(raw.astype(np.float64), -t.dtype.fractional)
    return found


def assert_same_bits(graph: Graph, data: dict[str, np.ndarray]) -> None:
    """Compare ONNX Runtime, and torch on all devices, with the simulation in every layer."""
    names = [node.name for node in graph.nodes]
    simulation = simulate(graph, data, keep=lambda name: True)
    engines = [GoldenEngine(graph, layers=names, threads=1)]
    engines += [TorchEngine(graph, layers=names, device=d, threads=1) for d in DEVICES]
    for engine in engines:
        found = engine.run(data)
        title = type(engine).__name__
        assert found.keys() == {*(f"layer/{n}" for n in names), *(p.name for p in graph.outputs)}
        for name in names:
            mantissas = found[f"layer/{name}"]
            expected = simulation.layers[name].raw
            np.testing.assert_array_equal(mantissas, expected, err_msg=f"{title}: {name}")
        for port in graph.outputs:
            assert found[port.name].dtype == np.float64
            np.testing.assert_array_equal(
                found[port.name], simulation.outputs[port.name], err_msg=f"{title}: {port.name}"
            )
