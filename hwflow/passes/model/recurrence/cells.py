"""One step of ONNX's recurrent operators, in standard operators.

The equations are those of the operators ``RNN``, ``LSTM`` and ``GRU`` of ONNX. A state that is None
is one of zeros: what would be multiplied by it is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.passes.model.recurrence.reading import Activation, Direction, Floats, Recurrence
from hwflow.passes.model.rewrites.writer import Rewriter

State = ir.Value | None
States = tuple[State, ...]

PLAIN = ("Sigmoid", "Tanh", "Relu", "Softsign", "Softplus")
"""Functions that are operators without parameters."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What every step of one direction computes with.

    Attributes:
        write: writes nodes in the place of the operator.
        of: the operator.
        way: its weights and functions in this direction.
        weights: the recurrent weights, by the gates that they belong to.
    """

    write: Rewriter
    of: Recurrence
    way: Direction
    weights: dict[tuple[int, int], ir.Value]

    def constant(self, name: str, values: npt.ArrayLike) -> ir.Value:
        """Return a new constant."""
        return self.write.numbers(name, Constant(np.asarray(values, np.float64), quantized=False))

    def product(self, state: ir.Value, first: int, last: int) -> ir.Value:
        """Append the product of a state and the recurrent weights of some gates."""
        if (first, last) not in self.weights:
            rows = self.way.recurrent[first * self.of.units : last * self.of.units]
            self.weights[first, last] = self.constant("recurrent", rows.T)
        return self.write.add("MatMul", [state, self.weights[first, last]])

    def part(self, x: ir.Value, first: int, last: int, of: int) -> ir.Value:
        """Append a slice of a vector of some gates, from one to before another."""
        if (first, last) == (0, of):
            return x
        limits = (first * self.of.units, last * self.of.units, 1)
        operands = [self.write.integers("limits", [n]) for n in limits]
        return self.write.add("Slice", [x, *operands])

    def two(self, op: str, left: ir.Value, right: ir.Value) -> ir.Value:
        """Append a sum or product."""
        return self.write.add(op, [left, right])

    def plus(self, x: ir.Value, values: Floats) -> ir.Value:
        """Append the sum with a constant, if it is not zero."""
        return self.two("Add", x, self.constant("bias", values)) if np.any(values) else x

    def function(self, which: int, x: ir.Value) -> ir.Value:
        """Append one of ONNX's functions f, g, h.

        ``clip`` bounds what f and g take; ONNX Runtime leaves the cell state as it is.
        """
        if self.of.clip is not None and which < 2:
            bounds = [self.constant("clip", s * self.of.clip) for s in (-1, 1)]
            x = self.write.add("Clip", [x, *bounds])
        return self._plain(self.way.activations[which], x)

    def _plain(self, by: Activation, x: ir.Value) -> ir.Value:
        add = self.write.add
        if by.name in PLAIN:
            return add(by.name, [x])
        if by.name == "HardSigmoid":
            return add(by.name, [x], alpha=by.alpha, beta=by.beta)
        if by.name not in ("Affine", "ScaledTanh"):
            return add(by.name, [x], alpha=by.alpha)
        alpha, beta = (self.constant("function", n) for n in (by.alpha, by.beta))
        if by.name == "Affine":
            return add("Add", [add("Mul", [x, alpha]), beta])
        return add("Mul", [add("Tanh", [add("Mul", [x, beta])]), alpha])


Equations = Callable[[Cell, ir.Value, States], States]


def rnn(cell: Cell, x: ir.Value, states: States) -> States:
    """``h' = f(x + h R)``."""
    (h,) = states
    total = x if h is None else cell.two("Add", x, cell.product(h, 0, 1))
    return (cell.function(0, total),)


def lstm(cell: Cell, x: ir.Value, states: States) -> States:
    """``c' = f c + i g(c)``, ``h' = o h(c')``; the gates in ONNX's order i, o, f, c."""
    h, c = states
    total = x if h is None else cell.two("Add", x, cell.product(h, 0, 4))
    if cell.way.peepholes is not None:
        return _lstm_with_peepholes(cell, total, c)
    gates = cell.function(0, cell.part(total, 0, 3, 4))
    i, o, f = (cell.part(gates, n, n + 1, 3) for n in range(3))
    return _lstm_states(cell, (i, o, f), cell.part(total, 3, 4, 4), c)


def _lstm_with_peepholes(cell: Cell, total: ir.Value, c: State) -> States:
    """Gates that look at the cell state: i and f at the one before, o at the one behind."""
    assert cell.way.peepholes is not None
    i, o, f, new = (cell.part(total, n, n + 1, 4) for n in range(4))
    looks = [cell.constant("peephole", p) for p in cell.way.peepholes]
    if c is not None:
        i = cell.two("Add", i, cell.two("Mul", c, looks[0]))
        f = cell.two("Add", f, cell.two("Mul", c, looks[2]))
    i, f = cell.function(0, i), cell.function(0, f)
    state = _cell_state(cell, i, f, cell.function(1, new), c)
    o = cell.function(0, cell.two("Add", o, cell.two("Mul", state, looks[1])))
    return cell.two("Mul", o, cell.function(2, state)), state


def _lstm_states(
    cell: Cell, gates: tuple[ir.Value, ir.Value, ir.Value], new: ir.Value, c: State
) -> States:
    i, o, f = gates
    state = _cell_state(cell, i, f, cell.function(1, new), c)
    return cell.two("Mul", o, cell.function(2, state)), state


def _cell_state(cell: Cell, i: ir.Value, f: ir.Value, new: ir.Value, c: State) -> ir.Value:
    kept = cell.two("Mul", i, new)
    if c is None:
        return kept
    if cell.of.input_forget:
        f = cell.write.add("Sub", [cell.constant("one", 1.0), i])
    return cell.two("Add", cell.two("Mul", f, c), kept)


def gru(cell: Cell, x: ir.Value, states: States) -> States:
    """``h' = (1 - z) g(...) + z h``; the gates in ONNX's order z, r, h."""
    (h,) = states
    z, r = _gates(cell, x, h)
    new, past = cell.part(x, 2, 3, 3), _past(cell, h, r)
    if past is not None:
        new = cell.two("Add", new, past)
    rest = cell.write.add("Sub", [cell.constant("one", 1.0), z])
    new = cell.two("Mul", rest, cell.function(1, new))
    return (new if h is None else cell.two("Add", cell.two("Mul", z, h), new),)


def _gates(cell: Cell, x: ir.Value, h: State) -> tuple[ir.Value, ir.Value]:
    """Append a GRU's gates z and r, as one value; apart where each meets constants of its own."""
    total = cell.part(x, 0, 2, 3)
    if h is not None:
        total = cell.two("Add", total, cell.product(h, 0, 2))
    if h is None or h.const_value is not None:
        z, r = (cell.function(0, cell.part(total, n, n + 1, 2)) for n in range(2))
        return z, r
    gates = cell.function(0, total)
    return cell.part(gates, 0, 1, 2), cell.part(gates, 1, 2, 2)


def _past(cell: Cell, h: State, r: ir.Value) -> State:
    """Append what the state before gives to a GRU's new state."""
    if not cell.of.linear_before_reset:
        return None if h is None else cell.product(cell.two("Mul", r, h), 2, 3)
    bias = cell.way.recurrent_bias[2 * cell.of.units :]
    if h is not None:
        return cell.two("Mul", r, cell.plus(cell.product(h, 2, 3), bias))
    return cell.two("Mul", r, cell.constant("bias", bias)) if np.any(bias) else None


EQUATIONS: dict[str, Equations] = {"RNN": rnn, "LSTM": lstm, "GRU": gru}
"""One step of each operator."""
