"""Random small QONNX networks with scales of any kind: float32, per channel, zero points."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.networks import DOMAIN, Builder

Scales = Literal["float", "mixed"]
MODES = ("ROUND", "ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
ACTIVATIONS = (
    "Relu", "Relu", "none", "LeakyRelu", "Sigmoid", "Tanh", "Elu", "HardSwish", "HardSigmoid",
    "Softplus", "Silu", "Clip", "PRelu", "Gelu",
)  # fmt: skip


@dataclass
class FloatBuilder(Builder):
    """A builder whose quantisers have scales that are not powers of two, or only some of them."""

    scales: Scales = "float"

    def scale(self, low: float, high: float, shape: tuple[int, ...] = ()) -> Any:
        """Return float32 scales, in `mixed` networks sometimes powers of two."""
        drawn = np.exp(self.rng.uniform(np.log(low), np.log(high), shape))
        if self.scales == "mixed" and self.rng.integers(2):
            drawn = 2.0 ** np.round(np.log2(drawn))
        return np.float32(drawn)

    def activation(
        self, x: str, *, signed: bool = True, scale: Any = None, zero: bool = True
    ) -> str:
        """Append a quantiser with random width, rounding, scale and zero point."""
        bits = int(self.rng.integers(2, 7))
        shifted = zero and self.rng.random() < 0.2
        offset = float(self.rng.integers(-2, 4)) if shifted else 0.0
        size = self.scale(0.05, 0.6) if scale is None else scale
        constants = (size, np.float32(offset), float(bits))
        return self.node(
            "Quant", [x, *(self.constant(c) for c in constants)], DOMAIN, signed=int(signed),
            narrow=int(signed and bits > 2 and bool(self.rng.integers(2))),
            rounding_mode=str(self.rng.choice(MODES)),
        )  # fmt: skip

    def float_weight(self, shape: tuple[int, ...], axis: int) -> str:
        """Append a quantised weight, its scale one or one for each output, maybe a zero point."""
        bits = int(self.rng.integers(2, 7))
        sizes = [1] * len(shape)
        if self.rng.integers(2):
            sizes[axis] = shape[axis]
        scale = self.scale(0.02, 0.5, tuple(sizes))
        zero = np.float32(self.rng.integers(-1, 2) if self.rng.random() < 0.2 else 0)
        levels = self.rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape)
        values = self.constant((levels * scale).astype(np.float32))
        operands = [values, self.constant(scale), self.constant(zero), self.constant(float(bits))]
        return self.node("Quant", operands, DOMAIN, signed=1, narrow=0, rounding_mode="ROUND")

    def norm(self, x: str, channels: int) -> str:
        """Append a batch norm; sometimes a channel is switched off or turned around."""
        gamma = self.rng.uniform(0.2, 1.5, channels) * self.rng.choice([1, 1, 1, -1, 0], channels)
        rest = [self.rng.normal(size=channels), self.rng.normal(size=channels)]
        variance = self.rng.uniform(0.2, 2, channels)
        operands = [x, *(self.constant(v) for v in (gamma, *rest, variance))]
        return self.node("BatchNormalization", operands, epsilon=1e-5)


def activated(b: FloatBuilder, x: str) -> str:
    """Append a random activation and its quantiser."""
    kind = str(b.rng.choice(ACTIVATIONS))
    match kind:
        case "none":
            return b.activation(x)
        case "Silu":
            return b.activation(b.node("Mul", [x, b.node("Sigmoid", [x])]))
        case "Clip":
            x = b.node("Clip", [x, b.constant(-0.7), b.constant(1.3)])
        case "PRelu":
            x = b.node("PRelu", [x, b.constant([0.17])])
        case "LeakyRelu":
            x = b.node("LeakyRelu", [x], alpha=0.1)
        case "Relu" | "Sigmoid":
            return b.activation(b.node(kind, [x]), signed=False, scale=b.scale(0.02, 0.3))
        case _:
            x = b.node(kind, [x])
    return b.activation(x)


def weighted(
    b: FloatBuilder, x: str, channels: int, sizes: tuple[int, ...], *, norm: bool = True
) -> tuple[str, int, tuple[int, ...]]:
    """Append a dense layer or a convolution, maybe with a float bias and a batch norm."""
    outputs = int(b.rng.integers(2, 5))
    groups = channels if sizes and b.rng.random() < 0.25 else 1
    outputs = channels if groups > 1 else outputs
    bias = [b.constant(b.rng.normal(size=outputs))] if b.rng.integers(2) else []
    if sizes:
        kernel = [min(2, s) for s in sizes]
        w = b.float_weight((outputs, channels // groups, *kernel), 0)
        x = b.node("Conv", [x, w, *bias], kernel_shape=kernel, group=groups)
        sizes = tuple(s - k + 1 for s, k in zip(sizes, kernel, strict=True))
    elif bias:
        x = b.node("Gemm", [x, b.float_weight((outputs, channels), 0), *bias], transB=1)
    else:
        x = b.node("MatMul", [x, b.float_weight((channels, outputs), 1)])
    return (b.norm(x, outputs) if norm and b.rng.integers(2) else x), outputs, sizes


def residual(b: FloatBuilder, x: str, channels: int) -> str:
    """Append a sum of two quantised copies of a value, of equal or other scales, quantised."""
    scale = b.scale(0.05, 0.5)
    factor = float(b.rng.choice([1.0, 2.0, 0.25, 0.37, 1.9]))
    left = b.activation(x, scale=scale, zero=False)
    right = b.activation(x, scale=np.float32(scale * np.float32(factor)), zero=False)
    if b.rng.random() < 0.3:
        right = b.norm(right, channels)
    return b.activation(b.node(str(b.rng.choice(["Add", "Sub"])), [left, right]))


def block(
    b: FloatBuilder, x: str, channels: int, sizes: tuple[int, ...]
) -> tuple[str, int, tuple[int, ...]]:
    """Append one of: layer, pooling before its quantiser, residual sum, concatenation."""
    kind = str(b.rng.choice(["layer", "layer", "pool", "residual", "concat"]))
    if kind == "residual":
        return residual(b, x, channels), channels, sizes
    if kind == "concat":
        joined = b.node("Concat", [x, b.activation(x)], axis=1)
        return b.activation(joined), 2 * channels, sizes
    x, channels, sizes = weighted(b, x, channels, sizes)
    if kind == "pool" and sizes and min(sizes) > 1:
        x = b.node("Relu", [x]) if b.rng.integers(2) else x
        op = str(b.rng.choice(["MaxPool", "AveragePool"]))
        x = b.activation(x) if op == "AveragePool" else x
        x = b.node(op, [x], kernel_shape=[2] * len(sizes), strides=[2] * len(sizes))
        sizes = tuple(s // 2 for s in sizes)
    return activated(b, x), channels, sizes


def ending(b: FloatBuilder, x: str, channels: int) -> str:
    """Append what a network ends in: logits, with an offset, a label, or a quantiser."""
    # a batch norm at the output of plain fixed point is rounded to float32
    x, channels, _ = weighted(b, x, channels, (), norm=b.scales == "float")
    kind = int(b.rng.integers(4))
    if kind == 0:
        return b.node("ArgMax", [x], axis=1, keepdims=1)
    if kind == 1:
        return b.node("Add", [b.node("Mul", [x, b.constant(0.37)]), b.constant(-0.21)])
    return b.activation(x) if kind == 2 else x


def float_network(seed: int, scales: Scales = "float") -> onnx.ModelProto:
    """Return a random network; the same seed gives the same model."""
    b = FloatBuilder(np.random.default_rng(seed), scales=scales)
    spatial = int(b.rng.choice([0, 0, 1, 2]))
    sizes = tuple(int(s) for s in b.rng.integers(3, 6, spatial))
    channels = int(b.rng.integers(2, 5))
    shape = (1, channels, *sizes)
    per_channel = b.rng.random() < 0.2
    scale = b.scale(0.05, 0.5, (1, channels, *(1 for _ in sizes)) if per_channel else ())
    x = b.activation("x", signed=bool(b.rng.integers(2)), scale=scale)
    if per_channel:
        x = b.activation(x)
    for _ in range(int(b.rng.integers(1, 4))):
        x, channels, sizes = block(b, x, channels, sizes)
    if spatial:
        x, channels = b.node("Flatten", [x], axis=1), channels * int(np.prod(sizes))
    x = ending(b, x, channels)
    info = helper.make_tensor_value_info
    kind = TensorProto.INT64 if b.nodes[-1].op_type == "ArgMax" else TensorProto.FLOAT
    graph = helper.make_graph(
        b.nodes, f"float_{seed}", [info("x", TensorProto.FLOAT, shape)],
        [info(x, kind, None)],
        b.tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
