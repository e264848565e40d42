"""Every requantisation gets the cheapest implementation that provably computes it.

Equal functions on equal ranges are solved once. What a user pinned and cannot be had is left
without a plan; ``legalize`` then says which implementations there are.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields, replace

import numpy as np

from hwflow.core.environment import explain
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op, Target
from hwflow.ir.real.expression import contents
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantize import Requantize

MOST_KNOWN = 4096
"""Operators that are kept: compilations of one network with other bits meet them again."""

_APART = ("function", "weights", "tree")

_settled: dict[Hashable, Requantize] = {}


def choose_requantizers(graph: Graph, target: Target) -> Graph:
    """Return the graph with a proven plan on every requantisation that has one."""
    chosen: dict[str, Op] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Requantize):
            continue
        inputs = graph.input_types(node)
        key = _key(node.op, target, inputs)
        op = None if key is None else _settled.get(key)
        if op is None:
            op = _with_plan(node.op, target, inputs)
        if op is None or op.plan is None or op.plan.proof is None:
            explain("choose_requantizers", f"{node.name}: no implementation serves")
            continue
        if key is not None:
            _settled[key] = op
            while len(_settled) > MOST_KNOWN:
                del _settled[next(iter(_settled))]
        chosen[node.name] = op
        points = op.plan.proof.points
        explain("choose_requantizers", f"{node.name}: {op.plan}, {points} points compared")
    return graph.replace_ops(chosen) if chosen else graph


def _with_plan(op: Requantize, target: Target, inputs: Sequence[TensorType]) -> Requantize | None:
    """Return an operator with its plan, for the inputs that can occur; None without a proof."""
    plan = op.chosen(target, *inputs)
    if plan is None or plan.proof is None:
        return None
    moved = op.at(*inputs)
    function, limits = moved.function_of(*inputs), moved.limited(*inputs)
    return replace(moved, function=function, limits=limits, tree=None, plan=plan)


def _key(op: Requantize, target: Target, inputs: Sequence[TensorType]) -> Hashable:
    """Return what operators have in common that get the same plan; None where it is not known."""
    if op.tree is None or op.plan is not None or op.limits is not None:
        return None
    ends = op.function.lo.tobytes(), op.function.hi.tobytes()
    weights = [(w.shape, w.astype(np.int64).tobytes()) for w in op.weights or ()]
    types = tuple((t.shape, t.dtype, t.lo.tobytes(), t.hi.tobytes()) for t in inputs)
    others = [getattr(op, f.name) for f in fields(op) if f.name not in _APART]
    return type(op), contents(op.tree), ends, tuple(weights), types, target, *others
