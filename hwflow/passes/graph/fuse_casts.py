"""A cast right after an operator becomes the operator's own result type.

Every operator computes exactly and casts once, so ``Cast(op(x))`` is ``op`` with the cast's type.
It needs the exact result to have no other user and the operator to have no cast of its own.

A mean that is a fraction without end takes a type from the different ones of the elements behind
it: so fine that none of them can tell it from the exact mean.
"""

from __future__ import annotations

from dataclasses import replace

from hwflow.core.environment import explain
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ir.rewrites import merge_into_input
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.cast import Cast
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.input import Input
from hwflow.ops.mean import Mean


def fuse_casts(graph: Graph) -> Graph:
    """Return the graph with casts moved into the operators before them."""
    return _with_fine_means(merge_into_input(graph, _fused))


def _with_fine_means(graph: Graph) -> Graph:
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        before = nodes[node.inputs[0]] if isinstance(node.op, FixedQuant) else None
        if before is None or not isinstance(before.op, (AveragePool, Mean)):
            continue
        assert isinstance(node.op, FixedQuant)
        alone = len(graph.users[before.name]) == 1 and before.name not in graph.output_values
        fine = node.op.port_type()
        if alone and before.op.result_t is None and fine is not None:
            nodes[before.name] = replace(before, op=replace(before.op, result_t=fine), source=None)
    changed = any(nodes[n.name] is not n for n in graph.nodes)
    return graph.rebuild(nodes.values()) if changed else graph


def _fused(producer: Node, node: Node) -> Op | None:
    if not isinstance(node.op, Cast) or isinstance(producer.op, Input):
        return None
    if producer.op.result_t is not None:
        explain("fuse_casts", f"{node.name}: {producer.name} is cast already")
        return None
    return replace(producer.op, result_t=node.op.result_t)
