"""Gradients of layers' results by the chain rule, as far as whole numbers have any.

A layer whose operands have the shape of its result is taken for elementwise, and its slope is that
of a chord. Of every other layer the response to one operand element at a time is worked out once:
exact for products, sums and moves; of a maximum it is every element that takes part. A result that
the cast clips passes nothing on, as with straight-through estimators (Bengio et al. 2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Node
from hwflow.ir.tensor import TensorType
from hwflow.simulate.coverage.step import Step

F64 = npt.NDArray[np.float64]

CHORD = 16
"""Parts of an operand's range that a chord spans two of."""


class Gradients:
    """The chain rule over a graph, backwards from any layers to the inputs."""

    def __init__(self, graph: Graph) -> None:
        """Take the graph; responses are worked out when they are first asked for."""
        self._graph = graph
        self._responses: dict[tuple[str, int], F64] = {}

    def at_inputs(self, steps: Sequence[Step], seeds: Mapping[str, F64]) -> dict[str, F64]:
        """Return how each sample's wanted sum grows with each mantissa of the inputs.

        Args:
            steps: the computation of a batch, in order.
            seeds: what is wanted of layers' exact results, by node name, shape
                ``(samples, elements)``; that a layer is flat or clips at the sample is
                overlooked here, so that there is a way out.

        Returns:
            By input node, shape ``(samples, elements)``.
        """
        wanted: dict[str, F64] = {}
        for step in reversed(steps):
            name, samples = step.node.name, len(step.value.raw)
            if not step.inputs:
                continue
            full = wanted.pop(name, np.zeros((samples, 1))) * _passed(step)
            for number, operand in enumerate(step.node.inputs):
                found = self._back(step, number, full, local=True)
                if name in seeds:
                    found = found + self._back(step, number, seeds[name], local=False)
                wanted[operand] = wanted.get(operand, 0.0) + found
        return wanted

    def _back(self, step: Step, number: int, full: F64, *, local: bool) -> F64:
        """Return what the gradient at a layer's exact result is at one of its operands."""
        if elementwise(self._graph, step.node):
            return np.asarray(full * self._chord(step, number, local=local))
        return np.asarray(full @ self._response(step.node, number).T)

    def _chord(self, step: Step, number: int, *, local: bool) -> F64:
        """Return the slope of an elementwise layer about each sample, or over the whole range."""
        types = self._graph.input_types(step.node)
        x, lo, hi = step.inputs[number].raw, types[number].lo, types[number].hi
        reach = np.maximum((hi - lo) // CHORD, 1) if local else hi - lo
        low, high = np.maximum(x - reach, lo), np.minimum(x + reach, hi)
        ends = []
        for raw in (low, high):
            operands = list(step.inputs)
            operands[number] = FixedArray(raw, types[number].dtype)
            ends.append(step.node.op.compute(*operands).raw)
        slope = (ends[1] - ends[0]) / np.maximum(high - low, 1)
        return np.asarray(slope).reshape(len(x), -1)

    def _response(self, node: Node, number: int) -> F64:
        """Return how each element of a result grows with each of an operand, ``(from, to)``."""
        key = node.name, number
        if key not in self._responses:
            types = self._graph.input_types(node)
            size = types[number].size
            operands = [_zeros(t, size + 1) for t in types]
            large = max(abs(bound) for bound in types[number].bounds) or 1
            single = large * np.eye(size + 1, size, dtype=np.int64)
            dtype = types[number].dtype
            operands[number] = FixedArray(single.reshape(operands[number].raw.shape), dtype)
            results = node.op.compute(*operands).raw.reshape(size + 1, -1)
            self._responses[key] = (results[:-1] - results[-1]) / large
        return self._responses[key]


def elementwise(graph: Graph, node: Node) -> bool:
    """Return whether a layer is taken to compute each element from those at its place."""
    if node.op.selects or getattr(node.op, "weight", None) is not None:
        return False
    return all(t.shape == graph.types[node.name].shape for t in graph.input_types(node))


def work(graph: Graph) -> int:
    """Return the products and results that all responses of a graph take, about."""
    total = 0
    for node in graph.nodes:
        if node.inputs and not elementwise(graph, node):
            result = graph.types[node.name]
            weight = getattr(node.op, "weight", None)
            each = weight.raw.size // result.channels if weight is not None else 1
            total += sum(t.size for t in graph.input_types(node)) * result.size * each
    return total


def _zeros(tensor: TensorType, count: int) -> FixedArray:
    return FixedArray(np.zeros((count, *tensor.shape), np.int64), tensor.dtype)


def _passed(step: Step) -> F64:
    """Return the factor of each exact result's cast; 0 where it is clipped."""
    power = step.value.dtype.fractional - step.full.dtype.fractional
    ideal = np.ldexp(step.full.raw.astype(np.float64), power)
    kept = np.abs(ideal - step.value.raw) < 1
    return np.asarray(np.ldexp(kept.astype(np.float64), power)).reshape(len(kept), -1)
