"""Operator instances side by side in one graph, run through numpy and through compiled C++."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from hwflow import csim
from hwflow.codegen.hls4ml import generate
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.passes.legalize import MAX_CLONES
from hwflow.simulate import prepare_inputs, simulate

STRATEGIES = ("latency", "resource", "distributed_arithmetic")
SAMPLES = 24


@dataclass(frozen=True, eq=False)
class Case:
    """One operator with its input types."""

    name: str
    op: Op
    inputs: tuple[TensorType, ...]

    def legal(self, target: Target) -> bool:
        """Return whether the operator says that it can be generated for the target."""
        full = [TensorType.full(x.shape, x.dtype) for x in self.inputs]
        return not any(d.severity == "error" for d in self.op.check(target, *full))


def example_cases() -> Iterator[Case]:
    """Yield every example of every registered operator, once for each strategy it knows."""
    for kind, cls in sorted(Op.registry.items()):
        if cls is Input:
            continue
        for example in cls.examples():
            name = f"{kind}_{example.name}".lower()
            strategies = STRATEGIES if "strategy" in cls.settings else ("",)
            for strategy in strategies:
                settings = {"strategy": strategy} if strategy else {}
                case = Case(f"{name}_{strategy}", replace(example.op, **settings), example.inputs)
                yield replace(case, name=case.name.rstrip("_"))


def graph_of(cases: Sequence[Case]) -> Graph:
    """Return the cases as parallel branches; inputs of one shape and type are shared."""
    nodes: list[Node] = []
    ports: list[Port] = []
    users: dict[str, list[str]] = {}

    def feed(x: TensorType) -> str:
        names = users.setdefault(f"{x.shape} {x.dtype}", [])
        count = sum(n.inputs.count(names[-1]) for n in nodes) if names else 0
        if not names or count >= MAX_CLONES - 1:
            names.append(f"feed{len(ports)}")
            nodes.append(Node(names[-1], Input(shape=x.shape, dtype=x.dtype)))
            ports.append(_port(names[-1], x.shape))
        return names[-1]

    outputs = []
    for case in cases:
        inputs = tuple(feed(x) for x in case.inputs)
        nodes.append(Node(case.name, case.op, inputs))
        outputs.append(case.name)
    graph = Graph.build("cases", nodes, ports, [])
    return graph.rebuild(nodes, outputs=[_port(n, graph.types[n].shape) for n in outputs])


def _port(name: str, shape: tuple[int, ...]) -> Port:
    return Port(name, name, tuple(range(1, len(shape) + 1)))


def mantissas(
    rng: np.random.Generator, x: TensorType, samples: int = SAMPLES
) -> npt.NDArray[np.int64]:
    """Return random mantissas in a tensor's range: all lowest, all highest, extremes, then any."""
    raw = rng.integers(x.lo, x.hi + 1, (samples, *x.shape))
    raw[0], raw[1] = x.lo, x.hi
    raw[2] = np.where(rng.integers(2, size=x.shape) == 1, x.lo, x.hi)
    return np.asarray(raw, np.int64)


def mismatches(
    cases: Sequence[Case], target: Target, monkeypatch: pytest.MonkeyPatch, seed: int = 0
) -> list[str]:
    """Return a line for each layer whose C++ differs from the simulation, or leaves its range.

    The C++ is compiled without optimisation: that takes half the time, and the data is small.
    """
    monkeypatch.setattr(csim, "FLAGS", ("-std=c++17", "-O0", "-w", "-fmax-errors=5"))
    graph = graph_of(cases)
    rng = np.random.default_rng(seed)
    data = {}
    for port in graph.inputs:
        x = graph.types[port.value]
        data[port.name] = np.ldexp(mantissas(rng, x).astype(np.float64), -x.dtype.fractional)
    simulated = simulate(graph, data, keep=lambda name: True)
    built = csim.build(graph, generate(graph, target), target)
    compiled = built.run(prepare_inputs(graph, data))
    found = []
    for name, values in compiled.layers.items():
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
    missing = {p.value for p in graph.outputs} - set(compiled.layers)
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
