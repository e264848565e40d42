"""Examples of operators as cases that run side by side: in Python, and in compiled C++."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwflow.codegen.hls.model import generate
from hwflow.core.errors import Diagnostic
from hwflow.fixed import RawArray
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.names import sanitize
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.ops.shared.matvec import STRATEGIES
from hwflow.ops.shared.port_data import FloatArray
from hwflow.passes.graph.legalize import MAX_CLONES
from hwflow.simulate import cpp

QUICK_FLAGS = ("-std=c++17", "-O0", "-w", "-fmax-errors=5")
"""Compiler flags without optimisation: it takes half the time, and the data is small."""


@dataclass(frozen=True, eq=False)
class Case:
    """One operator with its input types."""

    name: str
    op: Op
    inputs: tuple[TensorType, ...]

    def refusals(self, target: Target) -> list[Diagnostic]:
        """Return the errors for which the operator cannot be generated for the target."""
        full = [TensorType.full(x.shape, x.dtype) for x in self.inputs]
        return [d for d in self.op.check(target, *full) if d.severity == "error"]

    def legal(self, target: Target) -> bool:
        """Return whether the operator says that it can be generated for the target."""
        return not self.refusals(target)


def cases_of(cls: type[Op]) -> Iterator[Case]:
    """Yield every example of an operator, once for each strategy it knows."""
    for example in cls.examples():
        name = sanitize(f"{cls.__name__}_{example.name}".lower())
        strategies = STRATEGIES if "strategy" in cls.settings else ("",)
        for strategy in strategies:
            settings: dict[str, Any] = {"strategy": strategy} if strategy else {}
            case = Case(f"{name}_{strategy}", replace(example.op, **settings), example.inputs)
            yield replace(case, name=case.name.rstrip("_"))


def graph_of(cases: Sequence[Case]) -> Graph:
    """Return the cases as parallel branches; they share inputs of one shape and type.

    The operands of one case are always different inputs.
    """
    nodes: list[Node] = []
    ports: list[Port] = []
    uses: dict[str, dict[str, int]] = {}

    def feed(x: TensorType, taken: Sequence[str]) -> str:
        counts = uses.setdefault(f"{x.shape} {x.dtype}", {})
        free = [n for n, count in counts.items() if count < MAX_CLONES and n not in taken]
        name = free[0] if free else f"feed{len(ports)}"
        if not free:
            nodes.append(Node(name, Input(shape=x.shape, dtype=x.dtype)))
            ports.append(_port(name, x.shape))
        counts[name] = counts.get(name, 0) + 1
        return name

    outputs = []
    for case in cases:
        inputs: list[str] = []
        for x in case.inputs:
            inputs.append(feed(x, inputs))
        nodes.append(Node(case.name, case.op, tuple(inputs)))
        outputs.append(case.name)
    graph = Graph.build("cases", nodes, ports, [])
    return graph.rebuild(nodes, outputs=[_port(n, graph.types[n].shape) for n in outputs])


def _port(name: str, shape: tuple[int, ...]) -> Port:
    return Port(name, name, tuple(range(1, len(shape) + 1)))


def mantissas(rng: np.random.Generator, x: TensorType, samples: int) -> RawArray:
    """Return random mantissas in a tensor's range: all lowest, all highest, extremes, then any."""
    raw = rng.integers(x.lo, x.hi + 1, (samples, *x.shape))
    raw[0], raw[1] = x.lo, x.hi
    raw[2] = np.where(rng.integers(2, size=x.shape) == 1, x.lo, x.hi)
    return np.asarray(raw, np.int64)


@dataclass(frozen=True, eq=False)
class Compiled:
    """Cases as one C++ program.

    Attributes:
        graph: the cases side by side.
        built: the program.
    """

    graph: Graph
    built: cpp.Csim

    def run_case(self, name: str, operands: Sequence[RawArray]) -> FloatArray:
        """Return what the C++ computes for the operands of one case; all other inputs are 0."""
        types = self.graph.types
        feeds = {
            p.value: np.zeros((len(operands[0]), *types[p.value].shape), np.int64)
            for p in self.graph.inputs
        }
        feeds |= dict(zip(self.graph.by_name[name].inputs, operands, strict=True))
        return self.run(feeds)[name]

    def run(self, feeds: Mapping[str, RawArray]) -> Mapping[str, FloatArray]:
        """Return what the C++ computes, as real numbers by case.

        Raises:
            ToolError: the program crashed or took too long.
        """
        types = self.graph.types
        real = {
            name: np.ldexp(raw.astype(np.float64), -types[name].dtype.fractional)
            for name, raw in feeds.items()
        }
        return self.built.run(real).layers


def compile_cases(cases: Sequence[Case], target: Target) -> Compiled:
    """Compile cases that are legal for a target into one program.

    Raises:
        CompileError: a template cannot be used.
        ToolError: hls4ml or g++ is missing, or the C++ does not compile.
    """
    graph = graph_of(cases)
    project = generate(graph, target)
    return Compiled(graph, cpp.build(graph, project, target, flags=QUICK_FLAGS))
