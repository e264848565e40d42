"""One step of a recurrent cell, with the quantisers that QKeras and HGQ have inside of it.

The equations are those of Keras (``SimpleRNNCell``, ``LSTMCell``, ``GRUCell``). A state that is
None is one of zeros: what would be multiplied by it is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.writer import Writer

Step = Callable[[Writer, Tensor], Tensor]
"""Appends a function, or a quantiser."""

State = Tensor | None

Equations = Callable[["Cell", Tensor, tuple[State, ...]], tuple[State, ...]]
"""From the weighted inputs of a step and the states before it to those behind it; the first is the
result of the step."""


def nothing(b: Writer, x: Tensor) -> Tensor:
    """Return a value as it is."""
    return x


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """What every step of a layer computes with.

    Attributes:
        b: the model.
        units: length of a state.
        gates: recurrent weights, (units, gates times units); of a GRU those of its two gates.
        candidate: recurrent weights of a GRU's new state, (units, units).
        inner: a GRU's biases behind the recurrent products of the gates and of the new state.
        first: what ``reset`` makes of the second of them, which is the product of zeros.
        reset_after: a GRU's reset gate stands behind the recurrent product.
        state: what states pass before they are used.
        recurrent_activation: function of the gates.
        activation: function of what becomes the new state.
        reset: what passes before it meets a GRU's reset gate, or behind it where the gate is first.
    """

    b: Writer
    units: int
    gates: str
    candidate: str = ""
    inner: tuple[str, str] | None = None
    first: str = ""
    reset_after: bool = False
    state: Step = nothing
    recurrent_activation: Step = nothing
    activation: Step = nothing
    reset: Step = nothing

    def two(self, op: str, left: Tensor, right: Tensor) -> Tensor:
        """Append a sum or product of two vectors."""
        return replace(left, name=self.b.node(op, [left.name, right.name]))

    def product(self, state: Tensor, weights: str) -> Tensor:
        """Append the product of a state and recurrent weights."""
        return Tensor(self.b.node("MatMul", [state.name, weights]), state.shape)

    def part(self, x: Tensor, first: int, last: int) -> Tensor:
        """Append a slice of a vector, from one gate to before another."""
        if (first, last * self.units) == (0, x.shape[-1]):
            return x
        limits = (first * self.units, last * self.units, len(x.shape))
        operands = [self.b.constant("limits", [n], np.int64) for n in limits]
        return Tensor(self.b.node("Slice", [x.name, *operands]), ((last - first) * self.units,))

    def used(self, state: State) -> State:
        """Append what a state passes before it is used."""
        return None if state is None else self.state(self.b, state)


def simple(cell: Cell, x: Tensor, states: tuple[State, ...]) -> tuple[State, ...]:
    """``h' = activation(x + h R)``."""
    h = cell.used(states[0])
    total = x if h is None else cell.two("Add", x, cell.product(h, cell.gates))
    return (cell.activation(cell.b, total),)


def lstm(cell: Cell, x: Tensor, states: tuple[State, ...]) -> tuple[State, ...]:
    """``c' = f c + i activation(g)``, ``h' = o activation(c')``; columns in the order i, f, o, g.

    That is not Keras' order: here one function takes all gates.
    """
    h, c = (cell.used(s) for s in states)
    total = x if h is None else cell.two("Add", x, cell.product(h, cell.gates))
    open_gates = cell.recurrent_activation(cell.b, cell.part(total, 0, 3))
    i, f, o = (cell.part(open_gates, n, n + 1) for n in range(3))
    new = cell.two("Mul", i, cell.activation(cell.b, cell.part(total, 3, 4)))
    if c is not None:
        new = cell.two("Add", cell.two("Mul", f, c), new)
    return cell.two("Mul", o, cell.activation(cell.b, new)), new


def gru(cell: Cell, x: Tensor, states: tuple[State, ...]) -> tuple[State, ...]:
    """``h' = z h + (1 - z) activation(g)``, ``g = x + r (h R + b)`` or ``x + (r h) R``."""
    b, h = cell.b, cell.used(states[0])
    total = cell.part(x, 0, 2)
    if h is not None:
        total = cell.two("Add", total, cell.product(h, cell.gates))
    if cell.inner is not None:
        total = replace(total, name=b.node("Add", [total.name, cell.inner[0]]))
    both = cell.recurrent_activation(b, total)
    z, r = cell.part(both, 0, 1), cell.part(both, 1, 2)
    new, past = cell.part(x, 2, 3), _past(cell, h, r)
    if past is not None:
        new = cell.two("Add", new, past)
    new = cell.activation(b, new)
    rest = replace(z, name=b.node("Sub", [b.constant("one", 1.0), z.name]))
    new = cell.two("Mul", rest, new)
    return (new if h is None else cell.two("Add", cell.two("Mul", z, h), new),)


def _past(cell: Cell, h: State, r: Tensor) -> State:
    """Append what the state before gives to a GRU's new state."""
    if h is not None and not cell.reset_after:
        return cell.product(cell.reset(cell.b, cell.two("Mul", r, h)), cell.candidate)
    if h is None:
        return replace(r, name=cell.b.node("Mul", [r.name, cell.first])) if cell.first else None
    past = cell.product(h, cell.candidate)
    if cell.inner is not None:
        past = replace(past, name=cell.b.node("Add", [past.name, cell.inner[1]]))
    return cell.two("Mul", r, cell.reset(cell.b, past))
