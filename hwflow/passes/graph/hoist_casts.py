"""A cast made by an operator that only moves elements is made by the operator before it instead.

Moving and casting commute, so ``cast(move(op(x))) = move(cast(op(x)))``. The value that moves is
then the narrow one; and a mean, which is a fraction without end, is rounded once, where it is
computed.
"""

from __future__ import annotations

from dataclasses import replace

from hwflow.ir.graph import Graph, Node
from hwflow.ops.input import Input


def hoist_casts(graph: Graph) -> Graph:
    """Return the graph with result types of moves handed to the operators before them."""
    nodes = {node.name: node for node in graph.nodes}
    for node in reversed(graph.nodes):
        move = nodes[node.name]
        if not move.op.moves or move.op.result_t is None:
            continue
        producer = nodes[move.inputs[0]]
        if not _can_cast(graph, producer):
            continue
        cast = replace(producer.op, result_t=move.op.result_t, rectified=move.op.rectified)
        nodes[producer.name] = replace(producer, op=cast, source=None)
        nodes[move.name] = replace(move, op=replace(move.op, result_t=None, rectified=False))
    changed = any(nodes[n.name] is not n for n in graph.nodes)
    return graph.rebuild(nodes.values()) if changed else graph


def _can_cast(graph: Graph, producer: Node) -> bool:
    alone = len(graph.users[producer.name]) == 1 and producer.name not in graph.output_values
    return alone and producer.op.result_t is None and not isinstance(producer.op, Input)
