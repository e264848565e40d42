"""Small models with scales of any kind, by name; for the tests of ``passes.lowering.scales``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.networks import DOMAIN, Builder

Body = Callable[[Builder], "str | list[str]"]


@dataclass(frozen=True)
class Case:
    """A model: how it is built, and the shape of its input ``x`` without the batch."""

    body: Body
    shape: tuple[int, ...] = (4,)

    def model(self) -> onnx.ModelProto:
        b = Builder(np.random.default_rng(0))
        found = self.body(b)
        outputs = [found] if isinstance(found, str) else found
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            b.nodes,
            "scaled",
            [info("x", TensorProto.FLOAT, (1, *self.shape))],
            [info(name, TensorProto.FLOAT, None) for name in outputs],
            b.tensors,
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def quant(b: Builder, x: str, scale: Any, bits: int = 5, **changes: Any) -> str:
    """Append a quantiser with any float32 scale."""
    given = {"zero": 0.0, "signed": 1, "narrow": 0, "mode": "ROUND"} | changes
    constants = [b.constant(c) for c in (scale, given["zero"], float(bits))]
    return b.node(
        "Quant", [x, *constants], DOMAIN, signed=given["signed"], narrow=given["narrow"],
        rounding_mode=given["mode"],
    )  # fmt: skip


def weight(b: Builder, shape: tuple[int, ...], scale: Any, zero: float = 0.0) -> str:
    levels = b.rng.integers(-7, 8, shape)
    values = b.constant((levels * np.float32(scale)).astype(np.float32))
    return quant(b, values, scale, 4, zero=zero)


def norm(b: Builder, x: str, gamma: list[float], beta: list[float] | None = None) -> str:
    n = len(gamma)
    statistics = (gamma, beta or [0.2] * n, [0.1] * n, np.linspace(0.3, 2, n))
    return b.node("BatchNormalization", [x, *(b.constant(s) for s in statistics)], epsilon=1e-5)


def applied(op: str, *constants: Any, inner: float = 0.11, outer: float = 0.07,
            **attributes: Any) -> Case:  # fmt: skip
    """Return a quantised function of a quantised value."""

    def body(b: Builder) -> str:
        x = quant(b, "x", inner, 6)
        y = b.node(op, [x, *(b.constant(c) for c in constants)], **attributes)
        return quant(b, y, outer, 6, mode="FLOOR")

    return Case(body)


def line(scale: Any, offset: Any) -> Callable[[Builder, str], str]:
    return lambda b, x: b.node("Add", [b.node("Mul", [x, b.constant(scale)]), b.constant(offset)])


def behind(*nodes: Callable[[Builder, str], str], end: bool = True, scale: Any = 0.3) -> Body:
    """Return the body of a quantised input, some nodes and perhaps a quantiser."""

    def body(b: Builder) -> str:
        x = quant(b, "x", scale)
        for node in nodes:
            x = node(b, x)
        return quant(b, x, 0.23) if end else x

    return body


def op(name: str, *constants: Any, dtype: Any = np.float32, **attributes: Any) -> Any:
    return lambda b, x: b.node(name, [x, *(b.constant(c, dtype) for c in constants)], **attributes)


def moves(name: str, *constants: Any, **attributes: Any) -> Any:
    return op(name, *constants, dtype=np.int64, **attributes)


def silu(b: Builder, x: str) -> str:
    return b.node("Mul", [x, b.node("Sigmoid", [x])])


def dense(scale: Any = 0.2, bias: Any = None, **attributes: Any) -> Callable[[Builder, str], str]:
    def node(b: Builder, x: str) -> str:
        w = weight(b, (4, 3), scale)
        return b.node("Gemm", [x, w, *([] if bias is None else [b.constant(bias)])], **attributes)

    return node


def conv(shape: tuple[int, ...], scale: Any, **attributes: Any) -> Callable[[Builder, str], str]:
    return lambda b, x: b.node("Conv", [x, weight(b, shape, scale)], **attributes)


def summed(left: Any, right: Any, kind: str = "Add", **changes: Any) -> Body:
    """Return the body of a sum of two quantised copies of the input."""

    def body(b: Builder) -> str:
        a, c = (quant(b, quant(b, "x", 0.05, 7), s, **changes) for s in (left, right))
        return quant(b, b.node(kind, [a, c]), 0.31)

    return body


def normed_sum(gamma: list[float]) -> Body:
    def body(b: Builder) -> str:
        x = quant(b, "x", 0.3)
        return quant(b, b.node("Add", [x, norm(b, quant(b, x, 0.17), gamma)]), 0.21)

    return body


def joined(b: Builder) -> str:
    x = quant(b, "x", 0.3)
    parts = [dense(0.2, [0.1, 0.2, 0.3])(b, x), dense([[0.1, 0.4, 0.3]])(b, x), x]
    return quant(b, b.node("Concat", parts, axis=1), 0.2)


def shared_input(b: Builder) -> list[str]:
    one, other = (quant(b, "x", 0.3) for _ in range(2))
    return [quant(b, one, 0.7), dense()(b, other)]


def of_several(kind: str, *offsets: float) -> Body:
    def body(b: Builder) -> str:
        x = quant(b, "x", 0.3)
        return b.node(kind, [line(0.7, o)(b, x) for o in offsets])

    return body


def three_terms(b: Builder) -> str:
    x = quant(b, "x", 0.3)
    terms = [norm(b, quant(b, x, s), [0.3, 0.5, 0.7, 1.1]) for s in (0.17, 0.29, 0.11)]
    total = b.node("Add", [b.node("Add", terms[:2]), terms[2]])
    return quant(b, total, 0.21)


IMAGE = (2, 4, 4)
PER_CHANNEL = np.array([0.3, 0.07]).reshape(1, 2, 1, 1)

EXACT: dict[str, Case] = {
    **{
        f"{n} then Quant": applied(n)
        for n in (
            "Relu",
            "Sigmoid",
            "Tanh",
            "Gelu",
            "Elu",
            "Selu",
            "Celu",
            "Softplus",
            "Softsign",
            "HardSwish",
            "HardSigmoid",
            "Mish",
            "Erf",
            "Abs",
            "Neg",
            "LeakyRelu",
            "Exp",
        )
    },
    "Gelu by tanh": applied("Gelu", approximate="tanh"),
    "PRelu": applied("PRelu", [0.1, 0.2, -0.3, 0.4]),
    "Clip": applied("Clip", -0.33, 0.77),
    "Silu": Case(behind(silu)),
    "chain per channel": Case(
        behind(line([0.3, -0.7, 0.0, 1.1], [0.1, 0.2, 0.3, -0.4]), op("Tanh"))
    ),
    "constant divided": Case(
        behind(line(1.0, 9.1), lambda b, x: b.node("Div", [b.constant(3.3), x]))
    ),
    "dense per tensor": Case(behind(dense())),
    "dense per channel": Case(behind(dense([[0.1, 0.4, 0.3]]))),
    "dense, whole bias": Case(behind(dense(1.0, np.float32(0.3) * np.float32([1, -2, 4])))),
    "dense, any bias": Case(behind(dense([[0.1, 0.4, 0.3]], [0.1, 0.2, 0.3]))),
    "dense, alpha and beta": Case(behind(dense(0.3, [0.1, 0.2, 0.3], alpha=-0.3, beta=0.7))),
    "dense, alpha 0": Case(behind(dense(0.3, [0.1, 0.2, 0.3], alpha=0.0), end=False)),
    "dense, no quantiser": Case(behind(dense([[0.1, 0.4, 0.3]], [0.1, 0.2, 0.3]), end=False)),
    "weight with zero point": Case(
        behind(lambda b, x: b.node("MatMul", [x, weight(b, (4, 3), 0.2, 1.0)]))
    ),
    "depthwise, input per channel": Case(
        behind(conv((4, 1, 2, 2), 0.2, group=2), scale=PER_CHANNEL), IMAGE
    ),
    "conv, pads and batch norm": Case(
        behind(
            conv((3, 2, 3, 3), np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1, 1), pads=[1] * 4),
            lambda b, x: norm(b, x, [0.3, -0.4, 0.0]),
        ),
        IMAGE,
    ),
    "pool behind batch norm": Case(
        behind(
            lambda b, x: norm(b, x, [0.7, -0.4]), op("Relu"), op("MaxPool", kernel_shape=[2, 2])
        ),
        IMAGE,
    ),
    "pool of negated": Case(
        behind(op("Neg"), op("MaxPool", kernel_shape=[2, 2]), end=False), IMAGE
    ),
    "average of 3x3": Case(
        behind(lambda b, x: norm(b, x, [0.7, -0.4]), op("AveragePool", kernel_shape=[3, 3])), IMAGE
    ),
    "global average, open": Case(
        behind(op("GlobalAveragePool"), end=False, scale=PER_CHANNEL), IMAGE
    ),
    "mean over channels": Case(behind(moves("ReduceMean", [1]), end=False), IMAGE),
    "flatten per channel": Case(behind(op("Flatten"), scale=PER_CHANNEL), IMAGE),
    "transpose, reshape": Case(
        behind(
            op("Transpose", perm=[0, 3, 1, 2]),
            moves("Reshape", [0, 8, 4]),
            end=False,
            scale=PER_CHANNEL,
        ),
        IMAGE,
    ),
    "slice per channel": Case(behind(moves("Slice", [1], [2], [1]), scale=PER_CHANNEL), IMAGE),
    "pad behind a convolution": Case(
        behind(
            conv((2, 2, 2, 2), np.array([0.1, 0.3]).reshape(2, 1, 1, 1)),
            moves("Pad", [0, 0, 1, 1, 0, 0, 1, 1]),
        ),
        IMAGE,
    ),
    "pad, reflected": Case(
        behind(moves("Pad", [0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"), scale=PER_CHANNEL), IMAGE
    ),
    "three batch norms added": Case(three_terms),
    "pad": Case(behind(moves("Pad", [0, 0, 1, 1, 0, 0, 1, 1]), scale=PER_CHANNEL), IMAGE),
    "pad with half a step": Case(
        lambda b: b.node(
            "Pad",
            [
                quant(b, "x", 0.3),
                b.constant([0, 1, 0, 1], np.int64),
                b.constant(np.float32(0.3) / 2),
            ],
        )
    ),
    "zero point": Case(lambda b: quant(b, quant(b, "x", 0.3, zero=3.0), 0.17, zero=-2.0)),
    "zero point per channel": Case(
        lambda b: quant(b, quant(b, "x", [[0.3, 0.1, 0.2, 0.5]], zero=[[0.0, 1, 2, 3]]), 0.17)
    ),
    **{
        f"{m} at the port and behind": Case(
            lambda b, m=m: quant(b, quant(b, "x", 0.3, mode=m), 0.17, mode=m)
        )
        for m in ("CEIL", "UP", "FLOOR", "HALF_DOWN")
    },
    **{
        f"{m} on a doubled scale": Case(lambda b, m=m: quant(b, quant(b, "x", 0.3), 0.6, 3, mode=m))
        for m in ("CEIL", "UP", "FLOOR", "HALF_UP")
    },
    "two quantisers of one input": Case(shared_input),
    "sum, equal scales": Case(summed(0.3, 0.3)),
    "sum, twice the scale": Case(summed(np.float32(0.3), np.float32(0.3) * 2)),
    "difference, a quarter": Case(summed(np.float32(0.3), np.float32(0.3) / 4, "Sub")),
    "sum, unrelated": Case(summed(0.3, 0.17)),
    "difference, unrelated": Case(summed(0.3, 0.17, "Sub", signed=0)),
    "sum per channel": Case(summed([[0.3, 0.1, 0.2, 0.4]], 0.17)),
    "sum with batch norm": Case(normed_sum([0.3, -0.5, 0.7, 1.1])),
    "sum with a channel switched off": Case(normed_sum([0.3, 0.0, 0.7, 1.1])),
    "sum to be bipolar": Case(
        lambda b: b.node(
            "BipolarQuant", [b.node("Neg", [quant(b, "x", 0.3)]), b.constant(0.7)], DOMAIN
        )
    ),
    "concat": Case(joined),
    "Sum with offsets": Case(of_several("Sum", 0.1, 0.1, 0.1)),
    "Mean": Case(of_several("Mean", 0.1, 0.1, 0.1)),
    "scaled output": Case(behind(dense(), line(0.37, -0.21), end=False)),
    "output per channel": Case(
        behind(dense(), lambda b, x: norm(b, x, [0.3, -0.4, 0.0]), end=False)
    ),
    "ArgMax, one scale": Case(behind(dense(), op("ArgMax", axis=1), end=False)),
    "ArgMax per channel": Case(
        behind(
            dense([[0.1, 0.4, 0.3]], [0.5, 0.2, -0.3]), op("ArgMax", axis=1, keepdims=0), end=False
        )
    ),
    "ArgMin of turned channels": Case(
        behind(line([0.1, -0.4, 0.3, 0.0], 0.1), op("ArgMin", axis=1), end=False)
    ),
    "Trunc": Case(
        lambda b: b.node(
            "Trunc",
            [quant(b, "x", 0.3), *(b.constant(c) for c in (0.3, 0.0, 5.0, 3.0))],
            DOMAIN,
            rounding_mode="FLOOR",
        )
    ),
}
"""Models that are computed exactly."""
