"""Cross-layer equalisation: channels of one layer get ranges alike, the next layer makes up for it.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
arXiv:1906.04721, section 4.1. The function of the float model stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.quantization.layers import Layer, layers_of
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.ops import facts_of
from hwflow.ops.reshape import Reshape

Floats = npt.NDArray[np.float64]

ROUNDS = 20
"""Passes over all pairs at most; the paper iterates until nothing changes."""

CONVERGED = 1e-3


def equalize(model: QonnxModel) -> int:
    """Equalise all pairs of layers with nothing but homogeneous functions between, in place.

    Returns:
        The number of pairs.
    """
    pairs = list(_pairs(model))
    for _ in range(ROUNDS):
        changes = [_equalize_pair(first, second) for first, second in pairs]
        if max(changes, default=0.0) < CONVERGED:
            break
    return len(pairs)


def _pairs(model: QonnxModel) -> Iterator[tuple[Layer, Layer]]:
    """Yield layers of which the first's result goes to the second alone, channel by channel."""
    layers = {layer.node: layer for layer in layers_of(model)}
    outputs = list(model.ir.graph.outputs)
    for first in layers.values():
        value = first.output
        while (user := _only_user(value, outputs)) is not None and _is_homogeneous(user):
            value = user.outputs[0]
        second = None if user is None else layers.get(user)
        if second is not None and _channels_fit(first, second):
            yield first, second


def _only_user(value: ir.Value, outputs: list[ir.Value]) -> ir.Node | None:
    users = list(value.uses())
    is_output = any(value is out for out in outputs)
    return users[0].node if len(users) == 1 and not is_output and users[0].idx == 0 else None


def _is_homogeneous(node: ir.Node) -> bool:
    """Return whether a node takes each channel by itself, with f(s x) = s f(x) for s > 0.

    A reshape only does as a flatten, which keeps the elements of a channel together.
    """
    facts = facts_of(node)
    if issubclass(facts, Reshape) and node.op_type != "Identity":
        shape = node.outputs[0].shape
        return shape is not None and len(shape) == 2
    return node.op_type in ("Identity", *facts.pools) or facts.homogeneous


def _channels_fit(first: Layer, second: Layer) -> bool:
    """Return whether the channels of ``first`` are the (blocks of) inputs of ``second``."""
    groups, outputs, _ = first.matrix().shape
    if first.node.op_type != "Conv" and len(first.output.shape or ()) != 2:
        return False
    return second.groups in (1, groups * outputs) and _inputs(second) % (groups * outputs) == 0


def _inputs(layer: Layer) -> int:
    """Return the number of input features, positions under a kernel not counted."""
    assert layer.weight.shape is not None
    shape = [int(d) for d in layer.weight.shape.numpy()]
    return shape[1] * layer.groups if layer.outputs_first else shape[0]


def _equalize_pair(first: Layer, second: Layer) -> float:
    """Equalise one pair and return by how much the farthest channel was scaled, as a logarithm."""
    a, b = first.matrix(), second.matrix()
    channels = a.shape[0] * a.shape[1]
    columns = b.reshape(b.shape[1] if second.groups == 1 else 1, channels, -1)
    range_a = np.abs(a).max(2).ravel()
    range_b = np.abs(columns).max((0, 2))
    used = (range_a > 0) & (range_b > 0)
    factor = np.where(used, np.sqrt(np.where(used, range_a / np.where(used, range_b, 1), 1)), 1.0)
    first.set_matrix(a / factor.reshape(a.shape[0], a.shape[1], 1))
    bias = first.bias()
    if bias is not None:
        first.set_bias(bias / factor)
    second.set_matrix((columns * factor[None, :, None]).reshape(b.shape))
    return float(np.abs(np.log(factor)).max())
