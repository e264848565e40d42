"""Networks whose channels hang together in different ways, their weights whole numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from hwflow import frontends
from hwflow.frontends.quantization.preparation import prepare
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.simulate.float32 import Reference
from tests.fixtures import model
from tests.networks import Builder

SAME = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def whole(b: Builder, *shape: int) -> str:
    """Add small whole numbers: sums of products of them are exact in float32 in any order."""
    return b.constant(b.rng.integers(-3, 4, shape) + 0.5 * b.rng.integers(0, 2, shape))


def mlp(b: Builder) -> tuple[str, tuple[int, ...]]:
    """Dense layers in three forms: Gemm, Gemm with transB, MatMul and Add."""
    x = b.node("Relu", [b.node("Gemm", ["x", whole(b, 6, 8), whole(b, 8)])])
    x = b.node("Relu", [b.node("Gemm", [x, whole(b, 7, 8), whole(b, 7)], transB=1)])
    x = b.node("Add", [b.node("MatMul", [x, whole(b, 7, 5)]), whole(b, 5)])
    return b.node("Gemm", [b.node("Relu", [x]), whole(b, 5, 3)]), (6,)


def flat(b: Builder) -> tuple[str, tuple[int, ...]]:
    """Convolutions, a pool, Flatten, a dense layer."""
    x = b.node("Relu", [b.node("Conv", ["x", whole(b, 4, 2, 3, 3), whole(b, 4)], **SAME)])
    x = b.node("MaxPool", [x], kernel_shape=(2, 2), strides=(2, 2))
    x = b.node("Relu", [b.node("Conv", [x, whole(b, 5, 4, 2, 2)], kernel_shape=(2, 2))])
    x = b.node("Flatten", [x], axis=1)
    return b.node("Gemm", [x, whole(b, 20, 3), whole(b, 3)]), (2, 6, 6)


def reshaped(b: Builder) -> tuple[str, tuple[int, ...]]:
    """A factor for each channel, Transpose and Reshape before a dense layer."""
    x = b.node("Conv", ["x", whole(b, 4, 2, 3, 3)], kernel_shape=(3, 3))
    x = b.node("Relu", [b.node("Add", [b.node("Mul", [x, whole(b, 4, 1, 1)]), whole(b, 4, 1, 1)])])
    x = b.node("Transpose", [x], perm=(0, 2, 3, 1))
    x = b.node("Reshape", [x, b.constant([1, 64], np.int64)])
    return b.node("Gemm", [x, whole(b, 64, 3)]), (2, 6, 6)


def residual(b: Builder) -> tuple[str, tuple[int, ...]]:
    """Two additions around convolutions: their channels are one."""
    x = b.node("Relu", [b.node("Conv", ["x", whole(b, 4, 2, 3, 3), whole(b, 4)], **SAME)])
    for _ in range(2):
        y = b.node("Relu", [b.node("Conv", [x, whole(b, 3, 4, 3, 3)], **SAME)])
        x = b.node("Relu", [b.node("Add", [b.node("Conv", [y, whole(b, 4, 3, 1, 1)]), x])])
    x = b.node("Flatten", [x])
    return b.node("Gemm", [x, whole(b, 144, 3)]), (2, 6, 6)


def concat(b: Builder) -> tuple[str, tuple[int, ...]]:
    """Two branches side by side, one of them depthwise, and what reads both."""
    x = b.node("Relu", [b.node("Conv", ["x", whole(b, 4, 2, 3, 3)], **SAME)])
    a = b.node("Relu", [b.node("Conv", [x, whole(b, 8, 1, 3, 3), whole(b, 8)], group=4, **SAME)])
    c = b.node("Relu", [b.node("Conv", [x, whole(b, 3, 4, 1, 1)])])
    x = b.node(
        "Relu", [b.node("Conv", [b.node("Concat", [a, c, x], axis=1), whole(b, 4, 15, 1, 1)])]
    )
    x = b.node("GlobalMaxPool", [x])
    return b.node("Gemm", [b.node("Flatten", [x]), whole(b, 4, 3)]), (2, 6, 6)


NETWORKS: dict[str, Callable[[Builder], tuple[str, tuple[int, ...]]]] = {
    "mlp": mlp, "flat": flat, "reshaped": reshaped, "residual": residual, "concat": concat,
}  # fmt: skip


def network(name: str, seed: int = 0) -> QonnxModel:
    """Return a network, prepared."""
    return prepare(frontends.load(proto(name, seed)))


def proto(name: str, seed: int = 0) -> onnx.ModelProto:
    """Return a network as a file holds it."""
    b = Builder(np.random.default_rng(seed))
    output, shape = NETWORKS[name](b)
    return model(b, output, (1, *shape), (1, 3))


def inputs(found: QonnxModel, samples: int = 12, seed: int = 1) -> dict[str, Any]:
    """Return whole numbers for a network's input."""
    (value,) = found.ir.graph.inputs
    assert value.shape is not None
    shape = [int(d) for d in value.shape.numpy()[1:]]
    rng = np.random.default_rng(seed)
    return {value.name or "": rng.integers(-4, 5, (samples, *shape)).astype(np.float32)}


def outputs(found: QonnxModel, data: dict[str, Any]) -> Any:
    """Return the output of a network."""
    return next(iter(Reference(found).run(data).values()))
