"""Operator instances side by side in one graph, run through numpy and through compiled C++."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from hwflow.codegen.hls.model import generate
from hwflow.ir.graph import Graph
from hwflow.ir.names import Namer
from hwflow.ir.op import Op, Target
from hwflow.ops.input import Input
from hwflow.ops.shared.turns import _InTurns
from hwflow.simulate import cpp
from hwflow.simulate.numpy import simulate
from hwflow.testing.operators.cases import (
    QUICK_FLAGS,
    Case,
    Compiled,
    cases_of,
    graph_of,
    mantissas,
)

SAMPLES = 24


def example_cases() -> Iterator[Case]:
    """Yield every example of every registered operator, once for each strategy it knows."""
    for _, cls in sorted(Op.registry.items()):
        if cls is not Input:
            yield from cases_of(cls)


def shared_cases(target: Target) -> Iterator[Case]:
    """Yield every example that can share its hardware, each with another legal reuse factor."""
    for number, case in enumerate(example_cases()):
        if not isinstance(case.op, _InTurns):
            continue
        legal = [n for n in case.op.reuse_factors(target, *case.inputs) if n > 1]
        if legal:
            op = replace(case.op, reuse_factor=legal[number % len(legal)])
            found = replace(case, op=op)
            if found.legal(target):
                yield found


def mismatches(cases: Sequence[Case], target: Target, seed: int = 0) -> list[str]:
    """Return a line for each layer whose C++ differs from the simulation, or leaves its range."""
    cases = list(with_hostile_names(cases))
    graph = with_hostile_ports(graph_of(cases))
    project = generate(graph, target)
    compiled = Compiled(graph, cpp.build(graph, project, target, flags=QUICK_FLAGS))
    rng = np.random.default_rng(seed)
    feeds = {p.value: mantissas(rng, graph.types[p.value], SAMPLES) for p in graph.inputs}
    steps = {name: graph.types[name].dtype.step for name in feeds}
    data = {name: raw * steps[name] for name, raw in feeds.items()}
    simulated = simulate(graph, data, keep=lambda name: True)
    layers = compiled.run(feeds)
    found = []
    for name, values in layers.items():
        layer, known = simulated.layers[name], graph.types[name]
        wrong = int((layer.values != values).sum())
        if wrong:
            where = tuple(np.argwhere(layer.values != values)[0])
            found.append(
                f"{name}: {wrong} of {values.size} differ, first at {where}: "
                f"{layer.values[where]} simulated, {values[where]} in C++; {describe(graph, name)}"
            )
        if (layer.raw < known.lo).any() or (layer.raw > known.hi).any():
            found.append(f"{name}: outside of its range {known}")
    missing = {p.value for p in graph.outputs} - set(layers)
    return [*found, *(f"{name}: no result" for name in missing)]


def with_hostile_names(cases: Sequence[Case]) -> Iterator[Case]:
    """Yield cases with other names: those of attributes and weights of their own hls4ml layers.

    Templates and hls4ml find constants by these names; a layer's own must not come between.
    """
    namer = Namer()
    for number, case in enumerate(cases):
        layer = case.op.lower(*case.inputs)
        weights = [name for w in layer.weights for name in (w, f"{w}_data", f"{w}_t")]
        types = [name for t in layer.types for name in (t, f"{t}_t")]
        words = [*layer.attributes, *weights, *types, *WORDS]
        yield replace(case, name=namer.unique(words[(7 * number) % len(words)]))


WORDS = (
    "name", "index", "inputs", "outputs", "attributes", "weights", "input", "output", "config",
    "class", "xor", "int", "wire", "NULL", "assert", "nnet", "streams", "attr", "kernel", "node",
    "templates", "weight_names", "trace", "precision", "strategy", "reuse_factor", "n_in", "x_in",
)  # fmt: skip


def with_hostile_ports(graph: Graph) -> Graph:
    """Return a graph whose inputs have names of C++, of Verilog and of hls4ml."""
    namer = Namer()
    for node in graph.nodes:
        if not isinstance(node.op, Input):
            namer.unique(node.name)
    new = {p.value: namer.unique(WORDS[i % len(WORDS)], port=True)
           for i, p in enumerate(graph.inputs)}  # fmt: skip
    nodes = [
        replace(n, name=new.get(n.name, n.name), inputs=tuple(new.get(i, i) for i in n.inputs))
        for n in graph.nodes
    ]
    ports = [replace(p, value=new[p.value], name=new[p.value]) for p in graph.inputs]
    return Graph.build(graph.name, nodes, ports, graph.outputs)


def describe(graph: Graph, name: str) -> str:
    """Return a node's parameters and types."""
    node = graph.by_name[name]
    inputs = ", ".join(str(graph.types[i]) for i in node.inputs)
    small = {k: v for k, v in node.op.parameters().items() if not hasattr(v, "raw")}
    return f"{node.op.kind} {small} of {inputs}"


def chunks(cases: Iterable[Case], size: int) -> list[list[Case]]:
    """Return the cases in lists of at most ``size``."""
    every = list(cases)
    return [every[i : i + size] for i in range(0, len(every), size)]
