"""Constructs: recurrent cells, as operators and written out step by step."""

from typing import Any

import numpy as np

from tests.e2e.construct import Body, Construct
from tests.networks import Builder

SEQUENCE = (1, 3, 4)
UNITS = 2
STATE = (6, 1 / 32)
"""Bits and scale of states and of what becomes of them."""


def operator(op: str, gates: int) -> Body:
    def body(b: Builder, x: str) -> str:
        w, r = (b.constant(np.ones((1, gates * UNITS, n))) for n in (SEQUENCE[-1], UNITS))
        return b.node(op, [x, w, r], hidden_size=UNITS)

    return body


def steps(b: Builder, x: str) -> list[str]:
    """Return the steps of a sequence, last axis whole."""
    return [b.node("Gather", [x, b.constant(t, np.int64)], axis=1) for t in range(SEQUENCE[1])]


def part(b: Builder, x: str, gate: int) -> str:
    limits = ([gate * UNITS], [(gate + 1) * UNITS], [1])
    return b.node("Slice", [x, *(b.constant(n, np.int64) for n in limits)])


def sums(b: Builder, x: str, h: str, gates: int, weights: list[str]) -> str:
    """Append what gates take: weighted input and weighted state."""
    total = b.node("MatMul", [x, weights[0]])
    return b.node("Add", [total, b.node("MatMul", [h, weights[1]])]) if h else total


def weights_of(b: Builder, gates: int) -> list[str]:
    return [b.weight((n, gates * UNITS), 4, 1 / 8) for n in (SEQUENCE[-1], UNITS)]


def state(b: Builder, x: str) -> str:
    return b.quant(x, *STATE, signed=True)


def gate(b: Builder, x: str) -> str:
    return b.quant(b.node("Sigmoid", [x]), *STATE, signed=False)


def simple(b: Builder, x: str) -> str:
    weights, h = weights_of(b, 1), ""
    for row in steps(b, x):
        h = state(b, b.node("Tanh", [sums(b, row, h, 1, weights)]))
    return h


def lstm(b: Builder, x: str) -> str:
    weights, h, c = weights_of(b, 4), "", ""
    for row in steps(b, x):
        total = sums(b, row, h, 4, weights)
        i, f, o = (gate(b, part(b, total, n)) for n in range(3))
        new = b.node("Mul", [i, state(b, b.node("Tanh", [part(b, total, 3)]))])
        c = state(b, b.node("Add", [b.node("Mul", [f, c]), new]) if c else new)
        h = state(b, b.node("Mul", [o, state(b, b.node("Tanh", [c]))]))
    return h


def gru(b: Builder, x: str) -> str:
    weights, h, rows = weights_of(b, 3), "", []
    for row in steps(b, x):
        total = sums(b, row, h, 3, weights)
        z = gate(b, part(b, total, 0))
        new = state(b, b.node("Tanh", [part(b, total, 2)]))
        rest = b.node("Sub", [b.constant(1.0), z])
        h = b.node("Add", [b.node("Mul", [z, h]), b.node("Mul", [rest, new])]) if h else new
        h = state(b, h)
        rows.append(b.node("Unsqueeze", [h, b.constant([1], np.int64)]))
    return b.node("Concat", rows, axis=1)


def r(name: str, body: Body, **more: Any) -> Construct:
    return Construct(name=name, body=body, shape=SEQUENCE, **more)


TABLE = (
    r("LSTM", operator("LSTM", 4), outcome="HW380"),
    r("GRU", operator("GRU", 3), outcome="HW380"),
    r("RNN", operator("RNN", 1), outcome="HW380"),
    r("a cell of an RNN in a loop, quantised state", simple),
    r("a cell of an LSTM in a loop, quantised states and gates", lstm),
    r("a cell of a GRU in a loop, results of all steps", gru),
)
