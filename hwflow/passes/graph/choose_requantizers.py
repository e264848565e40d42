"""Every requantisation gets the cheapest implementation that provably computes it.

Equal functions on equal ranges are solved once. What a user pinned and cannot be had is left
without a plan; ``legalize`` then says which implementations there are.
"""

from __future__ import annotations

from dataclasses import replace

from hwflow.core.environment import explain
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op, Target
from hwflow.ops.requantize import Requantize


def choose_requantizers(graph: Graph, target: Target) -> Graph:
    """Return the graph with a proven plan on every requantisation that has one."""
    chosen: dict[str, Op] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Requantize):
            continue
        plan = node.op.chosen(target, *graph.input_types(node))
        if plan is None or plan.proof is None:
            explain("choose_requantizers", f"{node.name}: no implementation serves")
            continue
        inputs = graph.input_types(node)
        op = node.op.at(*inputs)
        function, limits = op.function_of(*inputs), op.limited(*inputs)
        chosen[node.name] = replace(op, function=function, limits=limits, tree=None, plan=plan)
        explain("choose_requantizers", f"{node.name}: {plan}, {plan.proof.points} points compared")
    return graph.replace_ops(chosen) if chosen else graph
