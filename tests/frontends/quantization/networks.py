"""Small float networks that quantisation has to cope with, and data for them."""

from typing import Any

import numpy as np
import onnx

from tests.fixtures import model
from tests.networks import Builder


def weights(b: Builder, *shape: int) -> str:
    """Add normal weights, scaled for the number of inputs, channels of unlike ranges."""
    fan_in = np.prod(shape[1:]) if len(shape) != 2 else shape[0]
    spread = np.exp(b.rng.normal(0, 0.7, (shape[0], *(1 for _ in shape[1:]))))
    return b.constant(b.rng.normal(0, 1 / np.sqrt(fan_in), shape) * spread)


def residual() -> onnx.ModelProto:
    """Two convolutions around which the values go, too; a pool, a dense layer."""
    b = Builder(np.random.default_rng(1))
    conv = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}
    x = b.node("Conv", ["x", weights(b, 4, 2, 3, 3), b.constant(b.rng.normal(size=4))], **conv)
    x = b.node("Relu", [x])
    y = b.node("Conv", [x, weights(b, 4, 4, 3, 3)], **conv)
    norm = [np.abs(b.rng.normal(size=4)) + 0.5 for _ in range(4)]
    y = b.node("BatchNormalization", [y, *map(b.constant, norm)])
    x = b.node("Relu", [b.node("Add", [y, x])])
    x = b.node("MaxPool", [x], kernel_shape=(2, 2), strides=(2, 2))
    x = b.node("Flatten", [x], axis=1)
    x = b.node("Gemm", [x, weights(b, 36, 3), b.constant(b.rng.normal(size=3))])
    return model(b, x, (1, 2, 6, 6), (1, 3))


def branches() -> onnx.ModelProto:
    """Depthwise and strided branches, concatenated; averages; a gate; MatMul with a bias."""
    b = Builder(np.random.default_rng(2))
    wide = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "strides": (2, 2)}
    a = b.node("Sigmoid", [b.node("Conv", ["x", weights(b, 3, 2, 3, 3)], **wide)])
    c = b.node("Conv", ["x", weights(b, 4, 1, 3, 3)], group=2, **wide)
    c = b.node("LeakyRelu", [c], alpha=0.1)
    x = b.node("Concat", [a, c], axis=1)
    x = b.node("AveragePool", [x], kernel_shape=(2, 2), strides=(1, 1))
    x = b.node("Mul", [x, b.node("Sigmoid", [x])])
    x = b.node("Flatten", [x], axis=1)
    x = b.node("MatMul", [x, weights(b, 28, 5)])
    x = b.node("Add", [x, b.constant(b.rng.normal(size=5))])
    x = b.node("MatMul", [b.node("Tanh", [x]), weights(b, 5, 3)])
    return model(b, x, (1, 2, 6, 6), (1, 3))


NETWORKS = {"residual": residual, "branches": branches}


def data(samples: int = 80, seed: int = 0) -> Any:
    """Return inputs of both signs for any of the networks."""
    return np.random.default_rng(seed).normal(size=(samples, 2, 6, 6)).astype(np.float32)
