"""Products become XNORs of sign bits where that is proven right, and cheaper.

Right: every input of the layer is ``-s`` or ``+s``, which follows from the operators before it
(``Op.magnitude``; the bounds of a type leave 0 between them). Cheaper: fewer look-up tables after
synthesis, by the estimates of both forms. What the user set is not changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import frexp, ldexp

from hwflow.core.environment import explain
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense

Layer = Dense | Conv1D | Conv2D


def choose_xnor(graph: Graph, target: Target) -> Graph:
    """Return the graph with the products of dense layers and convolutions chosen.

    A layer that the user wants XNORs of gets the proof if there is one; ``check`` refuses it
    otherwise.
    """
    sizes = magnitudes(graph)
    chosen: dict[str, Layer] = {}
    for node in graph.nodes:
        layer = with_product(graph, node, sizes, target)
        if layer is not None:
            chosen[node.name] = layer
    return graph.replace_ops(chosen) if chosen else graph


def with_product(
    graph: Graph, node: Node, sizes: Mapping[str, float | None], target: Target
) -> Layer | None:
    """Return a layer with XNORs in the place of its products; None where they stay.

    Args:
        graph: has what the layer reads.
        node: the layer, with any settings.
        sizes: ``magnitudes`` of the graph.
        target: what the hardware is generated for.
    """
    if not isinstance(node.op, Layer) or node.op.product not in (None, "xnor"):
        return None
    exponent = _exponent(sizes[node.inputs[0]])
    if exponent is None:
        return None
    layer = replace(node.op, product="xnor", input_exponent=exponent)
    taken = node.op.product == "xnor" or _pays(graph, node, layer, target)
    return layer if taken else None


def magnitudes(graph: Graph) -> Mapping[str, float | None]:
    """Return for each value the ``m`` of which all its elements are ``-m`` or ``m``, else None."""
    found: dict[str, float | None] = {}
    for node in graph.nodes:
        size = node.op.magnitude(*(found[i] for i in node.inputs))
        kept = size is not None and _holds(graph.types[node.name].dtype, size)
        found[node.name] = size if kept else None
    return found


def _holds(dtype: FixedType, size: float) -> bool:
    """Return whether a cast to a type keeps ``-size`` and ``size`` as they are."""
    raw = ldexp(size, dtype.fractional)
    return raw == int(raw) and dtype.raw_min <= -raw and raw <= dtype.raw_max


def _exponent(size: float | None) -> int | None:
    """Return the exponent of a power of two; None for anything else."""
    if size is None or frexp(size)[0] != 0.5:
        return None
    return frexp(size)[1] - 1


def _pays(graph: Graph, node: Node, layer: Layer, target: Target) -> bool:
    """Return whether the layer can be generated and is cheaper than the node's own form."""
    inputs = graph.input_types(node)
    for finding in layer.check(target, *inputs):
        explain("choose_xnor", f"{node.name}: {finding.title}, {finding.found}")
        return False
    plain, counted = (op.cost(target, *inputs).lut_synth.value for op in (node.op, layer))
    if counted >= plain:
        explain(
            "choose_xnor", f"{node.name}: {counted:.0f} LUTs by counting, {plain:.0f} by adding"
        )
    return counted < plain
