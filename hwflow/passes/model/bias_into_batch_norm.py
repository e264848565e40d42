"""A bias that nobody quantised moves into the batch norm behind it.

``(x @ w + b - mean) * s`` is ``(x @ w - (mean - b)) * s``. The sum before the batch norm then needs
no bits for the bias's 24, and the batch norm's constants are rounded to float32 once, as ever.
A batch norm with a quantiser behind it becomes part of a ``Requantize``, bias and all.
"""

from __future__ import annotations

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, add_constant, constant_of, operator_name
from hwflow.ops import facts_of
from hwflow.passes.model.tails import Tail, closes

BIAS = 2
"""Position of the bias among the inputs of Conv and Gemm."""

MEAN = 3
"""Position of the running mean among the inputs of BatchNormalization."""


def bias_into_batch_norm(model: QonnxModel) -> QonnxModel:
    """Change the model in place: unquantised biases before a batch norm become part of its mean."""
    for node in model.ir.graph:
        if operator_name(node) == "BatchNormalization" and closes(node) is Tail.OPEN:
            _move(model, node)
    return model


def _move(model: QonnxModel, norm: ir.Node) -> None:
    value = norm.inputs[0]
    producer = value.producer() if value is not None else None
    if value is None or producer is None or not facts_of(producer).weighted:
        return
    if len(value.consumers()) > 1 or value.is_graph_output() or len(producer.inputs) <= BIAS:
        return
    if float(producer.attributes.get_float("beta", 1.0) or 0.0) != 1.0:
        return
    bias_value, mean_value = producer.inputs[BIAS], norm.inputs[MEAN]
    bias = constant_of(bias_value) if bias_value is not None else None
    mean = constant_of(mean_value) if mean_value is not None else None
    if bias is None or mean is None or bias.quantized or bias.values.ndim != 1:
        return
    moved = add_constant(model, f"{value.name}_mean", mean.values - bias.values)
    norm.replace_input_with(MEAN, moved)
    producer.replace_input_with(BIAS, None)
