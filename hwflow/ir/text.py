"""The one printed form of a hardware graph, for dumps, tests and people."""

from __future__ import annotations

import hashlib
from typing import Any

from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Node


def print_graph(graph: Graph) -> str:
    """Return the graph as text, one line a layer, the same for equal graphs."""
    lines = [f"graph {graph.name} {{"]
    lines += [f"  {print_node(graph, node)}" for node in graph.nodes]
    lines += [f"  output {port.name!r} = {port.value} axes {port.axes}" for port in graph.outputs]
    return "\n".join([*lines, "}"]) + "\n"


def print_node(graph: Graph, node: Node) -> str:
    """Return one layer as text: name, operator, operands, settings, type."""
    parameters = ", ".join(
        f"{name}={_value(value)}" for name, value in node.op.parameters().items()
    )
    operands = ", ".join(node.inputs)
    origin = f"  # {node.origin}" if node.origin and node.origin != node.name else ""
    call = f"{node.op.kind}({operands}) {{{parameters}}}"
    return f"{node.name} = {call} : {graph.types[node.name]}{origin}"


def _value(value: Any) -> str:
    if isinstance(value, FixedArray):
        shape = "x".join(map(str, value.shape))
        digest = hashlib.sha256(value.raw.tobytes()).hexdigest()[:8]
        return f"[{shape}] {value.dtype} #{digest}"
    return str(value)
