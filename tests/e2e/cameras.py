"""Networks that take a camera's integers and normalise them inside, made by each framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from tests.networks import Builder

Array = npt.NDArray[Any]

SHAPE = (1, 3, 5, 5)

ELEMENTS = {
    "uint8": TensorProto.UINT8, "int8": TensorProto.INT8,
    "uint16": TensorProto.UINT16, "int16": TensorProto.INT16,
}  # fmt: skip

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def per_channel(values: Sequence[float]) -> Array:
    return np.asarray(values, np.float32).reshape(1, 3, 1, 1)


def _norm(b: Builder, x: str) -> str:
    gamma, beta = [0.017, 0.018, 0.019], [0.1, -0.2, 0.3]
    operands = [b.constant(v) for v in (gamma, beta, [124, 116, 104], [1.0, 1.25, 0.9])]
    return b.node("BatchNormalization", [x, *operands])


STEPS: dict[str, Callable[[Builder, str], str]] = {
    "/255": lambda b, x: b.node("Div", [x, b.constant(255.0)]),
    "*(1/255)": lambda b, x: b.node("Mul", [b.constant(1 / 255), x]),
    "-mean": lambda b, x: b.node("Sub", [x, b.constant(per_channel(MEAN))]),
    "+(-mean)": lambda b, x: b.node("Add", [b.constant(-per_channel(MEAN)), x]),
    "/deviation": lambda b, x: b.node("Div", [x, b.constant(per_channel(DEVIATION))]),
    "*(1/deviation)": lambda b, x: b.node("Mul", [x, b.constant(1 / per_channel(DEVIATION))]),
    "norm": _norm,
    "/256-1/2": lambda b, x: b.node(
        "Sub", [b.node("Div", [x, b.constant(256.0)]), b.constant(0.5)]
    ),
}


def _qdq(b: Builder, x: str) -> str:
    operands = [b.constant(0.0213), b.constant(3, np.int8)]
    return b.node("DequantizeLinear", [b.node("QuantizeLinear", [x, *operands]), *operands])


QUANTIZERS: dict[str, Callable[[Builder, str], str]] = {
    "QDQ": _qdq,
    "Quant": lambda b, x: b.quant(x, 8, 0.0213, signed=True),
    "Quant, power of two": lambda b, x: b.quant(x, 6, 1 / 32, signed=True, rounding="FLOOR"),
    "Quant per channel": lambda b, x: b.quant(
        x, 7, per_channel([0.0313, 0.0517, 0.0719]), signed=True
    ),
}  # fmt: skip


def camera(steps: Sequence[str], quantizer: str, elements: str = "uint8") -> onnx.ModelProto:
    """Return an ONNX model: integers, ``Cast`` to float, some steps, a quantiser, a convolution."""
    b = Builder(np.random.default_rng(7))
    x = b.node("Cast", ["x"], to=TensorProto.FLOAT)
    for step in steps:
        x = STEPS[step](b, x)
    x = QUANTIZERS[quantizer](b, x)
    group = {"group": 3} if quantizer.endswith("per channel") else {}
    weight = b.weight((3, 1 if group else 3, 2, 2), 4, 1 / 16)
    y = b.node("Conv", [x, weight], **group)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes,
        "camera",
        [info("x", ELEMENTS[elements], SHAPE)],
        [info(y, TensorProto.FLOAT, (1, 3, 4, 4))],
        b.tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def pictures(elements: str, shape: tuple[int, ...] = SHAPE[1:], samples: int = 24) -> Array:
    """Return samples that hold every integer of 8 bits, and both ends of those of 16."""
    ends = np.iinfo(elements)
    rng = np.random.default_rng(3)
    found = rng.integers(ends.min, ends.max + 1, (samples, *shape)).astype(elements)
    every = np.linspace(ends.min, ends.max, 256).astype(elements)
    found.reshape(-1)[:256] = every
    return found
