"""Brings a float model to the form that is quantised: constants folded, batch norm in weights."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of, new_constant, store
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.passes.model.recurrence.unrolled import unroll
from hwflow.passes.model.rewrites import OF_FLOATS, rewrite

Nodes = list[ir.Node]


def prepare(model: QonnxModel) -> QonnxModel:
    """Return a copy of a float model with one set of constant weights for each layer.

    Batch norms behind a layer go into its weights, which are then quantised as the hardware
    multiplies them. An Einsum, and a product with the weights on the left or with several matrices
    of them, becomes products with weights on the right. Shapes are known of all values.

    Raises:
        CompileError: HW313, it has no layer with weights; and what the
            passes find.
    """
    float_model = clone(model)
    unroll(infer_shapes(fold_constants(infer_shapes(clean_model(float_model)))))
    rewrite(float_model, OF_FLOATS)
    common.NameFixPass()(float_model.ir)  # ONNX Runtime takes no two nodes of one name
    for layer in list(layers_of(float_model)):
        _own_weights(layer)
        _plain_gemm(layer)
    for layer in list(layers_of(float_model)):
        _fold_batch_norm(layer)
    if not any(True for _ in layers_of(float_model)):
        raise _refused(model, "no Conv, Gemm or MatMul with constant weights")
    return clone(infer_shapes(float_model))


def _refused(model: QonnxModel, found: str) -> CompileError:
    finding = Diagnostic(
        code="HW313",
        title="not a float model that can be quantised",
        where=f"in {model.source}",
        found=found,
        supported="float models with Conv, Gemm or MatMul layers",
        help="without such a layer there is nothing to quantise: give the model to `hwflow build`",
    )
    return CompileError([finding])


def _own_weights(layer: Layer) -> None:
    """Copy weights or a bias that other nodes use, too."""
    for index in (1, 2):
        value = layer.node.inputs[index] if index < len(layer.node.inputs) else None
        if value is not None and len(list(value.uses())) > 1 and value.const_value is not None:
            copy = new_constant(layer.model, f"{layer.name}.{value.name}", array_of(value))
            layer.node.replace_input_with(index, copy)


def _plain_gemm(layer: Layer) -> None:
    """Multiply a Gemm's factors into its weights and bias."""
    for name, index in (("alpha", 1), ("beta", 2)):
        factor = layer.node.attributes.pop(name, None)
        value = layer.node.inputs[index] if index < len(layer.node.inputs) else None
        if factor is not None and factor.as_float() != 1.0 and value is not None:
            store(value, array_of(value) * factor.as_float())


def _fold_batch_norm(layer: Layer) -> None:
    """Put a batch norm that alone takes the result into weights and bias (Jacob et al. 2018)."""
    graph, result = layer.model.ir.graph, layer.output
    users = [u.node for u in result.uses()]
    if len(users) != 1 or users[0].op_type != "BatchNormalization" or users[0].domain:
        return
    norm = users[0]
    by_channel = layer.node.op_type == "Conv" or (result.shape and len(result.shape) == 2)
    constant = all(v is not None and v.const_value is not None for v in norm.inputs[1:5])
    outward = {out.name for out in graph.outputs} & {result.name, norm.outputs[0].name}
    if not by_channel or not constant or outward:
        return
    gamma, beta, mean, variance = (array_of(v) for v in norm.inputs[1:5] if v is not None)
    epsilon = norm.attributes.get("epsilon")
    factor = gamma / np.sqrt(
        variance + (float(np.float32(1e-5)) if epsilon is None else epsilon.as_float())
    )
    bias = layer.bias()
    matrix = layer.matrix()
    layer.set_matrix(matrix * factor.reshape(matrix.shape[0], matrix.shape[1], 1))
    layer.set_bias(((0.0 if bias is None else bias) - mean) * factor + beta)
    ir.convenience.replace_all_uses_with(norm.outputs[0], layer.output)
    graph.remove(norm, safe=True)
