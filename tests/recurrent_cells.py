"""Random recurrent cells in a loop, with quantisers at states and gates: seeded."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.networks import DOMAIN, Builder, activation_quant

GATES = {"simple": 1, "lstm": 4, "gru": 3}


class Cell:
    """One recurrent cell, whose weights and quantisers all steps share."""

    def __init__(self, b: Builder, kind: str, inputs: int, units: int) -> None:
        """Draw weights of few bits; formats are drawn where they are used."""
        self.b, self.kind, self.units = b, kind, units
        size = GATES[kind] * units
        self.kernel, self.recurrent = (b.weight((n, size), 4, 1 / 8) for n in (inputs, units))
        self.bias = b.bias(size) if b.rng.integers(2) else ""
        self.bits, self.scale = int(b.rng.integers(3, 8)), 2.0 ** -int(b.rng.integers(2, 6))

    def step(self, x: str, states: tuple[str, ...]) -> tuple[str, ...]:
        """Append a step and return its states, none of which there are before the first."""
        b, total = self.b, self.b.node("MatMul", [x, self.kernel])
        if self.bias:
            total = b.node("Add", [total, self.bias])
        if states:
            total = b.node("Add", [total, b.node("MatMul", [states[0], self.recurrent])])
        if self.kind == "simple":
            return (self.state(self.function("Tanh", total)),)
        return self.lstm(total, states) if self.kind == "lstm" else self.gru(total, states)

    def lstm(self, total: str, states: tuple[str, ...]) -> tuple[str, ...]:
        i, f, o = (self.function("Sigmoid", self.part(total, n)) for n in range(3))
        c = self.b.node("Mul", [i, self.function("Tanh", self.part(total, 3))])
        if states:
            c = self.b.node("Add", [self.b.node("Mul", [f, states[1]]), c])
        c = self.state(c)
        return self.state(self.b.node("Mul", [o, self.function("Tanh", c)])), c

    def gru(self, total: str, states: tuple[str, ...]) -> tuple[str, ...]:
        z, new = self.function("Sigmoid", self.part(total, 0)), self.part(total, 2)
        new = self.function("Tanh", new)
        rest = self.b.node("Sub", [self.b.constant(1.0), z])
        h = self.b.node("Mul", [rest, new])
        if states:
            h = self.b.node("Add", [h, self.b.node("Mul", [z, states[0]])])
        return (self.state(h),)

    def part(self, x: str, gate: int) -> str:
        limits = ([gate * self.units], [(gate + 1) * self.units], [1])
        return self.b.node("Slice", [x, *(self.b.constant(n, np.int64) for n in limits)])

    def function(self, op: str, x: str) -> str:
        return self.b.quant(self.b.node(op, [x]), self.bits, self.scale, signed=op == "Tanh")

    def state(self, x: str) -> str:
        return self.b.quant(x, self.bits + 1, self.scale, signed=True)


def random_cells(seed: int, kind: str = "", steps: int = 0, units: int = 0) -> onnx.ModelProto:
    """Return a random cell, unrolled; the same seed gives the same model.

    Args:
        seed: of everything that is drawn.
        kind: ``simple``, ``lstm`` or ``gru``; drawn where none is given, like the sizes.
        steps: length of the sequence.
        units: length of a state.
    """
    b = Builder(np.random.default_rng(seed))
    kind = kind or str(b.rng.choice(list(GATES)))
    steps, units = steps or int(b.rng.integers(1, 5)), units or int(b.rng.integers(1, 4))
    inputs = int(b.rng.integers(1, 4))
    x = activation_quant(b, "x", signed=bool(b.rng.integers(2)))
    cell, results = Cell(b, kind, inputs, units), list[str]()
    states: tuple[str, ...] = ()
    for step in np.arange(steps)[:: int(b.rng.choice([-1, 1]))]:
        row = b.node("Gather", [x, b.constant(step, np.int64)], axis=1)
        states = cell.step(row, states)
        results.append(states[0])
    y = states[0]
    if b.rng.integers(2):
        rows = [b.node("Unsqueeze", [r, b.constant([1], np.int64)]) for r in results]
        y = b.node("Concat", rows, axis=1) if steps > 1 else rows[0]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes, f"cells_{seed}", [info("x", TensorProto.FLOAT, (1, steps, inputs))],
        [info(y, TensorProto.FLOAT, None)], b.tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
