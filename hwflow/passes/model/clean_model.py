"""Model pass: takes away what computes nothing, so that later passes see the network alone."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.ir.qonnx.model import QonnxModel


def clean_model(model: QonnxModel) -> QonnxModel:
    """Remove nodes without meaning at inference.

    1. ``Constant`` nodes become initializers.
    2. ``Dropout`` (inference) and ``Cast`` to the type a value already has become ``Identity``.
    3. ``Identity`` nodes are removed, except between a graph input and a graph output.
    4. Nodes and initializers that no output depends on are removed.
    5. Nodes without a name, or with one used before, get a unique one.

    Returns:
        The same model, changed in place.
    """
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model.ir)
    for node in model.ir.graph:
        if _is_dropout(node) or _is_idle_cast(node):
            _make_identity(node)
    common.IdentityEliminationPass()(model.ir)
    common.RemoveUnusedNodesPass()(model.ir)
    common.NameFixPass()(model.ir)
    return model


def _is_dropout(node: ir.Node) -> bool:
    """Return whether a node is a dropout whose mask nobody uses and that is not in training."""
    if node.domain or node.op_type != "Dropout" or any(o.uses() for o in node.outputs[1:]):
        return False
    mode = node.inputs[2] if len(node.inputs) > 2 else None
    return mode is None or (mode.const_value is not None and not mode.const_value.numpy().any())


def _is_idle_cast(node: ir.Node) -> bool:
    """Return whether a node casts a value to the type that it is known to have."""
    if node.domain or node.op_type != "Cast" or not node.inputs or node.inputs[0] is None:
        return False
    dtype = node.inputs[0].dtype
    return dtype is not None and "to" in node.attributes and dtype == node.attributes["to"].as_int()


def _make_identity(node: ir.Node) -> None:
    """Turn a node into an ``Identity`` of its first input."""
    node.op_type = "Identity"
    node.attributes.clear()
    node.resize_inputs(1)
    node.resize_outputs(1)
