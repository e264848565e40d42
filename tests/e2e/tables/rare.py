"""Constructs: older operator sets and attributes that few models use."""

from typing import Any

import numpy as np

from tests.e2e.construct import APPROXIMATE, EXACT, Body, Construct, one, then_quant
from tests.networks import Builder

MAP = (1, 4, 6, 6)
SEQUENCE = (1, 3, 4)


def norm(**attributes: Any) -> Body:
    def body(b: Builder, x: str) -> str:
        statistics = ([1.0, 2, 0.5, -1], [0.5, 0, 1, -1], [0.25, 0, 0, 1], [1.0, 4, 1, 1])
        operands = [x, *(b.constant(s) for s in statistics)]
        y = b.node("BatchNormalization", operands, epsilon=0.0, **attributes)
        if attributes:
            b.nodes[-1].output.extend(["mean", "variance"])
        return y

    return body


def left(op: str, constant: Any) -> Body:
    return lambda b, x: b.node(op, [b.constant(constant), x])


def ints(op: str, *operands: Any, **attributes: Any) -> Body:
    return lambda b, x: b.node(op, [x, *(b.constant(o, np.int64) for o in operands)], **attributes)


def ranks(b: Builder, x: str) -> str:
    return b.node("Add", [x, b.node("Reshape", [x, b.constant([1, 1, 4], np.int64)])])


def dropout(b: Builder, x: str) -> str:
    return b.node("Dropout", [x, b.constant(0.5), b.constant(True, np.bool_)])


def no_bias(b: Builder, x: str) -> str:
    return b.node("Conv", [x, b.weight((3, 4, 3, 3), 4, 0.25), ""])


def r(
    name: str,
    body: Body,
    outcome: str = EXACT,
    shape: tuple[int, ...] = (1, 4),
    opset: int = 18,
    note: str = "",
) -> Construct:
    return Construct(name=name, body=body, outcome=outcome, shape=shape, opset=opset, note=note)


TABLE = (
    r("Softmax, opset 11, last axis of rank 2", one("Softmax", axis=1), APPROXIMATE, opset=11),
    r(
        "Softmax, opset 11, axis 1 of rank 3",
        one("Softmax", axis=1),
        "HW222",
        SEQUENCE,
        11,
        "normalises over all axes from this one on",
    ),
    r("Softmax, opset 11, no axis, rank 3", one("Softmax"), "HW222", SEQUENCE, 11),
    r("Softmax, opset 11, last axis of rank 3", one("Softmax", axis=2), APPROXIMATE, SEQUENCE, 11),
    r("Clip, opset 10, attributes", one("Clip", min=0.0, max=1.5), opset=10),
    r("Clip, min above max", lambda b, x: b.node("Clip", [x, b.constant(2.0), b.constant(1.0)])),
    r("BatchNormalization in training", norm(training_mode=1), "HW210", MAP),
    r("BatchNormalization, opset 9", norm(), shape=MAP, opset=9),
    r("BatchNormalization on rank 2", norm()),
    r("Pad, opset 10, attributes", one("Pad", pads=[0, 0, 1, 0, 0, 0, 0, 2]), shape=MAP, opset=10),
    r("Pad with negative pads", ints("Pad", [0, 0, -1, 0, 0, 0, 0, 0]), "HW217", MAP),
    r(
        "Slice, opset 9, attributes",
        one("Slice", axes=[2], starts=[1], ends=[5]),
        shape=MAP,
        opset=9,
    ),
    r("Slice backwards", ints("Slice", [5], [0], [2], [-2]), shape=MAP),
    r("Slice with an end far beyond", ints("Slice", [-3], [2**40], [3], [1]), shape=MAP),
    r("ReduceMean over all axes, batch included", one("ReduceMean"), "HW216", MAP),
    r(
        "ReduceMean, opset 11, attributes",
        one("ReduceMean", axes=[2, 3]),
        shape=(1, 4, 4, 4),
        opset=11,
    ),
    r("Squeeze of every axis of 1", one("Squeeze"), "HW216", (1, 4, 1, 1)),
    r("Squeeze, opset 11, attributes", one("Squeeze", axes=[2, 3]), shape=(1, 4, 1, 1), opset=11),
    r("Reshape with allowzero", ints("Reshape", [1, 16], allowzero=1), shape=(1, 4, 4)),
    r("Concat on a negative axis", lambda b, x: b.node("Concat", [x, x], axis=-2), shape=SEQUENCE),
    r("Constant minus activation", left("Sub", [1.0, 0.5, 0.25, 2.0])),
    r("Constant times activation", left("Mul", [1.0, 0.5, 0.25, 2.0])),
    r(
        "Constant times activation on NCHW, (1, C, 1, 1)",
        left("Mul", np.array([1, 2, 0.5, -1]).reshape(1, 4, 1, 1)),
        shape=MAP,
    ),
    r("Div by a constant per channel", one("Div", [1.0, 2.0, 4.0, 0.5])),
    r("Div by 0", one("Div", [1.0, 0.0, 4.0, 0.5]), "HW210"),
    r("Add of activations of different rank", ranks, "HW223"),
    r("Dropout in training", dropout, "HW201"),
    r("Conv with an empty bias", no_bias, shape=MAP),
    r("MaxPool, opset 9", one("MaxPool", kernel_shape=(2, 2)), shape=MAP, opset=9),
    r(
        "MaxPool, column order of storage",
        one("MaxPool", kernel_shape=(2, 2), storage_order=1),
        shape=MAP,
    ),
    r(
        "AveragePool, ceil_mode, padding counted",
        then_quant(
            one(
                "AveragePool",
                kernel_shape=(4, 4),
                strides=(4, 4),
                ceil_mode=1,
                count_include_pad=1,
                pads=(1, 1, 0, 0),
            ),
            8,
            1 / 32,
        ),
        shape=MAP,
        opset=19,
    ),
    r(
        "AveragePool, dilations",
        one("AveragePool", kernel_shape=(2, 2), dilations=(2, 2)),
        "HW215",
        MAP,
        19,
    ),
    r("LpPool", one("LpPool", kernel_shape=(2, 2)), "HW201", MAP),
    r("Sign", one("Sign"), "HW201"),
    r("Floor", one("Floor"), "HW201"),
    r("Pow", one("Pow", 2.0), "HW210"),
    r("HardSigmoid with alpha and beta", then_quant(one("HardSigmoid", alpha=0.5, beta=0.25))),
    r("Celu, quantiser behind", then_quant(one("Celu", alpha=0.5))),
    r("Elu with alpha, quantiser behind", then_quant(one("Elu", alpha=0.25))),
    r(
        "Where",
        lambda b, x: b.node("Where", [b.node("Greater", [x, b.constant(0.0)]), x, x]),
        "HW201",
    ),
)
