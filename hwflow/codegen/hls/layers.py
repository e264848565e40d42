"""Turns nodes of the hardware graph into hls4ml layers: nearly always one, as the operator says.

What depends on the layers around, or on how values travel, is decided here.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path

from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import HlsLayer, Op, Target
from hwflow.ops import is_built_in
from hwflow.ops.dense import Dense
from hwflow.ops.shared.move import copy_layer

PADDING_SUFFIX = "__pad"
"""Names from a model never hold two underscores in a row (``ir.names.sanitize``)."""


@dataclass(frozen=True, eq=False)
class NamedLayer:
    """An hls4ml layer with its place in the graph.

    Attributes:
        name: name of the layer and of its result.
        inputs: names of the layers that it reads.
        layer: what it is.
        result_t: type of its result.
        templates: folder of its kernel's template; empty for hwflow's own.
    """

    name: str
    inputs: tuple[str, ...]
    layer: HlsLayer
    result_t: FixedType
    templates: str = ""


def layers_of(graph: Graph, node: Node, target: Target) -> list[NamedLayer]:
    """Return the hls4ml layers of a node, in order; the last carries the node's name."""
    layer = node.op.lower(*graph.input_types(node))
    if layer.class_name == "Reshape" and not _view_is_free(graph, node, target):
        layer = copy_layer(graph.types[node.name].shape)
    result_t = graph.types[node.name].dtype
    if not (target.streams and "Conv" in layer.class_name and _pads(layer)):
        return [NamedLayer(node.name, node.inputs, layer, result_t, templates_of(type(node.op)))]
    padding, unpadded = _padding_apart(layer)
    name = node.name + PADDING_SUFFIX
    return [
        NamedLayer(name, node.inputs, padding, graph.types[node.inputs[0]].dtype),
        NamedLayer(node.name, (name,), unpadded, result_t),
    ]


def templates_of(cls: type[Op]) -> str:
    """Return the folder of an operator's templates; empty for hwflow's own operators."""
    if is_built_in(cls):
        return ""
    try:
        return str((Path(inspect.getfile(cls)).parent / cls.templates).resolve())
    except (OSError, TypeError):  # a class typed into an interpreter has no file
        return str(Path(cls.templates).resolve())


def _view_is_free(graph: Graph, node: Node, target: Target) -> bool:
    """Return whether a reshape can be another name for its input's array or stream.

    Arrays are flat, but an output needs one of its own. A stream keeps the packing of its input,
    which of all readers only a lone dense layer can take.
    """
    if node.name in graph.output_values:
        return False
    if not target.streams:
        return True
    readers = graph.users[node.name]
    alone = len(readers) == 1 == len(graph.users[node.inputs[0]])
    alone = alone and node.inputs[0] not in graph.output_values
    reads_flat = isinstance(readers[0].op, Dense) if readers else False
    return alone and reads_flat and len(graph.types[node.name].shape) == 1


def _pads(layer: HlsLayer) -> dict[str, int]:
    """Return the sides of a convolution that are padded."""
    return {k: v for k, v in layer.attributes.items() if k.startswith("pad_") and v}


def _padding_apart(layer: HlsLayer) -> tuple[HlsLayer, HlsLayer]:
    """Return the padding of a streamed convolution as a layer, and the convolution without it.

    hls4ml 1.3.0 has a pass for it, which pads the wrong reader of a stream that several
    one-dimensional convolutions read (``InsertZeroPaddingBeforeConv1D``).
    """
    old = layer.attributes
    padding = {"n_chan": old["n_chan"], "data_format": "channels_last"}
    unpadded = dict(old)
    for extent, sides in (("width", ("left", "right")), ("height", ("top", "bottom"))):
        if f"in_{extent}" not in old:
            continue
        pads = {f"pad_{side}": old[f"pad_{side}"] for side in sides}
        size = old[f"in_{extent}"] + sum(pads.values())
        padding |= {f"in_{extent}": old[f"in_{extent}"], f"out_{extent}": size, **pads}
        unpadded |= {f"in_{extent}": size, **dict.fromkeys(pads, 0)}
    kind = "ZeroPadding2D" if "in_height" in old else "ZeroPadding1D"
    return HlsLayer(class_name=kind, attributes=padding), replace(layer, attributes=unpadded)
