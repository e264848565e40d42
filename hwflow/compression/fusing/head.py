"""One head on the features of several networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.compression.heads import without_softmax
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.ensemble import ensemble
from hwflow.frontends.quantization.layers import Layer, layers_of, new_constant
from hwflow.frontends.quantization.preparation import prepare
from hwflow.ir.qonnx.model import QonnxModel

HEAD = "head"
"""Name of the new layer."""


def with_one_head(models: Sequence[QonnxModel]) -> QonnxModel:
    """Return a network with the features of several, joined, and one dense layer behind them.

    Features are what the last layer of a network takes. The new layer begins as the mean of the
    last layers, so that the network begins as the mean of the outputs, logits for classes.

    Args:
        models: float networks with the same inputs and outputs.

    Returns:
        prepared; the new layer is called ``HEAD``.

    Raises:
        CompileError: HW260 to HW263, the networks do not fit together; HW391, a network does not
            end in a dense layer.
    """
    members = [without_softmax(prepare(model)) for model in models]
    findings = [_headless(m) for m in members if _last_layer(m, m.ir.graph.outputs[0]) is None]
    if findings:
        raise CompileError(findings)
    merged = ensemble(members, vote="sum")
    vote = merged.ir.graph.outputs[0].producer()
    assert vote is not None
    heads = [_last_layer(merged, value) for value in vote.inputs if value is not None]
    _replace(merged, vote, [head for head in heads if head is not None])
    common.RemoveUnusedNodesPass()(merged.ir)
    return prepare(merged)


def _last_layer(model: QonnxModel, value: ir.Value | None) -> Layer | None:
    """Return the dense layer that a value is the result of, None for other values."""
    for layer in layers_of(model):
        flat = layer.output.shape is not None and len(layer.output.shape) == 2
        if layer.output is value and layer.node.op_type != "Conv" and flat:
            return layer
    return None


def _replace(model: QonnxModel, vote: ir.Node, heads: Sequence[Layer]) -> None:
    """Put one dense layer in the place of several and their sum."""
    graph, (old,) = model.ir.graph, vote.outputs
    matrix = np.concatenate([head.matrix()[0] / len(heads) for head in heads], axis=1)
    biases = [head.bias() for head in heads]
    bias = sum((b for b in biases if b is not None), np.zeros(len(matrix))) / len(heads)
    joined = ir.node(
        "Concat", [head.node.inputs[0] for head in heads], {"axis": 1}, name="features"
    )
    weight = new_constant(model, f"{HEAD}.weight", matrix)
    added = new_constant(model, f"{HEAD}.bias", bias)
    layer = ir.node("Gemm", [joined.outputs[0], weight, added], {"transB": 1}, name=HEAD)
    (new,) = layer.outputs
    new.name, old.name = old.name, None
    new.shape, new.type = old.shape, old.type
    graph.extend([joined, layer])
    graph.outputs[0] = new
    graph.remove(vote, safe=True)


def _headless(model: QonnxModel) -> Diagnostic:
    return Diagnostic(
        code="HW391", title="a network without a dense layer at its end",
        where=f"in {model.source}",
        found=f"outputs {', '.join(v.name or '' for v in model.ir.graph.outputs)}",
        supported="one output, from a Gemm or MatMul, or a softmax behind one",
        help="average their outputs instead: hwflow compress fuse ensemble",
    )  # fmt: skip
