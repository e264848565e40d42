"""The hardware graph: operators in order, each value with its type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from hwflow.ir.grid import UNIT, Grid
from hwflow.ir.op import Op
from hwflow.ir.pieces import Pieces
from hwflow.ir.tensor import TensorType


@dataclass(frozen=True)
class Port:
    """How a graph input or output appears outside.

    Attributes:
        value: name of the node that holds it.
        name: name in the original model.
        axes: for each axis of the hardware value, the axis of the original tensor it came from,
            counted with the batch axis; ``(2, 3, 1)`` for an NCHW tensor kept channels last.
        grid: what the hardware's value means as a real number of the original tensor.
    """

    value: str
    name: str
    axes: tuple[int, ...]
    grid: Grid = UNIT


@dataclass(frozen=True, eq=False)
class Node:
    """One layer; its only output value carries the node's name.

    Attributes:
        name: unique in the graph (case-insensitively) and safe in C++, Tcl, shell and paths.
        op: what it computes.
        inputs: names of the nodes whose values it takes.
        origin: the framework's own name of what it was made from, for people.
        source: the tensor of the original model that the value equals, where there is one.
    """

    name: str
    op: Op
    inputs: tuple[str, ...] = ()
    origin: str = ""
    source: Port | None = None

    def __repr__(self) -> str:
        """Return name, operator and inputs."""
        return f"Node {self.name} = {self.op.kind}({', '.join(self.inputs)})"


@dataclass(frozen=True, eq=False)
class Graph:
    """A directed acyclic graph of operators in topological order.

    Attributes:
        name: safe in C++, Tcl, shell and paths.
        nodes: the layers, in an order in which every node follows its inputs.
        inputs: the ports that data comes in by.
        outputs: the ports that results leave by.
        types: the type of each value, by node name.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    types: Mapping[str, TensorType]

    def __repr__(self) -> str:
        """Return inputs, outputs and size in one line; ``print_graph`` has all."""
        ports = [", ".join(p.name for p in side) for side in (self.inputs, self.outputs)]
        return f"Graph {self.name}: {ports[0]} -> {ports[1]}, {len(self.nodes)} layers"

    @classmethod
    def build(
        cls, name: str, nodes: Iterable[Node], inputs: Iterable[Port], outputs: Iterable[Port]
    ) -> Graph:
        """Return the graph with every type inferred, after checking its structure.

        Raises:
            ValueError: a name is used twice, or a node comes before one of its inputs.
        """
        ordered = tuple(nodes)
        types: dict[str, TensorType] = {}
        seen: set[str] = set()
        for node in ordered:
            if node.name.lower() in seen:
                raise ValueError(f"node name {node.name!r} is used twice")
            seen.add(node.name.lower())
            missing = [i for i in node.inputs if i not in types]
            if missing:
                raise ValueError(f"{node.name!r} uses {missing} before they are computed")
            try:
                types[node.name] = node.op.infer(*(types[i] for i in node.inputs))
            except Exception as error:
                error.add_note(f"while inferring the type of {node.name} ({node.op.kind})")
                raise
        ports = (*inputs,), (*outputs,)
        for port in (*ports[0], *ports[1]):
            if port.value not in types:
                raise ValueError(f"port {port.name!r} names no node: {port.value!r}")
        return cls(name, ordered, *ports, types)

    def rebuild(self, nodes: Iterable[Node], *, outputs: Iterable[Port] | None = None) -> Graph:
        """Return the graph with other nodes and the same ports."""
        return Graph.build(
            self.name, nodes, self.inputs, self.outputs if outputs is None else outputs
        )

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def users(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that take each value, by the value's name."""
        found: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def pieces(self) -> Mapping[str, Pieces | None]:
        """What each operator is made of, by node name, for the proven ranges of its operands."""
        return {node.name: node.op.pieces(*self.input_types(node)) for node in self.nodes}

    @cached_property
    def output_values(self) -> frozenset[str]:
        """Names of the values that leave the graph."""
        return frozenset(port.value for port in self.outputs)

    def input_types(self, node: Node) -> tuple[TensorType, ...]:
        """Return the types of the values that a node takes."""
        return tuple(self.types[i] for i in node.inputs)

    def replace_ops(self, ops: Mapping[str, Op]) -> Graph:
        """Return the graph with some nodes' operators exchanged."""
        return self.rebuild(replace(n, op=ops[n.name]) if n.name in ops else n for n in self.nodes)
