"""The rewrites that graph passes share: a node disappears into the one before it, or altogether."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op

Rule = Callable[[Node, Node], Op | None]


def merge_into_input(graph: Graph, rule: Rule) -> Graph:
    """Return the graph where every node that ``rule`` accepts is merged with its only input.

    The rule gets producer and user and returns the operator that does the work of both, or None.
    It is asked only where the producer has no other user and is not an output itself. The merged
    node keeps the producer's name and origin and stands for the user's value.
    """
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    users = {name: len(found) for name, found in graph.users.items()}
    for node in graph.nodes:
        inputs = tuple(renamed.get(i, i) for i in node.inputs)
        producer = nodes[inputs[0]] if len(inputs) == 1 else None
        before = node.inputs[0] if producer is not None else ""
        if producer is not None and users[before] == 1 and before not in graph.output_values:
            op = rule(producer, node)
            if op is not None:
                source = node.source and replace(node.source, value=producer.name)
                nodes[producer.name] = replace(
                    producer, op=op, source=source, origin=producer.origin or node.origin
                )
                renamed[node.name] = producer.name
                users[producer.name] = users[node.name]
                continue
        nodes[node.name] = replace(node, inputs=inputs)
    if not renamed:
        return graph
    return graph.rebuild(nodes.values(), outputs=_moved(graph.outputs, renamed))


def drop_nodes(graph: Graph, unnecessary: Callable[[Node], bool]) -> Graph:
    """Return the graph without single-input nodes that hand on their input unchanged.

    The node before a dropped one stands for its value; an input port keeps its own.
    """
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        inputs = tuple(renamed.get(i, i) for i in node.inputs)
        node = replace(node, inputs=inputs)
        if len(inputs) == 1 and unnecessary(node):
            renamed[node.name] = inputs[0]
            continue
        nodes[node.name] = node
    if not renamed:
        return graph
    outputs = _moved(graph.outputs, renamed)
    if len({p.value for p in outputs}) < len(outputs):
        return graph  # two ports on one value: hls4ml needs a layer for each
    return graph.rebuild(nodes.values(), outputs=outputs)


def _moved(ports: tuple[Port, ...], renamed: dict[str, str]) -> tuple[Port, ...]:
    return tuple(replace(p, value=renamed.get(p.value, p.value)) for p in ports)
