"""Small networks with approximate layers in different places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from tests.networks import Builder
from tests.verify.exact.models import model, signed_quant

FEATURES, CLASSES = 6, 5

End = Callable[[Builder, str], str]


def weights(b: Builder, rows: int, columns: int, scale: float = 0.25) -> str:
    real = np.random.default_rng(rows).normal(0, 2 * scale, (rows, columns))
    return signed_quant(b, b.constant(real), scale=scale)


def constants(b: Builder, seed: int) -> str:
    return b.constant(np.random.default_rng(seed).normal(1, 0.2, CLASSES).astype(np.float32))


def network(end: End) -> onnx.ModelProto:
    """Return a dense layer with quantised input and weights, and what ``end`` puts behind it."""
    b = Builder(np.random.default_rng(1))
    x = signed_quant(b, "x", scale=0.25, bits=6.0)
    hidden = b.node("MatMul", [x, weights(b, FEATURES, CLASSES)])
    return model(b, [end(b, hidden)], (FEATURES,))


def quantised(b: Builder, x: str, **changes: Any) -> str:
    return signed_quant(b, x, **{"scale": 0.25, "bits": 6.0, **changes})


def batch_norm(b: Builder, x: str) -> str:
    parts = [constants(b, seed) for seed in range(3)]
    spread = b.constant(np.random.default_rng(9).uniform(0.5, 2, CLASSES).astype(np.float32))
    return b.node("BatchNormalization", [x, *parts, spread])


def mean(b: Builder, x: str) -> str:
    return b.node("ReduceMean", [x, b.constant([1], np.int64)], keepdims=1)


def softmax_then_dense(b: Builder, x: str) -> str:
    shares = b.node("Softmax", [quantised(b, x)], axis=-1)
    return b.node("MatMul", [quantised(b, shares, scale=0.0625), weights(b, CLASSES, 3)])


def two_sigmoids(b: Builder, x: str) -> str:
    first = b.node("Sigmoid", [quantised(b, x)])
    return b.node("Sigmoid", [b.node("MatMul", [first, weights(b, CLASSES, 4)])])


def data(samples: int = 200) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(0, 2, (samples, FEATURES)).astype(np.float32)
