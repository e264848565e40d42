"""Small networks to fit, with few legal settings or with many layers."""

from itertools import pairwise

import numpy as np
import onnx

from tests.fixtures import model
from tests.networks import Builder


def activated(b: Builder, x: str, bits: int = 4) -> str:
    return b.quant(b.node("Relu", [x]), bits, 1 / 8, signed=False)


def chain(seed: int, widths: tuple[int, ...], bits: int = 6) -> onnx.ModelProto:
    """Return dense layers one behind the other; 12-bit weights so that DSP blocks are at stake."""
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", bits, 1 / 16, signed=True)
    for n_in, n_out in pairwise(widths):
        weight = b.weight((n_in, n_out), int(b.rng.choice([2, 5, 12])), 1 / 64)
        x = activated(b, b.node("MatMul", [x, weight]), int(b.rng.choice([3, 8])))
    return model(b, x, (1, widths[0]), (1, widths[-1]))


def branched(seed: int, n: int = 3) -> onnx.ModelProto:
    """Return a dense layer, two branches of different depth that are added, and a dense end."""
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", 8, 1 / 16, signed=True)

    def dense(x: str, n_in: int, n_out: int) -> str:
        weight = b.weight((n_in, n_out), int(b.rng.choice([3, 12])), 1 / 64)
        return activated(b, b.node("MatMul", [x, weight]), 6)

    x = dense(x, n, 2)
    y = b.node("Add", [dense(x, 2, 2), dense(dense(x, 2, 1), 1, 2)])
    return model(b, dense(activated(b, y), 2, n), (1, n), (1, n))


def image(seed: int, size: int = 3, channels: int = 2) -> onnx.ModelProto:
    """Return a convolution, a pooling where there is room, and a dense layer."""
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", 8, 1 / 16, signed=True)
    weight = b.weight((channels, 1, 2, 2), 8, 1 / 32)
    x = activated(b, b.node("Conv", [x, weight, b.bias(channels)], kernel_shape=(2, 2)), 6)
    side = size - 1
    if side % 2 == 0:
        x, side = b.node("MaxPool", [x], kernel_shape=(2, 2), strides=(2, 2)), side // 2
    x = b.node("Flatten", [x], axis=1)
    weight = b.weight((channels * side * side, 2), 12, 1 / 64)
    return model(b, b.node("MatMul", [x, weight]), (1, 1, size, size), (1, 2))


def skipped(seed: int) -> onnx.ModelProto:
    """Return a dense layer, another one beside a connection that skips it, and a dense end."""
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", 8, 1 / 16, signed=True)
    x = activated(b, b.node("MatMul", [x, b.weight((1, 2), 12, 1 / 64)]), 6)
    y = activated(b, b.node("MatMul", [x, b.weight((2, 2), 12, 1 / 64)]), 6)
    x = activated(b, b.node("Add", [x, y]))
    return model(b, b.node("MatMul", [x, b.weight((2, 1), 3, 1 / 4)]), (1, 1), (1, 1))


def scaled(seed: int) -> onnx.ModelProto:
    """Return a dense layer whose result has a scale that is no power of two, and a sigmoid."""
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", 8, 1 / 16, signed=True)
    x = b.node("Relu", [b.node("MatMul", [x, b.weight((2, 4), 12, 1 / 64)])])
    x = b.node("MatMul", [b.quant(x, 6, 0.3, signed=False), b.weight((4, 2), 4, 0.11)])
    return model(b, b.node("Sigmoid", [b.quant(x, 6, 1 / 8, signed=True)]), (1, 2), (1, 2))
