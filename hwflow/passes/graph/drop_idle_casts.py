"""A cast that changes no value that can occur is dropped.

The proof is the range of the value before it: every mantissa in it survives the cast unchanged.
"""

from __future__ import annotations

from hwflow.ir.graph import Graph, Node
from hwflow.ir.rewrites import drop_nodes
from hwflow.ops.cast import Cast
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.input import Input


def drop_idle_casts(graph: Graph) -> Graph:
    """Return the graph without casts that change nothing."""

    def idle(node: Node) -> bool:
        if isinstance(node.op, FixedQuant):
            return node.name not in graph.output_values and node.op.is_idle(
                graph.types[node.inputs[0]]
            )
        if not isinstance(node.op, Cast) or node.op.result_t is None:
            return False
        if node.name in graph.output_values and isinstance(graph.by_name[node.inputs[0]].op, Input):
            return False  # a port in and a port out need a layer between them
        before = graph.types[graph.by_name[node.name].inputs[0]]
        return node.op.result_t.holds(*before.bounds, before.dtype.fractional)

    return drop_nodes(graph, idle)
