"""Constructs: QuantizeLinear and DequantizeLinear."""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from tests.e2e.construct import EXACT, Body, Construct, one
from tests.networks import Builder
from tests.qdq_models import tensor

T = TensorProto
FINE = (9, 1 / 64, True)
"""A quantiser at the input fine enough for ties behind it."""


def integers(b: Builder, dtype: int, values: npt.ArrayLike) -> str:
    """Append integers of any type."""
    name = b.name("i")
    b.tensors.append(tensor(name, dtype, values))
    return name


def pair(
    scale: npt.ArrayLike,
    zero: npt.ArrayLike | None,
    dtype: int = T.UINT8,
    *,
    clip: tuple[int, int] | None = None,
    back: tuple[float, int] | None = None,
    between: tuple[str, dict[str, Any]] | None = None,
) -> Body:
    """Return both operators, with what may stand between; ``back`` has other parameters."""

    def body(b: Builder, x: str) -> str:
        line = [b.constant(scale)]
        if zero is not None:
            line.append(integers(b, dtype, zero))
        y = b.node("QuantizeLinear", [x, *line])
        if clip is not None:
            y = b.node("Clip", [y, *(integers(b, dtype, v) for v in clip)])
        if between is not None:
            y = b.node(between[0], [y], **between[1])
        if back is not None:
            line = [b.constant(back[0]), integers(b, dtype, back[1])]
        return b.node("DequantizeLinear", [y, *line])

    return body


def weight(dtype: int, scale: npt.ArrayLike, zero: npt.ArrayLike | None = None) -> Body:
    """Return a dense layer with integer weights and a bias of 32 bits."""

    def body(b: Builder, x: str) -> str:
        values = integers(b, dtype, b.rng.integers(0, 8, (4, 6)))
        line = [b.constant(scale), *([integers(b, dtype, zero)] if zero is not None else [])]
        w = b.node("DequantizeLinear", [values, *line], axis=1)
        bias = [integers(b, T.INT32, b.rng.integers(-(2**24), 2**24, 6)), b.constant(1e-7)]
        y = b.node("Gemm", [x, w, b.node("DequantizeLinear", bias)])
        return pair(0.0371, 101)(b, y)

    return body


def quantize_only(b: Builder, x: str) -> str:
    y = b.node("Relu", [x])
    return b.node("QuantizeLinear", [y, b.constant(0.05), integers(b, T.UINT8, 3)])


def dynamic(b: Builder, x: str) -> str:
    return b.node("DynamicQuantizeLinear", [x])


def q_operator(b: Builder, x: str) -> str:
    return b.node("QLinearMatMul", [x, *(b.constant(1.0) for _ in range(7))])


def whole_operator(b: Builder, x: str) -> str:
    return b.node("QLinearConv", [x, *(b.constant(1.0) for _ in range(7))])


def blocked(b: Builder, x: str) -> str:
    line = [b.constant(np.ones((1, 2))), integers(b, T.INT8, np.zeros((1, 2), int))]
    y = b.node("QuantizeLinear", [x, *line], block_size=2)
    return b.node("DequantizeLinear", [y, *line], block_size=2)


def construct(
    name: str,
    body: Body,
    outcome: str = EXACT,
    note: str = "",
    shape: tuple[int, ...] = (1, 4),
    opset: int = 21,
) -> Construct:
    return Construct(
        name=name, body=body, outcome=outcome, note=note, shape=shape, opset=opset, quant=FINE
    )


POOL = ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]})
PER_CHANNEL = np.array([0.1, 0.07, 0.2, 0.05, 0.3, 0.11])

TABLE = (
    construct(
        "QuantizeLinear, DequantizeLinear",
        pair(0.25, 0, T.INT8),
        note="hls4ml: not supported",
    ),
    construct("QDQ, no zero point", pair(0.1, None)),
    construct("QDQ, even zero point", pair(0.25, 100), note="Quant with this zero point"),
    construct(
        "QDQ, odd zero point",
        pair(0.25, 101),
        note="Clip and Quant; qonnx: wrong at half of all ties",
    ),
    construct("QDQ, odd zero point, scale not a power of two", pair(0.1, 101)),
    construct("QDQ, int16", pair(0.001, 7, T.INT16)),
    construct("QDQ, uint16", pair(0.001, 30000, T.UINT16)),
    construct("QDQ, int4", pair(0.3, -1, T.INT4), note="qonnx: not supported"),
    construct("QDQ, uint4", pair(0.3, 5, T.UINT4), note="qonnx: not supported"),
    construct("QDQ, Clip to a bit width (QCDQ)", pair(0.1, 0, T.INT8, clip=(-8, 7))),
    construct(
        "QDQ, Clip to any range",
        pair(0.1, 0, T.INT8, clip=(-3, 5)),
        note="qonnx: silently clips to -8 to 7",
    ),
    construct(
        "QDQ, Clip of signed integers to a range without sign",
        pair(0.1, 0, T.INT8, clip=(0, 15)),
        note="qonnx: silently clips to -8 to 7",
    ),
    construct(
        "QDQ, one scale and zero point per channel",
        pair([0.1, 0.25, 0.2, 0.3], [1, 2, 3, 128]),
    ),
    construct("QDQ, DequantizeLinear of other parameters", pair(0.1, 101, back=(0.17, 90))),
    construct("QDQ, MaxPool of integers", pair(0.1, 101, between=POOL), shape=(1, 2, 4, 4)),
    construct("QuantizeLinear at an output", quantize_only),
    construct("DequantizeLinear of int8 weights", weight(T.INT8, 0.013)),
    construct("DequantizeLinear of int8 weights per channel", weight(T.INT8, PER_CHANNEL)),
    construct("DequantizeLinear of uint8 weights, zero point", weight(T.UINT8, 0.013, 5)),
    construct("DequantizeLinear of int4 weights", weight(T.INT4, 0.1)),
    construct("QDQ before opset 11", pair(0.1, 101), opset=10),
    construct("QDQ by blocks", blocked, "HW276"),
    construct("DynamicQuantizeLinear", dynamic, "HW270"),
    construct("MatMulInteger", one("MatMulInteger", 1.0), "HW270"),
    construct("QLinearConv", whole_operator, "HW271"),
    construct("QLinearMatMul", q_operator, "HW271"),
)
