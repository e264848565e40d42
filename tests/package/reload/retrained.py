"""Networks of one structure with other weights, and their projects, for tests of reloads."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.fixtures import model
from tests.networks import Builder
from tests.package.builds import build

WIDE = {"fc1": "fixed<16,9>", "fc2": "fixed<16,9>", "conv": "fixed<16,9>"}
"""Accumulators that hold the sums of any weights that these networks can have."""


def dense(
    seed: int,
    *,
    bits: int = 4,
    scale: float = 1 / 8,
    hidden: int = 5,
    step: float = 1 / 4,
    most: float = 1.0,
    ends: bool = False,
) -> onnx.ModelProto:
    """Return two dense layers with biases.

    Args:
        seed: of the weights.
        bits: of a weight.
        scale: of weights.
        hidden: results of the first layer.
        step: scale of the input.
        most: largest share of a weight's range that is used.
        ends: the least and the greatest weight are there all the same.
    """
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", 5, step, signed=True)
    first = b.node("MatMul", [x, weight(b, (6, hidden), bits, scale, most, ends=ends)])
    first = b.quant(
        b.node("Relu", [b.node("Add", [first, b.bias(hidden)])]), 4, 1 / 4, signed=False
    )
    second = b.node("MatMul", [first, weight(b, (hidden, 3), bits, scale, most, ends=ends)])
    return named(b, model(b, b.node("Add", [second, b.bias(3)]), (1, 6), (1, 3)))


def image(seed: int) -> onnx.ModelProto:
    """Return a convolution with padding and a dense layer behind it."""
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", 4, 1 / 4, signed=True)
    kernel = weight(b, (3, 2, 3, 3), 4, 1 / 8, 1.0, ends=True)
    y = b.node("Conv", [x, kernel, b.bias(3)], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    y = b.quant(b.node("Relu", [y]), 4, 1 / 2, signed=False)
    y = b.node("MatMul", [b.node("Flatten", [y]), weight(b, (48, 3), 4, 1 / 8, 1.0)])
    return named(b, model(b, b.node("Add", [y, b.bias(3)]), (1, 2, 4, 4), (1, 3)))


def weight(
    b: Builder, shape: tuple[int, ...], bits: int, scale: float, most: float, *, ends: bool = False
) -> str:
    half = 2 ** (bits - 1)
    raw = b.rng.integers(-round(half * most), round(half * most), shape)
    if ends:
        raw.flat[:2] = -half, half - 1
    return b.quant(b.constant(raw * scale), bits, scale, signed=True)


def named(b: Builder, found: onnx.ModelProto) -> onnx.ModelProto:
    """Name the layers with weights, whose names the settings refer to."""
    products = [node for node in found.graph.node if node.op_type in ("MatMul", "Conv")]
    names = ["conv", "fc2"] if products[0].op_type == "Conv" else ["fc1", "fc2"]
    for node, name in zip(products, names, strict=True):
        node.name = name
    return found


def built(folder: Path, source: Any, accum: Any = WIDE, **settings: Any) -> Path:
    """Write the project of a network whose accumulators hold any weights, unless others are asked.

    Args:
        folder: where.
        source: the network.
        accum: accumulators by layer.
        settings: further ones, by layer or of the target.
    """
    layers = {node.name for node in source.graph.node if node.name in WIDE}
    config: dict[str, Any] = {"layer": {n: {"accum_t": accum[n]} for n in layers & set(accum)}}
    for name in layers & set(settings):
        config["layer"].setdefault(name, {}).update(settings.pop(name))
    return build(folder, source, config=config, board="pynq-z2", **settings)
