"""Which approximate layers a value rests on: the graph walked from inputs to outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Inexact

Causes = Mapping[str, frozenset[str]]
"""Names of approximate layers, by layer."""


def inexact_layers(graph: Graph) -> dict[str, Inexact]:
    """Return the layers that are approximate, with the reason, in order of computation."""
    found = ((node.name, node.op.inexact(*graph.input_types(node))) for node in graph.nodes)
    return {name: reason for name, reason in found if reason is not None}


def causes(
    graph: Graph,
    approximate: Mapping[str, Inexact],
    known: Callable[[Node], bool] = lambda node: False,
) -> Causes:
    """Return the approximate layers that feed each layer, itself included, over any distance.

    Args:
        graph: the hardware graph.
        approximate: its approximate layers.
        known: whether what follows takes a layer's value as given. Such a layer has causes, but it
            is none of what follows, nor are the layers before it.
    """
    found: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        rests = {node.name} if node.name in approximate else set()
        for name in node.inputs:
            if not (found[name] and known(graph.by_name[name])):
                rests |= found[name]
        found[node.name] = frozenset(rests)
    return found
