"""Comparisons of two computations, value by value: what differs, where first, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.ir.graph import Graph, Node
from hwflow.ops.shared.port_data import FloatArray, prepare_inputs
from hwflow.simulate.cpp import Csim
from hwflow.simulate.numpy import Simulation, simulate
from hwflow.verify.agreement import Agreement, Divergence, LayerMatch

Cause = Callable[[Node, float, float], str]
"""Says what a difference looks like, from the layer, the expected and the found value."""

Step = Callable[[Node], float]
"""Gives the smallest distance between two values of a layer."""


def check_faithful(
    graph: Graph,
    csim: Csim,
    data: Mapping[str, npt.NDArray[Any]],
    simulation: Simulation,
    reproducer: Path | None = None,
) -> Agreement:
    """Compare every layer of a simulation with the compiled C++, bit for bit.

    Args:
        graph: the hardware graph.
        csim: its project, compiled.
        data: arrays by input name of the original model.
        simulation: the simulation of the same data, with all layers kept.
        reproducer: where to save the offending sample if there is one.

    Raises:
        ToolError: the C++ crashed or took too long.
    """
    arrays = prepare_inputs(graph, data)
    found = csim.run(arrays).layers
    pairs = [
        (node, simulation.layers[node.name].values, found[node.name])
        for node in graph.nodes
        if node.name in found
    ]
    agreement = compare(pairs, simulation.samples, _cpp_cause(graph), type_step(graph))
    if agreement.first is None or reproducer is None:
        return agreement
    saved = _save_reproducer(
        graph, agreement.first, inputs=arrays, simulation=simulation, found=found, path=reproducer
    )
    return replace(agreement, first=replace(agreement.first, reproducer=saved))


def compare(
    pairs: Sequence[tuple[Node, npt.NDArray[Any], npt.NDArray[Any]]],
    samples: int,
    cause: Cause,
    step: Step,
) -> Agreement:
    """Compare values layer by layer.

    Args:
        pairs: for each layer, in order, what is expected and what was found, of the same shape.
        samples: size of the batch.
        cause: says what a difference looks like, from the layer and both values.
        step: gives the smallest distance between two values of a layer.
    """
    layers: list[LayerMatch] = []
    first: Divergence | None = None
    for node, expected, found in pairs:
        differs = expected != found
        count = int(differs.sum())
        layers.append(LayerMatch(node.name, node.origin, int(differs.size), count))
        if count and first is None:
            index = tuple(int(i) for i in np.argwhere(differs)[0])
            ends = float(expected[index]), float(found[index])
            first = divergence(node, index, *ends, step=step(node), cause=cause(node, *ends))
    return Agreement(holds=first is None, samples=samples, layers=tuple(layers), first=first)


def divergence(
    node: Node, index: tuple[int, ...], expected: float, found: float, *, step: float, cause: str
) -> Divergence:
    """Return the record of a difference.

    Args:
        node: the layer.
        index: index of the element.
        expected: what it should be.
        found: what it is; may be no finite number.
        step: smallest distance between two values of the layer.
        cause: what the difference looks like.
    """
    finite = bool(np.isfinite(found))
    return Divergence(
        layer=node.name,
        origin=node.origin,
        index=index,
        expected=expected,
        found=found if finite else None,
        steps=(found - expected) / step if finite else None,
        cause=cause,
        reproducer="",
    )


def type_step(graph: Graph) -> Step:
    """Return what gives the step of a layer's type."""
    return lambda node: graph.types[node.name].dtype.step


def _cpp_cause(graph: Graph) -> Cause:
    def cause(node: Node, expected: float, found: float) -> str:
        dtype = graph.types[node.name].dtype
        steps = (found - expected) / dtype.step
        if not np.isfinite(found):
            return "the C++ gives no number: uninitialised memory or a crash inside the layer"
        if abs(steps) == 1:
            return "one step apart: rounding differs"
        if abs(steps) >= 2 ** (dtype.width - 1):
            return "apart by the type's range: overflow differs (wrap against saturation)"
        if found == 0 and expected != 0:
            return "the C++ gives 0: a weight, a bias or an input is not read"
        return f"{steps:g} steps apart: the layer's arithmetic or its weights differ"

    return cause


def _save_reproducer(
    graph: Graph,
    first: Divergence,
    *,
    inputs: Mapping[str, FloatArray],
    simulation: Simulation,
    found: Mapping[str, FloatArray],
    path: Path,
) -> str:
    """Save the one sample that differs: the inputs, and the layer's operands and both results."""
    sample = first.index[0]
    operands = graph.by_name[first.layer].inputs
    content: dict[str, npt.NDArray[Any]] = {
        f"input/{port.name}": inputs[port.value][sample : sample + 1] for port in graph.inputs
    }
    content |= {f"operand/{n}": simulation.layers[n].values[sample : sample + 1] for n in operands}
    content["expected"] = simulation.layers[first.layer].values[sample : sample + 1]
    content["found"] = found[first.layer][sample : sample + 1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **content)  # type: ignore[arg-type]
    except OSError as error:  # the finding matters more than its file
        return f"not saved: {path}: {error.strerror}"
    return str(path)


def full_simulation(
    graph: Graph, data: Mapping[str, npt.NDArray[Any]], **options: Any
) -> Simulation:
    """Return a simulation that keeps every layer's values."""
    return simulate(graph, data, keep=lambda name: True, **options)
