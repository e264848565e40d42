"""The hardware against the trained model: who judges, and what float32 execution makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.ir.graph import Graph, Node
from hwflow.port_data import real_values
from hwflow.simulate import Simulation
from hwflow.verify import Agreement, Cause, Float32Match, compare


@dataclass(frozen=True, eq=False)
class ModelValues:
    """What the trained model gives for the data as the input ports round it.

    Attributes:
        float32: values by ONNX value name as ONNX Runtime computes them, batch first, ONNX axes.
        exact: the same in exact arithmetic, each rounded once to float64; None where it has none.
        quantized: names of the values that a quantiser gives.
        float32_only: why there are no exact values, or empty.
    """

    float32: Mapping[str, npt.NDArray[Any]]
    exact: Mapping[str, npt.NDArray[Any]] | None
    quantized: Set[str] = frozenset()
    float32_only: str = ""


def check_lossless(graph: Graph, simulation: Simulation, model: ModelValues) -> Agreement:
    """Compare the hardware's values with the trained model's own, at quantisers and outputs.

    The judge is exact arithmetic: every value of the hardware must be the exact result, both
    rounded once to float64. Where the model has no exact evaluation, float32 execution is the judge
    and the hardware's values are rounded to float32 as well. What the rounding of the input ports
    costs is part of the error against the float reference.

    Args:
        graph: the hardware graph.
        simulation: with all layers kept.
        model: what the trained model gives for the same data.
    """
    judge = model.float32 if model.exact is None else model.exact
    pairs = []
    for node in graph.nodes:
        source = node.source
        if source is not None and source.name in judge:
            ours = real_values(simulation.layers[node.name], source)
            if model.exact is None:
                ours = ours.astype(np.float32).astype(np.float64)
            expected = np.asarray(judge[source.name], np.float64).reshape(ours.shape)
            pairs.append((node, expected, ours))
    cause = _model_cause(graph, simulation, exact=model.exact is not None)
    agreement = compare(pairs, simulation.samples, cause)
    if model.exact is None:
        return replace(agreement, float32_only=model.float32_only)
    return _with_float32(agreement, graph, model, model.exact)


def _with_float32(
    agreement: Agreement, graph: Graph, model: ModelValues, exact: Mapping[str, npt.NDArray[Any]]
) -> Agreement:
    """Return an agreement with the count of what float32 execution of the model rounds otherwise.

    A float32 number agrees with an exact one that rounds to it: levels times scales that are not
    powers of two are rounded once.
    """
    layers, first = [], ""
    elements, differing = {True: 0, False: 0}, {True: 0, False: 0}
    for layer in agreement.layers:
        source = graph.by_name[layer.name].source
        assert source is not None  # only such layers are compared
        nearest = np.asarray(exact[source.name]).astype(np.float32)
        float32 = np.asarray(model.float32[source.name]).astype(np.float32)
        differs = int((nearest != float32.reshape(nearest.shape)).sum())
        layers.append(replace(layer, float32_differs=differs))
        quantized = source.name in model.quantized
        elements[quantized] += layer.elements
        differing[quantized] += differs
        if quantized and differs and not first:
            first = layer.origin or layer.name
    match = Float32Match(elements[True], differing[True], first, elements[False], differing[False])
    return replace(agreement, layers=tuple(layers), float32=match)


def _model_cause(graph: Graph, simulation: Simulation, *, exact: bool) -> Cause:
    def cause(node: Node, expected: float, found: float) -> str:
        counters = simulation.counters[node.name]
        assert node.source is not None  # only such layers are compared
        step = node.source.grid.step(graph.types[node.name].dtype)
        if node.op.approximate:
            return node.op.approximate
        if counters.wrapped:
            return f"{counters.wrapped} values of this layer wrapped around"
        if abs(found - expected) == step and counters.near_ties:
            return f"rounding tie: {counters.near_ties} values lie next to a rounding boundary"
        if exact:
            return "a setting changes the layer, or one of its constants is rounded"
        return (
            "the reference's float32 arithmetic rounds differently, or a setting changes the layer"
        )

    return cause
