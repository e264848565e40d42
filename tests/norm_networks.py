"""Random networks with normalisations by a sample's own statistics: seeded, scales of any kind."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from hwflow.ops.layer_norm import LayerNorm
from hwflow.project.design import Design
from hwflow.simulate.samples import mixed_data
from tests.floats import FloatBuilder
from tests.networks import DOMAIN

EPSILONS = (0.0, 1e-12, 1e-6, 1e-5, 1e-3, 0.1)
WRITTEN = ("Div", "Reciprocal", "Pow")


class NormBuilder(FloatBuilder):
    """A builder that appends normalisations in any form."""

    def factors(self, shape: tuple[int, ...], low: float) -> str:
        drawn = self.rng.uniform(low, 2, shape)
        return self.constant(np.round(drawn * 16) / 16 if self.rng.integers(2) else drawn)

    def norm(self, x: str, shape: tuple[int, ...]) -> str:
        """Append one over the last axis, or over several."""
        first = int(self.rng.integers(1, len(shape)))
        first = len(shape) - 1 if self.rng.integers(3) else first
        sizes = shape[first:]
        epsilon = float(self.rng.choice(EPSILONS))
        centred = bool(self.rng.integers(2))
        scale, bias = self.factors(sizes, 0.1), self.factors(sizes, -1)
        if self.rng.integers(3) == 0 and epsilon:
            y = self.written(x, range(first, len(shape)), epsilon, centred=centred)
            return self.node("Add", [self.node("Mul", [y, scale]), bias])
        if not centred:
            return self.node("RMSNormalization", [x, scale], axis=first, epsilon=epsilon)
        inputs = [x, scale, *([bias] if self.rng.integers(2) else [])]
        return self.node("LayerNormalization", inputs, axis=first, epsilon=epsilon)

    def written(self, x: str, axes: range, epsilon: float, *, centred: bool) -> str:
        """Append what exporters write in its place."""
        along = self.constant(list(axes), np.int64)
        gap = self.node("Sub", [x, self.node("ReduceMean", [x, along])]) if centred else x
        squared = self.rng.integers(2)
        square = (
            self.node("Mul", [gap, gap]) if squared else self.node("Pow", [gap, self.constant(2.0)])
        )
        spread = self.node("ReduceMean", [square, along])
        spread = self.node("Add", [spread, self.constant(epsilon)])
        how = str(self.rng.choice(WRITTEN))
        if how == "Pow":
            return self.node("Mul", [gap, self.node("Pow", [spread, self.constant(-0.5)])])
        root = self.node("Sqrt", [spread])
        if how == "Reciprocal":
            return self.node("Mul", [self.node("Reciprocal", [root]), gap])
        return self.node("Div", [gap, root])

    def of_channels(self, x: str, channels: int) -> str:
        """Append one of ONNX's normalisations of images."""
        constants = [self.factors((channels,), 0.1), self.factors((channels,), -1)]
        epsilon = float(self.rng.choice(EPSILONS[1:]))
        if self.rng.integers(2):
            return self.node("InstanceNormalization", [x, *constants], epsilon=epsilon)
        groups = int(self.rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        return self.node("GroupNormalization", [x, *constants], num_groups=groups, epsilon=epsilon)


def norm_network(seed: int) -> onnx.ModelProto:
    """Return a random network with one or two normalisations; a seed gives the same always."""
    b = NormBuilder(np.random.default_rng(seed), scales="mixed")
    rank = int(b.rng.integers(1, 4))
    shape = whole = (1, *(int(n) for n in b.rng.integers(2, 6, rank)))
    x = b.activation("x", signed=bool(b.rng.integers(2)), zero=False)
    if rank == 3 and b.rng.integers(2):
        y = b.of_channels(x, shape[1])
    else:
        y = b.norm(x, shape)
    if b.rng.integers(4):
        y = b.activation(y)
        if b.rng.integers(2):
            size = int(b.rng.integers(2, 6))
            y = b.node("MatMul", [y, b.float_weight((shape[-1], size), 1)])
            y, shape = b.activation(y), (*shape[:-1], size)
        if b.rng.integers(2):
            y = b.norm(y, shape)
    info = helper.make_tensor_value_info
    ports = [info("x", TensorProto.FLOAT, whole)], [info(y, TensorProto.FLOAT, None)]
    graph = helper.make_graph(b.nodes, f"norm{seed}", *ports, b.tensors)
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def beyond_bounds(design: Design, seed: int, samples: int) -> list[str]:
    """Return the normalisations whose results are farther from the real numbers than proven.

    Each is judged in float64 by the integers that reach it.
    """
    graph, found = design.graph, []
    data = mixed_data(graph, samples, seed)
    kept = design.simulate(data.inputs, keep_layers=True).layers
    for node in graph.nodes:
        if not isinstance(node.op, LayerNorm) or node.op.result_t is not None:
            continue
        x, y = (kept[name].values for name in (node.inputs[0], node.name))
        gaps = x - x.mean(axis=-1, keepdims=True) if node.op.centred else x
        spread = np.square(gaps).mean(axis=-1, keepdims=True) + node.op.epsilon
        real = gaps / np.sqrt(np.where(spread == 0, 1, spread))
        bound = node.op.inexact(*graph.input_types(node)).bound
        assert bound is not None
        if (far := float(np.abs(y - real).max())) > bound * (1 + 1e-9):
            found.append(f"{node.name}: {far} instead of {bound}")
    return found
