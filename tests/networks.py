"""Random small QONNX networks: seeded, exact in float32, covering what the front door takes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwflow.ir.qonnx.lookup_dense import function

DOMAIN = "qonnx.custom_op.general"
TABLES = "hwflow.fixed"
ROUNDINGS = ("ROUND", "FLOOR", "CEIL", "HALF_UP", "HALF_DOWN", "DOWN")


@dataclass
class Builder:
    """Collects nodes and initializers of one model."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    count: int = 0

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def constant(self, values: npt.ArrayLike, dtype: Any = np.float32) -> str:
        name = self.name("c")
        self.tensors.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        out = self.name("v")
        self.nodes.append(
            helper.make_node(
                op, inputs, [out], name=self.name(op.lower()), domain=domain, **attributes
            )
        )
        return out

    def quant(
        self,
        x: str,
        bits: int,
        scale: npt.ArrayLike,
        *,
        signed: bool,
        rounding: str = "ROUND",
        narrow: bool = False,
    ) -> str:
        operands = [x, self.constant(scale), self.constant(0.0), self.constant(float(bits))]
        return self.node(
            "Quant",
            operands,
            DOMAIN,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode=rounding,
        )

    def weight(
        self, shape: tuple[int, ...], bits: int, scale: float, axis: int | None = None
    ) -> str:
        raw = self.rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape)
        scales = np.float32(scale)
        if axis is not None:
            broadcast = [1] * len(shape)
            broadcast[axis] = shape[axis]
            scales = (scale * 2.0 ** -self.rng.integers(0, 3, broadcast)).astype(np.float32)
        values = (raw * scales).astype(np.float32)
        return self.quant(self.constant(values), bits, scales, signed=True)

    def bias(self, n: int) -> str:
        raw = self.rng.integers(-16, 17, n)
        return self.quant(self.constant(raw / 32.0), 6, 1 / 32, signed=True)


def activation_quant(b: Builder, x: str, *, signed: bool) -> str:
    """Append a quantiser with random width, scale, rounding and range."""
    bits = int(b.rng.integers(2, 7))
    scale = 2.0 ** -int(b.rng.integers(0, 5))
    rounding = str(b.rng.choice(ROUNDINGS))
    return b.quant(
        x, bits, scale, signed=signed, rounding=rounding, narrow=signed and bool(b.rng.integers(2))
    )


def nonlinearity(b: Builder, x: str) -> str:
    """Append a random activation and the quantiser behind it."""
    kind = b.rng.choice(["relu", "none", "leaky", "clip", "relu", "Sigmoid", "Tanh"])
    if kind == "relu":
        return activation_quant(b, b.node("Relu", [x]), signed=False)
    if kind in ("Sigmoid", "Tanh"):
        x = b.node(str(kind), [activation_quant(b, x, signed=True)])
        # To nearest only: other roundings see the last bit of ONNX Runtime's float32 tanh near 1.
        return b.quant(x, int(b.rng.integers(2, 7)), 1 / 16, signed=True)
    if kind == "leaky":
        x = b.node("LeakyRelu", [x], alpha=0.125)
    elif kind == "clip":
        x = b.node("Clip", [x, b.constant(-1.0), b.constant(1.0)])
    return activation_quant(b, x, signed=True)


def dense(b: Builder, x: str, n_in: int) -> tuple[str, int]:
    """Append a dense layer as MatMul, MatMul and Add, or Gemm."""
    n_out = int(b.rng.integers(2, 9))
    axis = [None, 1][int(b.rng.integers(2))]
    weight = b.weight(
        (n_in, n_out), int(b.rng.integers(2, 7)), 2.0 ** -int(b.rng.integers(1, 4)), axis
    )
    form = b.rng.integers(3)
    if form == 0:
        return b.node("Gemm", [x, weight, b.bias(n_out)]), n_out
    x = b.node("MatMul", [x, weight])
    return (b.node("Add", [x, b.bias(n_out)]) if form == 1 else x), n_out


def tables(b: Builder, x: str, n_in: int) -> tuple[str, int]:
    """Append sums of tables, of one input or of two, on a grid with fewer points than there are."""
    x = b.quant(x, 4, 0.25, signed=True)
    members, terms, n_out = int(b.rng.integers(1, 3)), int(b.rng.integers(1, 5)), 3
    count = b.rng.integers(2, 17, n_in)
    step = 2.0 ** -b.rng.integers(0, 3, n_in)
    source = b.rng.integers(0, n_in, (n_out, terms, members))
    sizes = count[source]
    stride = sizes[..., ::-1].cumprod(-1)[..., ::-1] // sizes
    size = sizes.prod(-1)
    values = b.rng.integers(-32, 32, size.sum()) / 16
    operands = [b.constant(a) for a in (-step * b.rng.integers(0, 9, n_in), step, count)]
    operands += [b.constant(a, np.int64) for a in (source, stride)]
    operands += [b.constant((size.cumsum() - size.ravel()).reshape(size.shape), np.int64)]
    y = b.node("LookupDense", [x, *operands, b.constant(values)], TABLES)
    return activation_quant(b, y, signed=True), n_out


def conv(
    b: Builder, x: str, channels: int, sizes: tuple[int, ...]
) -> tuple[str, int, tuple[int, ...]]:
    """Append a convolution with random kernel, stride, pads, dilation and groups."""
    rank = len(sizes)
    kernel = tuple(int(k) for k in b.rng.integers(1, 4, rank))
    stride = tuple(int(s) for s in b.rng.integers(1, 3, rank))
    pads = [int(p) for p in b.rng.integers(0, 2, 2 * rank)]
    dilation = tuple(
        int(d) for d in (b.rng.integers(1, 3, rank) if b.rng.random() < 0.2 else [1] * rank)
    )
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(
        s + pads[i] + pads[rank + i] < r for i, (s, r) in enumerate(zip(sizes, reach, strict=True))
    ):
        return x, channels, sizes
    kind = b.rng.choice(["plain", "plain", "depthwise", "grouped"])
    groups = {"depthwise": channels, "grouped": 2 if channels % 2 == 0 else 1}.get(str(kind), 1)
    filters = channels if kind == "depthwise" else groups * int(b.rng.integers(1, 4))
    shape = (filters, channels // groups, *kernel)
    axis = [None, 0][int(b.rng.integers(2))]
    weight = b.weight(shape, int(b.rng.integers(2, 6)), 2.0 ** -int(b.rng.integers(1, 4)), axis)
    operands = [x, weight] + ([b.bias(filters)] if b.rng.integers(2) else [])
    out = b.node(
        "Conv",
        operands,
        kernel_shape=kernel,
        strides=stride,
        pads=pads,
        dilations=dilation,
        group=groups,
    )
    result = tuple(
        (s + pads[i] + pads[rank + i] - r) // stride[i] + 1
        for i, (s, r) in enumerate(zip(sizes, reach, strict=True))
    )
    return out, filters, result


def pool(b: Builder, x: str, sizes: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Append a max or average pooling whose average is exact in binary."""
    kernel = tuple(min(2, s) for s in sizes)
    op = str(b.rng.choice(["MaxPool", "AveragePool"]))
    out = b.node(op, [x], kernel_shape=kernel, strides=kernel)
    if op == "AveragePool":
        out = activation_quant(b, out, signed=True)
    return out, tuple(s // k for s, k in zip(sizes, kernel, strict=True))


def random_network(seed: int) -> onnx.ModelProto:
    """Return a random network; the same seed gives the same model."""
    b = Builder(np.random.default_rng(seed))
    spatial = int(b.rng.integers(0, 3))
    sizes = tuple(int(s) for s in b.rng.integers(3, 7, spatial))
    channels = int(b.rng.integers(2, 6))
    shape = (1, channels, *sizes)
    signed = bool(b.rng.integers(2))
    x = b.quant("x", int(b.rng.integers(2, 7)), 2.0 ** -int(b.rng.integers(0, 4)), signed=signed)
    if spatial:
        for _ in range(int(b.rng.integers(1, 4))):
            x, channels, sizes = spatial_block(b, x, channels, sizes)
        x, channels = head(b, x, channels, sizes)
    for _ in range(int(b.rng.integers(1, 3))):
        x, channels = dense(b, x, channels)
        x = residual(b, nonlinearity(b, x), channels)
    if seed % 8 == 7:
        x, channels = tables(b, x, channels)
    graph = helper.make_graph(
        b.nodes,
        f"random_{seed}",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, (1, channels))],
        b.tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    functions = []
    if any(n.domain == TABLES for n in b.nodes):
        opsets.append(helper.make_opsetid(TABLES, 1))
        functions.append(function())
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=9)


def spatial_block(
    b: Builder, x: str, channels: int, sizes: tuple[int, ...]
) -> tuple[str, int, tuple[int, ...]]:
    """Append one of: convolution, pooling, branches that are added or joined."""
    kind = b.rng.choice(["conv", "conv", "pool", "residual", "concat"])
    if kind == "conv":
        x, channels, sizes = conv(b, x, channels, sizes)
        return nonlinearity(b, x), channels, sizes
    if kind == "pool":
        x, sizes = pool(b, x, sizes)
        return x, channels, sizes
    if kind == "residual":
        return residual(b, x, channels), channels, sizes
    other = activation_quant(b, x, signed=True)
    return b.node("Concat", [x, other], axis=1), 2 * channels, sizes


def residual(b: Builder, x: str, channels: int) -> str:
    """Sometimes append a sum (or difference) of the value and a quantised copy of it."""
    if b.rng.random() < 0.7:
        return x
    other = activation_quant(b, x, signed=True)
    return activation_quant(b, b.node(str(b.rng.choice(["Add", "Sub"])), [x, other]), signed=True)


def head(b: Builder, x: str, channels: int, sizes: tuple[int, ...]) -> tuple[str, int]:
    """Append global pooling or nothing, and flatten."""
    if b.rng.integers(3) == 0:
        x = b.node("GlobalMaxPool", [x])
        sizes = tuple(1 for _ in sizes)
    return b.node("Flatten", [x], axis=1), channels * int(np.prod(sizes))
