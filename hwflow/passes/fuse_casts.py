"""A cast right after an operator becomes the operator's own result type.

Every operator computes exactly and casts once, so ``Cast(op(x))`` is ``op`` with the cast's type.
It needs the exact result to have no other user and the operator to have no cast of its own.
"""

from __future__ import annotations

from dataclasses import replace

from hwflow.debug import explain
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ir.rewrite import merge_into_input
from hwflow.ops.cast import Cast
from hwflow.ops.input import Input


def fuse_casts(graph: Graph) -> Graph:
    """Return the graph with casts moved into the operators before them."""
    return merge_into_input(graph, _fused)


def _fused(producer: Node, node: Node) -> Op | None:
    if not isinstance(node.op, Cast) or isinstance(producer.op, Input):
        return None
    if producer.op.result_t is not None:
        explain("fuse_casts", f"{node.name}: {producer.name} is cast already")
        return None
    return replace(producer.op, result_t=node.op.result_t)
