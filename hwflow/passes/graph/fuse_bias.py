"""A constant that is added right after a product, convolution or scaling becomes its bias.

``(x @ w + b) + c = x @ w + (b + c)`` holds exactly, so nothing changes but the layer count. It
needs the sum to have no other user and no cast of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwflow.core.environment import explain
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ir.rewrites import merge_into_input
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.shared.products import _Products

Rounded = tuple[float, float] | None
"""Largest distances of constants from the real ones, as in ``ScaleBias.rounded``."""


def fuse_bias(graph: Graph) -> Graph:
    """Return the graph with added constants moved into the biases before them."""
    return merge_into_input(graph, _fused)


def _fused(producer: Node, node: Node) -> Op | None:
    op, adder = producer.op, node.op
    if not isinstance(op, (_Products, ScaleBias)) or not isinstance(adder, ScaleBias):
        return None
    if not (adder.scale.values == 1.0).all():
        return None
    per_channel = np.broadcast_shapes(op.bias.shape, adder.bias.shape) == op.bias.shape
    if op.result_t is not None or not per_channel:
        explain("fuse_bias", f"{node.name}: the sum is cast, or the constant is not per channel")
        return None
    rounded = adder.rounded
    if rounded is not None and not isinstance(op, ScaleBias):
        explain("fuse_bias", f"{node.name}: its constant is rounded, which stays with it")
        return None
    try:
        total = op.bias + adder.bias
    except OverflowError:
        explain("fuse_bias", f"{node.name}: the sum of both biases needs more than 62 bits")
        return None
    if isinstance(op, ScaleBias):
        off = _added(op.rounded, rounded)
        return replace(op, bias=total, result_t=adder.result_t, rounded=off)
    return replace(op.with_bias(total), result_t=adder.result_t)


def _added(a: Rounded, b: Rounded) -> Rounded:
    """Return how far constants are off after another offset."""
    if a is None or b is None:
        return a or (None if b is None else (0.0, b[1]))
    return a[0], a[1] + b[1]
