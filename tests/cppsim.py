"""Several designs in one C++ build: a build costs seconds whatever is in it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hwflow.codegen.hls.model import generate
from hwflow.ir.graph import Graph, Port
from hwflow.ir.op import Target
from hwflow.simulate import cpp
from hwflow.testing.operators.cases import QUICK_FLAGS
from hwflow.verify import comparison
from hwflow.verify.agreement import Agreement


def merged(graphs: Mapping[str, Graph]) -> Graph:
    """Return the graphs side by side as one, each name behind its graph's key."""
    nodes, inputs, outputs = [], [], []
    for key, graph in graphs.items():
        nodes += [
            replace(n, name=f"{key}_{n.name}", inputs=tuple(f"{key}_{i}" for i in n.inputs))
            for n in graph.nodes
        ]
        inputs += [_moved(p, key) for p in graph.inputs]
        outputs += [_moved(p, key) for p in graph.outputs]
    return Graph.build("merged", nodes, inputs, outputs)


def _moved(port: Port, key: str) -> Port:
    return replace(port, value=f"{key}_{port.value}", name=f"{key}/{port.name}")


def compare_with_cpp(
    graph: Graph, target: Target, data: Mapping[str, npt.NDArray[np.float32]]
) -> Agreement:
    """Return how the simulation of a graph agrees with its compiled C++, layer by layer."""
    built = cpp.build(graph, generate(graph, target), target, flags=QUICK_FLAGS)
    return comparison.check_faithful(graph, built, data, comparison.full_simulation(graph, data))
