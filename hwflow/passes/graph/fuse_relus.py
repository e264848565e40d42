"""A relu that is cast is part of the cast, or nothing at all.

Every negative number rounds to 0 or less, and an unsigned type that saturates makes 0 of it; so
``cast(relu(x)) = cast(x)`` for each of ap_fixed's roundings, and the cast goes into the operator
before. The layer disappears, and with it the wide value in between. A cast to a type of its own for
each element takes the relu in.
"""

from __future__ import annotations

from dataclasses import replace

from hwflow.core.environment import explain
from hwflow.fixed import FixedType, Overflow
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ir.rewrites import merge_into_input
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.input import Input
from hwflow.ops.relu import Relu


def fuse_relus(graph: Graph) -> Graph:
    """Return the graph with relus moved into the result types before them."""
    return merge_into_input(graph, _fused)


def _fused(producer: Node, node: Node) -> Op | None:
    if isinstance(node.op, FixedQuant) and isinstance(producer.op, Relu):
        return replace(node.op, relu=True) if producer.op.result_t is None else None
    if not isinstance(node.op, Relu) or isinstance(producer.op, Input):
        return None
    if not _clips_negatives(node.op.result_t):
        explain("fuse_relus", f"{node.name}: its type is signed or wraps")
        return None
    if producer.op.result_t is not None:
        explain("fuse_relus", f"{node.name}: {producer.name} is cast already")
        return None
    return replace(producer.op, result_t=node.op.result_t, rectified=True)


def _clips_negatives(to: FixedType | None) -> bool:
    return to is not None and not to.signed and to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
