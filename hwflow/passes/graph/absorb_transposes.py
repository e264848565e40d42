"""A transpose before a flatten disappears into the weights of the dense layer behind it.

Channels-last hardware flattens an image in another order than the channels-first model. With
``p`` the permutation of flattened positions, ``flatten(transpose(x)) @ w = flatten(x) @ w[p^-1]``,
exactly. Operators between that do the same to every element commute with the transpose.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwflow.core.environment import explain
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Node
from hwflow.ops.dense import Dense
from hwflow.ops.reshape import Reshape
from hwflow.ops.transpose import Transpose


def absorb_transposes(graph: Graph) -> Graph:
    """Return the graph with transposes before flattens moved into dense weights."""
    dropped: dict[str, str] = {}
    changed: dict[str, Dense] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Dense):
            continue
        transpose = _transpose_behind(graph, node)
        if transpose is not None:
            changed[node.name] = _permuted(graph, node.op, transpose)
            dropped[transpose.name] = transpose.inputs[0]
    if not dropped:
        return graph
    return graph.rebuild(
        replace(
            node,
            op=changed.get(node.name, node.op),
            inputs=tuple(dropped.get(i, i) for i in node.inputs),
            source=None if _behind(graph, node, dropped) else node.source,
        )
        for node in graph.nodes
        if node.name not in dropped
    )


def _transpose_behind(graph: Graph, dense: Node) -> Node | None:
    """Return the transpose whose effect on the order of a dense layer's inputs can be absorbed."""
    if len(graph.input_types(dense)[0].shape) != 1:
        return None
    flattened = False
    node = dense
    while True:
        node = graph.by_name[node.inputs[0]]
        if len(graph.users[node.name]) != 1 or node.name in graph.output_values:
            explain("absorb_transposes", f"{dense.name}: {node.name} has another user")
            return None
        if isinstance(node.op, Reshape) and not flattened:
            flattened = len(graph.types[node.name].shape) == 1
            if not flattened:
                return None
        elif isinstance(node.op, Transpose):
            return node if flattened else None
        elif not node.op.pointwise or len(node.inputs) != 1:
            return None


def _permuted(graph: Graph, dense: Dense, transpose: Node) -> Dense:
    assert isinstance(transpose.op, Transpose)
    shape = graph.types[transpose.inputs[0]].shape
    positions = np.arange(np.prod(shape)).reshape(shape).transpose(transpose.op.perm).ravel()
    raw = np.empty_like(dense.weight.raw)
    raw[positions] = dense.weight.raw
    return replace(dense, weight=FixedArray(raw, dense.weight.dtype))


def _behind(graph: Graph, node: Node, dropped: dict[str, str]) -> bool:
    """Return whether a node stands between transpose and dense: its value changes its order."""
    while len(node.inputs) == 1 and not isinstance(node.op, Dense):
        if node.inputs[0] in dropped:
            return True
        node = graph.by_name[node.inputs[0]]
        if node.name in dropped:
            return True
    return False
