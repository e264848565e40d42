"""What an HLS tool removes of a design in io_parallel: results that nothing reads.

Layers without convolutions and stored weights are inlined into one pipeline, so dead code is found
across them: a pruned network's neuron without inputs is a constant, and one that the next layer
multiplies by 0 is not built (three designs of one repository: 51 to 59 of 128 relus are left).
Streams carry all channels, and so do the stages of a dataflow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray
from hwflow.ir.cost import Cost
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType

Mask = npt.NDArray[np.bool_]


def is_dataflow(graph: Graph) -> bool:
    """Return whether an io_parallel design has stages of their own: convolutions, stored weights.

    hls4ml's ``vivado_backend.py`` asks for a dataflow in these two cases, hwflow for kernels that
    take turns (``hwflow.estimate.turns``).
    """
    return any(is_stage(node.op) for node in graph.nodes)


def is_stage(op: Op) -> bool:
    """Return whether an operator makes a dataflow of an io_parallel design."""
    if not hasattr(op, "strategy"):
        return int(getattr(op, "reuse_factor", 1)) > 1
    return "Conv" in op.kind or getattr(op, "strategy", "") == "resource"


def used_channels(graph: Graph, name: str) -> Mask:
    """Return which channels of a value are read by anything that is built."""
    every = np.ones(graph.types[name].channels, bool)
    if name in graph.output_values:
        return every
    used = ~every
    for user in graph.users[name]:
        read = read_channels(user.op, partial(used_channels, graph, user.name))
        if read is None:
            return every
        used |= read
    return used


def read_channels(op: Op, result: Callable[[], Mask]) -> Mask | None:
    """Return which channels of its operand an operator reads, or None for all.

    Args:
        op: the operator.
        result: gives the channels of its result that anything reads.
    """
    if op.kind == "Dense":
        weight: FixedArray = getattr(op, "weight")  # noqa: B009 - only Dense has it
        read: Mask = (weight.raw != 0).any(axis=1)
        return read
    return result() if _pointwise(op) else None


def _pointwise(op: Op) -> bool:
    return bool(getattr(op, "pointwise", False))


def live_cost(graph: Graph, node: Node, target: Target) -> Cost:
    """Return the cost of what is built of a node in io_parallel."""
    types = graph.input_types(node)
    if is_dataflow(graph):
        return node.op.cost(target, *(map(_varying, types) if _pointwise(node.op) else types))
    used = used_channels(graph, node.name)
    if used.all() or not (_pointwise(node.op) or node.op.kind == "Dense"):
        return node.op.cost(target, *types)
    if _pointwise(node.op):
        return node.op.cost(target, *(_without(x, ~used) for x in types))
    product: Any = node.op
    cost: Cost = product.cost(target, *types, read=used)
    return cost


def _without(x: TensorType, absent: Mask) -> TensorType:
    """Return a value some channels of which are 0."""
    return replace(x, lo=np.where(absent, 0, x.lo), hi=np.where(absent, 0, x.hi))


def _varying(x: TensorType) -> TensorType:
    """Return a value no channel of which is known to be constant."""
    constant = x.lo == x.hi
    if not constant.any():
        return x
    low, high = (x.dtype.raw_min, x.dtype.raw_max) if constant.all() else x.bounds
    return replace(x, lo=np.where(constant, low, x.lo), hi=np.where(constant, high, x.hi))


def live_channels(x: TensorType, target: Target) -> int:
    """Return the channels of a value that have hardware: in io_parallel all but constant ones."""
    return x.channels if target.streams else int((x.lo != x.hi).sum())
