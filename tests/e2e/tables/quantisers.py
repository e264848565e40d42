"""Constructs: quantisers."""

from typing import Any

import numpy as np

from tests.e2e.construct import EXACT, Body, Construct, quantizer
from tests.networks import DOMAIN, Builder

MODES = (
    "ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "ROUND_TO_ZERO", "HALF_UP", "HALF_DOWN",
)  # fmt: skip
FINE = (9, 1 / 64, True)
"""A quantiser at the input fine enough for ties and values between grid points behind it."""


def mode(name: str, *, narrow: bool = False, outcome: str = EXACT) -> Construct:
    return Construct(
        name=f"Quant, rounding_mode {name}" + (", narrow" if narrow else ""),
        body=quantizer(signed=1, narrow=int(narrow), rounding_mode=name)(0.25, 0.0, 4.0),
        outcome=outcome,
        quant=FINE,
    )


def quant(
    name: str,
    scale: object,
    zero: object,
    bits: object,
    outcome: str,
    note: str = "",
    *,
    signed: int = 1,
    narrow: int = 0,
    shape: tuple[int, ...] = (1, 4),
) -> Construct:
    body = quantizer(signed=signed, narrow=narrow, rounding_mode="ROUND")(scale, zero, bits)
    return Construct(name=name, body=body, outcome=outcome, note=note, quant=FINE, shape=shape)


def weight_zero_point(b: Builder, x: str) -> str:
    values = b.rng.integers(-3, 4, (4, 6)) / 4
    operands = [b.constant(values), b.constant(0.25), b.constant(1.0), b.constant(4.0)]
    w = b.node("Quant", operands, DOMAIN, signed=1, narrow=0, rounding_mode="ROUND")
    return b.node("MatMul", [x, w])


def weight_of(domain: str, op: str = "Quant") -> Body:
    def body(b: Builder, x: str) -> str:
        values = b.constant(b.rng.normal(size=(4, 6)))
        operands = [values, b.constant(0.25), b.constant(0.0), b.constant(4.0)]
        attributes = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
        return b.node("MatMul", [x, b.node(op, operands, domain, **attributes)])

    return body


def bipolar_weight(b: Builder, x: str) -> str:
    w = b.node("BipolarQuant", [b.constant(b.rng.normal(size=(4, 6))), b.constant(0.5)], DOMAIN)
    return b.node("MatMul", [x, w])


def bipolar_both(b: Builder, x: str) -> str:
    return bipolar_weight(b, b.node("BipolarQuant", [x, b.constant(1.0)], DOMAIN))


def bipolar_bn(b: Builder, x: str) -> str:
    y = bipolar_both(b, x)
    statistics = [[1.0, 2, 0.5, 1, 1, 2], [0.5, 0, 1, -1, 0, 0], [0.0] * 6, [1.0] * 6]
    y = b.node("BatchNormalization", [y, *(b.constant(s) for s in statistics)], epsilon=0.0)
    return b.node("BipolarQuant", [y, b.constant(1.0)], DOMAIN)


def weight_scales(scales: object) -> Body:
    def body(b: Builder, x: str) -> str:
        w = b.quant(b.constant(b.rng.normal(size=(4, 3))), 4, np.asarray(scales), signed=True)
        return b.quant(b.node("MatMul", [x, w]), 6, 1 / 8, signed=True)

    return body


def thresholds(values: Any, **attributes: Any) -> Body:
    given = {"out_dtype": "UINT4", "data_layout": "NC"} | attributes
    return lambda b, x: b.node("MultiThreshold", [x, b.constant(values)], DOMAIN, **given)


TABLE = (
    *(mode(name) for name in MODES),
    mode("ROUND", narrow=True),
    Construct(
        name="Quant, domain onnx.brevitas",
        quant=FINE,
        body=quantizer(domain="onnx.brevitas", signed=1, narrow=0, rounding_mode="ROUND")(
            0.25, 0.0, 4.0
        ),
    ),
    Construct(
        name="Quant, domain finn.custom_op.general",
        quant=FINE,
        body=quantizer(domain="finn.custom_op.general", signed=1, narrow=0, rounding_mode="ROUND")(
            0.25, 0.0, 4.0
        ),
    ),
    Construct(
        name="Quant without attributes",
        quant=FINE,
        body=quantizer()(0.25, 0.0, 4.0),
        note="defaults: signed, not narrow, ROUND",
    ),
    Construct(
        name="IntQuant",
        quant=FINE,
        body=quantizer("IntQuant", signed=1, narrow=0, rounding_mode="ROUND")(0.25, 0.0, 4.0),
    ),
    Construct(
        name="FloatQuant on an activation",
        outcome="HW201",
        quant=FINE,
        body=quantizer("FloatQuant")(0.25, 4.0, 3.0, 7.0, 448.0),
    ),
    quant("Quant, unsigned", 0.25, 0.0, 4.0, EXACT, signed=0),
    quant(
        "Quant, unsigned narrow",
        0.25,
        0.0,
        4.0,
        EXACT,
        "hls4ml: NotImplementedError",
        signed=0,
        narrow=1,
    ),
    quant("Quant, 1 bit unsigned", 0.5, 0.0, 1.0, EXACT, signed=0),
    quant("Quant, 1 bit signed", 0.5, 0.0, 1.0, EXACT),
    quant("Quant, 2 bits narrow (ternary)", 0.5, 0.0, 2.0, EXACT, narrow=1),
    quant("Quant, 32 bits", 2.0**-20, 0.0, 32.0, EXACT),
    quant("Quant, scale above 1", 2.0, 0.0, 3.0, EXACT),
    quant(
        "Quant, zero point on an activation",
        0.25,
        3.0,
        4.0,
        EXACT,
        "hls4ml: silently ignored with power-of-two scales",
    ),
    quant("Quant, zero point on an unsigned activation", 0.25, 3.0, 4.0, EXACT, signed=0),
    Construct(name="Quant, zero point on a weight", body=weight_zero_point),
    quant("Quant, scale not a power of two", 0.3, 0.0, 4.0, EXACT, "hls4ml: small errors"),
    quant(
        "Quant, power-of-two scale per channel on an activation",
        np.array([[0.25, 0.5, 1, 0.125]]),
        0.0,
        4.0,
        EXACT,
        "hls4ml: crash",
    ),
    Construct(name="MultiThreshold, one row", body=thresholds([[-1.5, 0.3, 0.3, 2.0]])),
    Construct(
        name="MultiThreshold per channel, scale and bias",
        body=thresholds(np.arange(12).reshape(4, 3) / 3 - 2, out_scale=0.5, out_bias=-1.0),
    ),
    Construct(
        name="MultiThreshold per channel on NHWC",
        body=thresholds(np.arange(6).reshape(2, 3) / 3 - 1, data_layout="NHWC"),
        shape=(1, 4, 3, 2),
    ),
    Construct(
        name="Real factors, MultiThreshold",
        body=lambda b, x: thresholds([[-0.5, 0.1, 0.7]])(b, b.node("Mul", [x, b.constant(0.3)])),
    ),
    Construct(
        name="Nothing but a Quant, scale not a power of two",
        body=lambda b, x: x,
        quant=(5, 0.3, True),
    ),
    quant("Quant, fractional bit width", 0.25, 0.0, 3.5, "HW022", "hls4ml: silently rounded up"),
    quant("Quant, 0 bits", 0.25, 0.0, 0.0, "HW022"),
    quant("Quant, scale 0", 0.0, 0.0, 4.0, "HW021"),
    quant("Quant, zero point that is not an integer", 0.25, 0.5, 4.0, "HW024"),
    mode("NEAREST", outcome="HW023"),
    Construct(
        name="Quant, power-of-two scale per channel on a dense weight",
        body=weight_scales([[0.25, 0.5, 0.125]]),
        note="hls4ml: crash",
    ),
    Construct(
        name="Quant, scale per channel on a weight, not powers of two",
        body=weight_scales([[0.3, 0.5, 0.2]]),
    ),
    Construct(name="Weight quantiser in domain onnx.brevitas", body=weight_of("onnx.brevitas")),
    Construct(name="Weight as IntQuant", body=weight_of(DOMAIN, "IntQuant")),
    Construct(
        name="BipolarQuant on an activation",
        body=quantizer("BipolarQuant")(1.0),
        note="hls4ml: comes out as {0, 1}",
    ),
    Construct(name="BipolarQuant, scale 0.5", body=quantizer("BipolarQuant")(0.5)),
    Construct(name="BipolarQuant on a weight", body=bipolar_weight),
    Construct(name="Bipolar activation times bipolar weight", body=bipolar_both),
    Construct(
        name="Bipolar layer, batch norm, BipolarQuant",
        body=bipolar_bn,
        note="hls4ml: constant outputs",
    ),
    Construct(
        name="Trunc, version 1", body=quantizer("Trunc", rounding_mode="FLOOR")(0.25, 0.0, 5.0, 3.0)
    ),
    Construct(
        name="Trunc, version 1, ROUND",
        body=quantizer("Trunc", rounding_mode="ROUND")(0.25, 0.0, 5.0, 3.0),
    ),
    Construct(
        name="Trunc, version 2",
        body=quantizer("Trunc", signed=1, narrow=0, rounding_mode="FLOOR")(
            0.25, 0.0, 5.0, 1.0, 3.0
        ),
    ),
)
