"""Constructs: sums, products, joins."""

from typing import Any

import numpy as np

from tests.e2e.construct import Body, Construct, one, then_quant
from tests.networks import Builder

FLAT = (1, 4)
MAP = (1, 4, 3, 3)
SEQUENCE = (1, 3, 4)
WIDE = (16, 1 / 256, True)
"""Too many values for a table of their own: hls4ml's tables are used."""


def binary(op: str, constant: Any) -> Body:
    return lambda b, x: b.node(op, [x, b.constant(constant)])


def twice(op: str) -> Body:
    return lambda b, x: b.node(op, [x, x])


def other(op: str, signed: bool = True, scale: float = 0.5) -> Body:
    """Return the sum (or the like) of the value and a coarser copy of it."""
    return lambda b, x: b.node(op, [x, b.quant(x, 4, scale, signed=signed)])


def last_column(op: str) -> Body:
    """Return ``x op pooled(x)``: shapes (1, C, H, W) and (1, C, 1, 1)."""
    return lambda b, x: b.node(op, [x, b.node("GlobalMaxPool", [x])])


def three(op: str, **attributes: Any) -> Body:
    def body(b: Builder, x: str) -> str:
        second = b.quant(x, 4, 0.5, signed=True)
        third = b.quant(x, 3, 1.0, signed=True)
        return b.node(op, [x, second, third], **attributes)

    return body


def joined(after: Any, before: Any = None) -> Body:
    def body(b: Builder, x: str) -> str:
        first = [] if before is None else [b.constant(before)]
        return b.node("Concat", [*first, x, b.constant(after)], axis=1)

    return body


def a(name: str, body: Body, outcome: str = "exact", note: str = "", shape: tuple[int, ...] = FLAT,
      **more: Any) -> Construct:  # fmt: skip
    return Construct(name=name, body=body, outcome=outcome, note=note, shape=shape, **more)


TABLE = (
    a("Add of x and x", twice("Add")),
    a("Sub of x and x", twice("Sub")),
    a("Mul of x and x", twice("Mul")),
    a("Add of two types", other("Add")),
    a("Sub of two types", other("Sub")),
    a("Mul of two types", other("Mul")),
    a("Div of two activations", other("Div"), "HW210", note="hls4ml: g++ error"),
    a(
        "Div of a constant by an activation",
        lambda b, x: b.node("Div", [b.constant(1.0), x]),
        "HW210",
    ),
    a("Max of two activations", other("Max")),
    a("Min of two activations", other("Min"), shape=MAP),
    a("Max with a constant", binary("Max", 0.5), note="hls4ml: IndexError"),
    a("Min with a constant", binary("Min", 0.5)),
    a(
        "Max with a constant, then a quantiser with any scale",
        then_quant(binary("Max", 0.25), 5, 0.07),
    ),
    a("Max with a constant per channel", binary("Max", np.arange(4) / 8)),
    a("Max of three", three("Max")),
    a("Max of a map and its maxima", last_column("Max"), "HW223", shape=MAP),
    a("Add, signed and unsigned", other("Add", signed=False)),
    a(
        "Add of a map and its maxima, (C, H, W) + (C, 1, 1)",
        last_column("Add"),
        shape=MAP,
        note="hls4ml: wrong values",
    ),
    a("Mul of a map and its maxima (squeeze and excite)", last_column("Mul"), shape=MAP),
    a(
        "Add of a constant per element, (3, 4) + (3, 4)",
        binary("Add", np.arange(12).reshape(1, 3, 4) / 8),
        shape=SEQUENCE,
    ),
    a(
        "Add of a constant (3, 4) + (4)",
        binary("Add", np.arange(4) / 8),
        shape=SEQUENCE,
        note="hls4ml: part of the output is not computed",
    ),
    a(
        "Add of a constant (3, 4) + (3, 1)",
        binary("Add", np.arange(3).reshape(3, 1) / 8),
        shape=SEQUENCE,
        note="hls4ml: wrong values",
    ),
    a(
        "Add of a constant per channel on NCHW",
        binary("Add", np.arange(4).reshape(4, 1, 1) / 8),
        shape=MAP,
    ),
    a("Add of a constant per column on NCHW", binary("Add", np.arange(3) / 8), shape=MAP),
    a("Add of a constant that grows the value", binary("Add", np.zeros((1, 3, 4))), "HW223"),
    a("Mul with a power of two", binary("Mul", 0.25)),
    a("Mul with 0.3, no quantiser behind", binary("Mul", 0.3)),
    a("Mul with 0.3, quantiser behind", then_quant(binary("Mul", 0.3))),
    a("Mul with zero", binary("Mul", 0.0)),
    a("Sum of three", three("Sum")),
    a("Sum of three maps", three("Sum"), shape=MAP),
    a("Sum of one", one("Sum")),
    a("Sum of x and a constant", binary("Sum", 0.25)),
    a("Sum of x, x and a constant", lambda b, x: b.node("Sum", [x, x, b.constant(0.5)])),
    a(
        "Sum of three, (C, H, W) and twice (C, 1, 1)",
        lambda b, x: b.node("Sum", [x, *[b.node("GlobalMaxPool", [x])] * 2]),
        shape=MAP,
    ),
    a("Mean of x and x", twice("Mean")),
    a("Mean of two types", other("Mean")),
    a("Mean of three, no quantiser behind", three("Mean"), "approximate"),
    a("Mean of three, quantiser behind", then_quant(three("Mean"), 8, 1 / 32)),
    a("Mean of three maps, quantiser behind", then_quant(three("Mean"), 5, 1 / 8), shape=MAP),
    a("Mean of one", one("Mean")),
    a("Mean with a constant", binary("Mean", 0.25)),
    a("Concat of three", three("Concat", axis=1), note="hls4ml: refused"),
    a("Concat of x and x", lambda b, x: b.node("Concat", [x, x], axis=-1)),
    a("Concat on channels of NCHW", three("Concat", axis=1), shape=MAP),
    a("Concat on rows of NCHW", three("Concat", axis=2), shape=MAP),
    a("Concat on the batch axis", three("Concat", axis=0), "HW210"),
    a("Concat with zeros", joined([[0.0, 0, 0]])),
    a("Concat with a constant", joined([[0.5, 0.25]])),
    a("Concat with constants on both sides", joined([[0.5, 0.5]], before=[[1.0, -2, 0.25]])),
    a(
        "Concat with zeros, then a quantiser with any scale",
        then_quant(joined([[0.0, 0, 0]]), 5, 0.07),
    ),
)
