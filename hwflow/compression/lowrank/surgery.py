"""Puts the factors of a layer in its place, as ordinary float layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from hwflow.compression.lowrank.factors import Factors
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of, new_constant
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.infer_shapes import infer_shapes

WINDOW = ("kernel_shape", "pads", "strides", "dilations", "auto_pad")
"""Attributes of a convolution that the core has, or the first factor of a 1 x 1 kernel."""


def factored(model: QonnxModel, name: str, factors: Factors) -> QonnxModel:
    """Return a network with two or three layers in the place of one.

    Args:
        model: a float network, prepared; it is not changed.
        name: name of the layer's node.
        factors: a product for what ``weights_of`` gives.
    """
    made = clone(model)
    (layer,) = (found for found in layers_of(made) if found.node.name == name)
    node, graph = layer.node, made.ir.graph
    value, nodes = node.inputs[0], []
    for i, part in enumerate(factors.parts):
        last = i == len(factors.parts) - 1
        inner = _node(made, layer, value, part, place=i, parts=len(factors.parts))
        nodes.append(inner)
        value = inner.outputs[0]
        if not last:
            value.name = f"{name}_rank{i + 1}"
    old, new = node.outputs[0], nodes[-1].outputs[0]
    new.name, old.name = old.name, None
    graph.insert_after(node, nodes)
    graph.outputs[:] = [new if output is old else output for output in graph.outputs]
    ir.convenience.replace_all_uses_with(old, new)
    graph.remove(node, safe=True)
    infer_shapes(made)
    return clone(made)


def weights_of(layer: Layer) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what is factored of a layer: its matrix or kernel, outputs first."""
    weights = array_of(layer.weight)
    rows = weights if layer.outputs_first else weights.T
    flat = layer.node.op_type == "Conv" and all(d == 1 for d in rows.shape[2:])
    return rows.reshape(rows.shape[:2]) if flat else rows


def _node(
    model: QonnxModel, layer: Layer, x: ir.Value | None, part: Any, *, place: int, parts: int
) -> ir.Node:
    node, last = layer.node, place == parts - 1
    name = f"{node.name}_{place + 1}"
    bias = node.inputs[2:3] if last else []
    if node.op_type != "Conv":
        inputs = [x, new_constant(model, f"{name}.weight", part.T), *bias]
        return ir.node(node.op_type, inputs, name=name)
    rank = len(layer.weight.shape or ()) - 2
    weight = new_constant(model, f"{name}.weight", part.reshape(*part.shape, *[1] * rank)
                          if part.ndim == 2 else part)  # fmt: skip
    windowed = place == (1 if parts == 3 else 0)
    attributes = {k: v for k, v in node.attributes.items() if windowed and k in WINDOW}
    kernel = part.shape[2:] or (1,) * rank
    attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", kernel)
    return ir.Node("", "Conv", [x, weight, *bias], attributes=list(attributes.values()), name=name)
