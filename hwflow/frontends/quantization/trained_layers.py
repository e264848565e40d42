"""Layers of a model that was trained quantised: each gets weights of its own, and later others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.quantization.layers import Layer, array_of, new_constant
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.trained import is_fixed
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.ops import facts_of
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes

Floats = npt.NDArray[np.float64]


def per_channel(layer: Layer) -> bool:
    """Return whether the quantiser of a layer's weights has several scales."""
    return _scale(layer).size > 1


def powers_of_two(layer: Layer) -> bool:
    """Return whether the scales of a layer's weights are powers of two."""
    return bool((np.frexp(_scale(layer))[0] == 0.5).all())


def _scale(layer: Layer) -> Floats:
    weight = layer.node.inputs[1]
    producer = None if weight is None else weight.producer()
    scale = None if producer is None else producer.inputs[1]
    assert scale is not None
    return array_of(scale)


def prepare_trained(model: QonnxModel) -> QonnxModel:
    """Return a copy whose layers have weights and quantisers of their own, shapes known.

    It is the same network: nothing is computed that the pipeline would not compute alike.
    """
    found = _shaped(clean_model(clone(model)))
    for node in found.ir.graph:
        if not node.name:
            node.name = f"{node.op_type}_{node.outputs[0].name}"
    for node in list(found.ir.graph):
        if facts_of(node).weighted and len(node.inputs) > 1:
            _transposed_first(found, node)
            _own_quantizer(found, node)
    return clone(_shaped(clean_model(found)))


def _shaped(model: QonnxModel) -> QonnxModel:
    """Give all values their shapes, and keep the quantisers of constants as they are."""
    known = infer_shapes(clone(model)).ir.graph
    values = {v.name: v for node in known for v in node.outputs} | dict(known.initializers)
    for value in (v for node in model.ir.graph for v in node.outputs):
        if (found := values.get(value.name)) is not None:
            value.shape, value.type = found.shape, found.type
    return model


def _transposed_first(model: QonnxModel, node: ir.Node) -> None:
    """Transpose weights before their quantiser, where it is done behind it."""
    moved = node.inputs[1]
    move = None if moved is None else moved.producer()
    if move is None or move.op_type != "Transpose" or move.inputs[0] is None:
        return
    quantizer = move.inputs[0].producer()
    source = None if quantizer is None else quantizer.inputs[0]
    if quantizer is None or quantizer.op_type != "Quant" or source is None:
        return
    if source.const_value is None:
        return
    rank = source.const_value.numpy().ndim
    perm = move.attributes["perm"].as_ints() if "perm" in move.attributes else range(rank)[::-1]
    inputs = [source, *quantizer.inputs[1:]]
    for i, value in enumerate(inputs):
        if value is None or value.const_value is None:
            return
        array = value.const_value.numpy()
        if array.ndim == rank:
            inputs[i] = new_constant(model, f"{value.name}_moved", np.transpose(array, perm))
        elif array.size > 1:
            return
    _replace_quantizer(model, node, quantizer, inputs)


def _own_quantizer(model: QonnxModel, node: ir.Node) -> None:
    """Copy weights and their quantiser where other layers use them, too."""
    value = node.inputs[1]
    quantizer = None if value is None else value.producer()
    if quantizer is None or quantizer.op_type != "Quant" or quantizer.inputs[0] is None:
        return
    source = quantizer.inputs[0]
    if source.const_value is None or len(list(quantizer.outputs[0].uses())) == 1 == len(
        list(source.uses())
    ):
        return
    copy = new_constant(model, f"{node.name}_{source.name}", source.const_value.numpy())
    _replace_quantizer(model, node, quantizer, [copy, *quantizer.inputs[1:]])


def _replace_quantizer(
    model: QonnxModel, node: ir.Node, quantizer: ir.Node, inputs: list[ir.Value | None]
) -> None:
    own = ir.node(
        "Quant", inputs, {}, domain=quantizer.domain, name=f"{quantizer.name}_{node.name}"
    )
    for name, attribute in quantizer.attributes.items():
        own.attributes[name] = attribute
    own.outputs[0].name = f"{quantizer.outputs[0].name}_{node.name}"
    model.ir.graph.insert_before(node, own)
    node.replace_input_with(1, own.outputs[0])


def real_weights(model: QonnxModel) -> QonnxModel:
    """Return a copy whose weights and biases are the numbers that their quantisers give."""
    return clone(infer_shapes(fold_constants(infer_shapes(clone(model)))))


def open_weights(layer: Layer) -> None:
    """Take the quantisers off a layer's weights and bias, to give it others."""
    weight = layer.node.inputs[1]
    assert weight is not None
    operands = [(layer.node, 1, weight), *_biases(layer)]
    for node, index, value in operands:
        quantizer = value.producer()
        source = value if quantizer is None else quantizer.inputs[0]
        if source is None or source.const_value is None:
            continue
        array = source.const_value.numpy()
        node.replace_input_with(index, new_constant(layer.model, f"{source.name}_own", array))
        if quantizer is not None and not list(value.uses()):
            layer.model.ir.graph.remove(quantizer, safe=True)


def _biases(layer: Layer) -> Iterator[tuple[ir.Node, int, ir.Value]]:
    """Yield where constants are added to a layer's results."""
    if len(layer.node.inputs) > 2 and layer.node.inputs[2] is not None:
        yield layer.node, 2, layer.node.inputs[2]
    for use in layer.node.outputs[0].uses() if layer.node.op_type == "MatMul" else ():
        for i, value in enumerate(use.node.inputs):
            if use.node.op_type == "Add" and value is not None and is_fixed(value):
                yield use.node, i, value
