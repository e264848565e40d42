"""Takes channels out of a network: layers, constants and shapes shrink, the outputs stay."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.compression.pruning.channels import ARITHMETIC, Channels, Use, channels_of
from hwflow.frontends.quantization.layers import array_of, layers_of, new_constant, store
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel, operator_name
from hwflow.passes.model.infer_shapes import infer_shapes

Mask = npt.NDArray[np.bool_]


def masked(found: Channels, leaving: Collection[int]) -> QonnxModel:
    """Return the network with zeros for all weights that make or read some channels.

    Args:
        found: channels of the network.
        leaving: some of ``found.free``.
    """
    model, gone = clone(found.model), np.array(sorted(leaving), np.int64)
    for layer in list(layers_of(model)):
        use = found.uses.get(layer.node.name or "")
        if use is None:
            continue
        matrix = layer.matrix()
        matrix[~_stays(use, matrix.shape, gone)] = 0.0
        layer.set_matrix(matrix)
        bias = layer.bias()
        if bias is not None:
            layer.set_bias(np.where(np.isin(use.makes, gone), 0.0, bias))
    return model


def without(found: Channels, leaving: Collection[int]) -> QonnxModel:
    """Return the network without some channels; its outputs are those of ``masked``.

    What other layers read of these channels is left out with its weights, so sums lose terms that
    are 0. In floating point they may then be added in another order.

    Args:
        found: channels of the network.
        leaving: some of ``found.free``; at least one channel of each layer stays.
    """
    model, gone = clone(found.model), np.array(sorted(leaving), np.int64)
    layers = {layer.node.name: layer for layer in layers_of(model)}
    for node in list(model.ir.graph):
        if node.name in layers and node.name in found.uses:
            _shrink_layer(model, node, found.uses[node.name], gone)
        else:
            _shrink_constants(model, node, found, gone)
    common.RemoveUnusedNodesPass()(model.ir)
    infer_shapes(model)
    return clone(model)


def dead_channels(model: QonnxModel) -> tuple[Channels, list[int]]:
    """Return a network's channels, and those that no output depends on, or that are always 0.

    All weights that read such a channel are 0, or all weights and biases that make it are, and
    nothing on its way makes something else of 0.
    """
    found = channels_of(model)
    dead = [c for c in found.free if _is_unread(found, c) or _is_zero(found, c)]
    return found, _without_emptied(found, dead)


def reduced(model: QonnxModel) -> QonnxModel:
    """Return a network without dead channels; those that die of it leave, too."""
    while True:
        found, dead = dead_channels(model)
        if not dead:
            return model
        model = without(found, dead)


def _stays(use: Use, shape: tuple[int, ...], gone: npt.NDArray[np.int64]) -> Mask:
    """Return which weights of ``Layer.matrix`` neither make nor read channels that leave."""
    groups, outputs, inputs = shape
    makes = ~np.isin(use.makes, gone).reshape(groups, outputs, 1)
    if use.depthwise:
        return np.broadcast_to(makes, shape)
    reads = np.repeat(~np.isin(use.reads, gone), inputs // len(use.reads))
    return makes & reads


def _is_unread(found: Channels, channel: int) -> bool:
    """Return whether all weights that read a channel are 0; one that depthwise layers read is."""
    parts = [
        _read(use, channel) for use in found.uses.values()
        if (use.reads == channel).any() and not use.depthwise
    ]  # fmt: skip
    return bool(parts) and not any(part.any() for part in parts)


def _read(use: Use, channel: int) -> npt.NDArray[np.float64]:
    matrix = use.layer.matrix()[0]
    each = matrix.reshape(len(matrix), len(use.reads), -1)
    read: npt.NDArray[np.float64] = each[:, use.reads == channel]
    return read


def _is_zero(found: Channels, channel: int) -> bool:
    """Return whether a channel is 0 whatever the input is."""
    if channel in found.bent:
        return False
    for use in found.uses.values():
        made, bias = use.makes == channel, use.layer.bias()
        if bias is not None and bias[made].any():
            return False
        rows = use.layer.matrix().reshape(len(use.makes), -1)
        if not use.depthwise and rows[made].any():
            return False
    return True


def _without_emptied(found: Channels, dead: list[int]) -> list[int]:
    """Return channels that leave, but so few that every layer keeps one."""
    left = set(dead)
    for use in found.uses.values():
        for side in (use.makes, use.reads):
            if set(side.tolist()) <= left:
                left.discard(int(side[0]))
    return sorted(left)


def _shrink_layer(model: QonnxModel, node: ir.Node, use: Use, gone: npt.NDArray[np.int64]) -> None:
    (layer,) = (found for found in layers_of(model) if found.node is node)
    makes, reads = ~np.isin(use.makes, gone), ~np.isin(use.reads, gone)
    weights = array_of(layer.weight)
    rows = weights if layer.outputs_first else weights.T
    rows = rows[makes] if use.depthwise else rows[makes][:, reads]
    if use.depthwise and (~reads).any():
        node.attributes["group"] = ir.AttrInt64("group", int(reads.sum()))
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    _replace(model, node, 1, rows if layer.outputs_first else rows.T)
    if bias is not None and bias.const_value is not None:
        values = array_of(bias)
        if values.size == len(makes):
            _replace(model, node, 2, values.reshape(-1)[makes])


def _shrink_constants(
    model: QonnxModel, node: ir.Node, found: Channels, gone: npt.NDArray[np.int64]
) -> None:
    """Shorten what a node holds for each channel: constants of arithmetic, shapes."""
    labels = found.labels.get(node.outputs[0].name or "")
    if labels is None or not np.isin(labels, gone).any():
        return
    axis = found.axis(node.outputs[0].name or "")
    line = np.moveaxis(labels, axis - 1, 0).reshape(labels.shape[axis - 1], -1)[:, 0]
    stays = ~np.isin(line, gone)
    if operator_name(node) == "Reshape":
        _shrink_shape(model, node, axis, int(stays.sum()))
    norm = operator_name(node) == "BatchNormalization"
    if not norm and operator_name(node) not in ARITHMETIC:
        return
    for index, value in enumerate(node.inputs):
        if value is None or value.const_value is None:
            continue
        array, rank = array_of(value), labels.ndim + 1
        place = 0 if norm else axis - (rank - array.ndim)
        if 0 <= place < array.ndim and array.shape[place] == len(stays) > 1:
            _replace(model, node, index, array.compress(stays, axis=place))


def _shrink_shape(model: QonnxModel, node: ir.Node, axis: int, size: int) -> None:
    value = node.inputs[1]
    assert value is not None
    assert value.const_value is not None
    shape = value.const_value.numpy().astype(np.int64).copy()
    if shape[axis] > 0:
        shape[axis] = size
    constant = new_constant(model, f"{value.name}_shape", shape)
    constant.const_value = ir.tensor(shape, name=constant.name)
    constant.type = ir.TensorType(ir.DataType.INT64)
    node.replace_input_with(1, constant)


def _replace(model: QonnxModel, node: ir.Node, index: int, array: npt.NDArray[np.float64]) -> None:
    """Give a node a constant of its own; behind a quantiser the one that is quantised."""
    value = node.inputs[index]
    assert value is not None
    if value.const_value is not None and len(list(value.uses())) == 1:
        store(value, array)
        return
    node.replace_input_with(index, new_constant(model, f"{value.name}_part", array))
