"""The golden model against the simulation: the file that is written, in stock ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.codegen.golden.model import golden_model
from hwflow.core.inference import open_session
from hwflow.ir.graph import Graph, Node
from hwflow.ops.shared.port_data import channels_last
from hwflow.simulate.numpy import Simulation
from hwflow.simulate.onnxruntime import port_feeds
from hwflow.verify.agreement import Agreement, Divergence
from hwflow.verify.comparison import compare

Array = npt.NDArray[Any]

BATCH = 1024
"""Samples run at once."""

LAYER_SAMPLES = 256
"""Samples whose layers are compared; outputs are for all."""


def check_golden(
    graph: Graph, content: bytes | None, data: Mapping[str, Array], simulation: Simulation
) -> Agreement | None:
    """Compare a golden model with the simulation, bit for bit.

    The outputs of the file are compared on all data. For the first samples the model runs again
    with every layer as an output, which tells where a difference arises.

    Args:
        graph: the hardware graph.
        content: the file, or None. Data that float32 does not hold needs another one, with the
            same layers and float64 inputs.
        data: arrays by input name of the original model.
        simulation: the simulation of the same data, with all layers kept.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    if content is None:
        return None
    feeds, double = port_feeds(graph, data)
    if double:
        content = golden_model(graph, double=True).SerializeToString()
    leaving = _run(content, feeds)
    names = [n.name for n in graph.nodes if n.name not in graph.output_values]
    model = golden_model(graph, layers=names, double=double)
    few = {name: array[:LAYER_SAMPLES] for name, array in feeds.items()}
    inside = _run(model.SerializeToString(), few)
    pairs = list(_pairs(graph, simulation, inside, leaving))
    agreement = compare(pairs, simulation.samples, _cause, _one)
    first = agreement.first
    return agreement if first is None else replace(agreement, first=_as_values(graph, first))


def _pairs(
    graph: Graph, simulation: Simulation, inside: Mapping[str, Array], leaving: Mapping[str, Array]
) -> Iterator[tuple[Node, Array, Array]]:
    """Yield the mantissas of each layer by the simulation, and by the golden model.

    Args:
        graph: the hardware graph.
        simulation: a simulation with all layers kept.
        inside: the model's layers that are no outputs, of the first samples.
        leaving: its outputs, of all samples.
    """
    for node in graph.nodes:
        raw = simulation.layers[node.name].raw
        layer = inside.get(f"layer/{node.name}")
        if layer is not None:
            yield node, raw[:LAYER_SAMPLES], layer
        for port in (p for p in graph.outputs if p.value == node.name):
            found = channels_last(leaving[port.name], port).reshape(raw.shape)
            if port.grid.plain:
                fractional = graph.types[node.name].dtype.fractional
                found = np.ldexp(found.astype(np.float64), fractional)
            yield node, raw, found


def _one(node: Node) -> float:
    """Return the step between two mantissas."""
    return 1.0


def _as_values(graph: Graph, first: Divergence) -> Divergence:
    """Return a difference between mantissas as one between the values that they stand for."""
    step = graph.types[first.layer].dtype.step
    found = None if first.found is None else first.found * step
    return replace(first, expected=first.expected * step, found=found)


def _run(content: bytes, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Return the outputs of a model with ONNX Runtime's default options, by name."""
    session = open_session(content)
    names = [output.name for output in session.get_outputs()]
    samples = len(next(iter(feeds.values())))
    parts = [
        session.run(names, {name: array[start : start + BATCH] for name, array in feeds.items()})
        for start in range(0, samples, BATCH)
    ]
    columns = zip(*parts, strict=True)
    return {name: np.concatenate(c) for name, c in zip(names, columns, strict=True)}


def _cause(node: Node, expected: float, found: float) -> str:
    """Return what a difference between mantissas looks like."""
    if found != np.rint(found):
        return "the golden model gives no whole number: a product or a sum is rounded"
    return f"{found - expected:g} steps apart: ONNX Runtime does not compute the function exactly"
