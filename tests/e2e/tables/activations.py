"""Constructs: activations."""

from typing import Any

import numpy as np

from tests.e2e.construct import APPROXIMATE, Body, Construct, one, then_quant
from tests.networks import Builder

FLAT = (1, 4)
MAP = (1, 4, 3, 3)
SEQUENCE = (1, 3, 4)
WIDE = (16, 1 / 256, True)
"""Too many values for a table of their own: hls4ml's tables are used."""


def binary(op: str, constant: Any) -> Body:
    return lambda b, x: b.node(op, [x, b.constant(constant)])


def prelu(slope: Any) -> Body:
    return lambda b, x: b.node("PRelu", [x, b.constant(slope)])


def clip(lo: Any, hi: Any) -> Body:
    return lambda b, x: b.node("Clip", [x, b.constant(lo), b.constant(hi)])


def open_clip(b: Builder, x: str) -> str:
    return b.node("Clip", [x, "", b.constant(1.5)])


def silu(b: Builder, x: str) -> str:
    """As torch exports it."""
    return b.node("Mul", [x, b.node("Sigmoid", [x])])


def gelu_of_erf(b: Builder, x: str) -> str:
    """As torch exports it before opset 20."""
    inner = b.node("Erf", [b.node("Div", [x, b.constant(np.sqrt(2))])])
    y = b.node("Mul", [x, b.node("Add", [inner, b.constant(1.0)])])
    return b.node("Mul", [y, b.constant(0.5)])


def mish_of_softplus(b: Builder, x: str) -> str:
    return b.node("Mul", [x, b.node("Tanh", [b.node("Softplus", [x])])])


def softsign_of_abs(b: Builder, x: str) -> str:
    return b.node("Div", [x, b.node("Add", [b.node("Abs", [x]), b.constant(1.0)])])


def softmax_behind_dense(b: Builder, x: str) -> str:
    y = b.node("MatMul", [x, b.weight((4, 6), 6, 1.0)])
    return b.node("Softmax", [y], axis=-1)


def a(name: str, body: Body, outcome: str = "exact", note: str = "", shape: tuple[int, ...] = FLAT,
      **more: Any) -> Construct:  # fmt: skip
    return Construct(name=name, body=body, outcome=outcome, note=note, shape=shape, **more)


TABLE = (
    a("Relu", one("Relu")),
    a("Clip 0 to 6 (ReLU6)", clip(0.0, 6.0), note="hls4ml: not supported"),
    a("Clip -1 to 1 (hardtanh)", clip(-1.0, 1.0)),
    a("Clip with an upper bound only", open_clip),
    a("Clip with a bound that is not a binary fraction", clip(0.0, 0.1)),
    a("LeakyRelu 0.125", one("LeakyRelu", alpha=0.125)),
    a("LeakyRelu 0.1, quantiser behind", then_quant(one("LeakyRelu", alpha=0.1))),
    a("LeakyRelu 0.01 (default), quantiser behind", then_quant(one("LeakyRelu"))),
    a("PRelu, one power-of-two slope", prelu([0.25]), note="hls4ml: IndexError"),
    a(
        "PRelu, slope per channel",
        prelu(np.float32([0.25, 0.5, 0.125, 1]).reshape(4, 1, 1)),
        shape=MAP,
    ),
    a(
        "Elu, quantiser behind",
        then_quant(one("Elu")),
        note="hls4ml: default alpha is 0.01 instead of 1",
    ),
    a("Elu, no quantiser behind", one("Elu"), APPROXIMATE),
    a("Selu, quantiser behind", then_quant(one("Selu"))),
    a(
        "ThresholdedRelu, quantiser behind",
        then_quant(one("ThresholdedRelu")),
        note="hls4ml: default alpha is 0.01 instead of 1",
    ),
    a("Gelu, quantiser behind", then_quant(one("Gelu")), opset=20),
    a("HardSigmoid, quantiser behind", then_quant(one("HardSigmoid"))),
    a("HardSigmoid with alpha 0.25", one("HardSigmoid", alpha=0.25)),
    a("HardSwish, quantiser behind", then_quant(one("HardSwish"))),
    a("Softsign, quantiser behind", then_quant(one("Softsign"))),
    a("Sigmoid, quantiser behind", then_quant(one("Sigmoid")), note="hls4ml: off by up to 0.016"),
    a("Tanh, quantiser behind", then_quant(one("Tanh")), note="hls4ml: off by up to 0.03"),
    a("Softplus, quantiser behind", then_quant(one("Softplus"))),
    a("Sigmoid of a wide value", then_quant(one("Sigmoid")), quant=WIDE),
    a("Tanh of a wide value", then_quant(one("Tanh")), quant=WIDE),
    a("Sigmoid times its operand (SiLU, swish), quantiser behind", then_quant(silu)),
    a("Erf, as GELU is exported before opset 20, quantiser behind", then_quant(gelu_of_erf)),
    a("Tanh of Softplus times its operand (Mish), quantiser behind", then_quant(mish_of_softplus)),
    a("x / (1 + abs(x)) (Softsign), quantiser behind", then_quant(softsign_of_abs)),
    a("Abs", one("Abs")),
    a("Neg", one("Neg")),
    a("Exp, quantiser behind", then_quant(one("Exp"))),
    a("Softmax", one("Softmax", axis=-1), APPROXIMATE),
    a(
        "Softmax, quantiser behind",
        then_quant(one("Softmax", axis=-1), 8, 1 / 256, signed=False),
        APPROXIMATE,
    ),
    a(
        "Softmax on rank 3, last axis",
        one("Softmax", axis=-1),
        APPROXIMATE,
        shape=SEQUENCE,
        note="hls4ml: normalises over all elements",
    ),
    a(
        "Softmax on rank 3, axis 1",
        one("Softmax", axis=1),
        APPROXIMATE,
        shape=SEQUENCE,
        note="between two transpositions; hls4ml: wrong axis",
    ),
    a(
        "Softmax of values far apart",
        one("Softmax", axis=-1),
        APPROXIMATE,
        quant=(12, 0.5, True),
        note="hls4ml: wraps",
    ),
    a(
        "Softmax behind a dense layer",
        softmax_behind_dense,
        APPROXIMATE,
        note="hls4ml: uniform output",
    ),
)
