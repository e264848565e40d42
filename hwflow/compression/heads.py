"""What a loss compares of an output: real numbers, for classes the logits."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer


def logits_of(model: QonnxModel) -> dict[str, str]:
    """Return the name of the value that stands for each output in a loss, by output.

    It is the output itself, but where that comes from a softmax over classes: then it is what the
    softmax takes, since losses of classes have a softmax of their own.
    """
    return {v.name or "": _logits(v) for v in model.ir.graph.outputs}


def without_softmax(model: QonnxModel) -> QonnxModel:
    """Return a copy whose outputs are what ``logits_of`` names; the classes are the same.

    Args:
        model: shapes known.
    """
    heads, made = logits_of(model), clone(model)
    graph = made.ir.graph
    values = {v.name: v for node in graph for v in node.outputs}
    for i, output in enumerate(graph.outputs):
        before = values.get(heads[output.name or ""], output)
        if before is not output:
            before.name, output.name = output.name, f"{output.name}_probabilities"
            before.shape, before.type = output.shape, output.type
            graph.outputs[i] = before
    common.RemoveUnusedNodesPass()(made.ir)
    return made


def _logits(output: ir.Value) -> str:
    node = output.producer()
    while node is not None and (is_quantizer(node) or is_fixed_quant(node)):
        value = node.inputs[0]
        node = None if value is None else value.producer()
    source = node.inputs[0] if node is not None and node.op_type == "Softmax" else None
    if node is None or source is None or output.shape is None:
        return output.name or ""
    axis = node.attributes.get("axis")
    place = (-1 if axis is None else axis.as_int()) % max(len(output.shape), 1)
    return (source.name if place == 1 else output.name) or ""
