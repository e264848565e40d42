"""Operator instances side by side in one graph, run through numpy and through compiled C++."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from hwflow.ir.graph import Graph
from hwflow.ir.op import Op, Target
from hwflow.ops.input import Input
from hwflow.simulate import simulate
from hwflow.workbench.cases import Case, cases_of, compile_cases, mantissas

SAMPLES = 24


def example_cases() -> Iterator[Case]:
    """Yield every example of every registered operator, once for each strategy it knows."""
    for _, cls in sorted(Op.registry.items()):
        if cls is not Input:
            yield from cases_of(cls)


def mismatches(cases: Sequence[Case], target: Target, seed: int = 0) -> list[str]:
    """Return a line for each layer whose C++ differs from the simulation, or leaves its range."""
    compiled = compile_cases(cases, target)
    graph = compiled.graph
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
