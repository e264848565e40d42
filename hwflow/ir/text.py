"""The one printed form of a hardware graph, for dumps, tests and people."""

from __future__ import annotations

import hashlib
from typing import Any

from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.grid import Rationals


def print_graph(graph: Graph) -> str:
    """Return the graph as text, one line a layer, the same for equal graphs."""
    lines = [f"graph {graph.name} {{"]
    lines += [f"  {print_node(graph, node)}" for node in graph.nodes]
    lines += [f"  output {port.name!r} = {_port(port)} axes {port.axes}" for port in graph.outputs]
    return "\n".join([*lines, "}"]) + "\n"


def _port(port: Port) -> str:
    """Return what an output is made of, ``scale * value + offset`` where the host has to do that.

    A scale or an offset for each channel is shown by the range that it spans.
    """
    if port.grid.plain:
        return port.value
    scale, offset = (_span(part) for part in (port.grid.scale, port.grid.offset))
    return f"{scale} * {port.value}" + (f" + {offset}" if offset != "0" else "")


def _span(numbers: Rationals) -> str:
    lowest, highest = float(min(numbers.ravel())), float(max(numbers.ravel()))
    return f"{lowest:.6g}" if lowest == highest else f"[{lowest:.6g} .. {highest:.6g}]"


def print_node(graph: Graph, node: Node) -> str:
    """Return one layer as text: name, operator, operands, settings, type."""
    parameters = ", ".join(
        f"{name}={print_value(value)}" for name, value in node.op.parameters().items()
    )
    operands = ", ".join(node.inputs)
    origin = f"  # {node.origin}" if node.origin and node.origin != node.name else ""
    call = f"{node.op.kind}({operands}) {{{parameters}}}"
    return f"{node.name} = {call} : {graph.types[node.name]}{origin}"


def print_value(value: Any) -> str:
    """Return a setting of a layer as text; arrays by shape, type and digest."""
    if isinstance(value, FixedArray):
        shape = "x".join(map(str, value.shape))
        digest = hashlib.sha256(value.raw.tobytes()).hexdigest()[:8]
        return f"[{shape}] {value.dtype} #{digest}"
    return str(value)
