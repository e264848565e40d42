"""All steps of a recurrent operator, written in the place of its node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from hwflow.passes.model.recurrence.cells import EQUATIONS, Cell, States
from hwflow.passes.model.recurrence.reading import Direction, Floats, Recurrence
from hwflow.passes.model.rewrites.writer import Rewriter

MOST_READERS = 7
"""Readers of one stream of hls4ml's; more steps than that read copies of parts of the sequence."""


@dataclass(frozen=True, eq=False)
class Steps:
    """What the steps of one direction gave.

    Attributes:
        results: hidden states by step, in the order of the sequence, (batch, units).
        last: the states behind the step that was computed last.
    """

    results: list[ir.Value]
    last: States


def write_steps(write: Rewriter, of: Recurrence, way: Direction, x: ir.Value) -> Steps:
    """Write one direction of a recurrent operator.

    Args:
        write: writes in the place of the node.
        of: the operator.
        way: the direction.
        x: the sequence, (batch, steps, inputs).
    """
    cell = Cell(write, of, way, {})
    weighted = cell.write.add("MatMul", [x, cell.constant("kernel", way.kernel.T)])
    inputs = _rows(write, cell.plus(weighted, _bias(of, way)), of.steps)
    states: States = tuple(_first(cell, s) for s in way.states)
    results: list[ir.Value] = []
    for row in inputs[:: -1 if way.backwards else 1]:
        states = EQUATIONS[of.kind](cell, row, states)
        assert states[0] is not None
        results.append(states[0])
    return Steps(results[:: -1 if way.backwards else 1], states)


def _bias(of: Recurrence, way: Direction) -> Floats:
    """Return the biases that are added to the weighted inputs.

    Those behind the recurrent product are among them, save where a reset gate multiplies it.
    """
    inner = way.recurrent_bias.copy()
    if of.kind == "GRU" and of.linear_before_reset:
        inner[2 * of.units :] = 0
    return np.asarray(way.kernel_bias + inner)


def _first(cell: Cell, state: Floats) -> ir.Value | None:
    """Return a first state as a constant; None for zeros."""
    return cell.constant("initial", state[None, :]) if np.any(state) else None


def _rows(write: Rewriter, x: ir.Value, count: int) -> list[ir.Value]:
    """Append the elements of a value along its axis 1, by parts where there are many."""
    if count <= MOST_READERS:
        steps = [write.integers("step", np.array(n, np.int64)) for n in range(count)]
        return [write.add("Gather", [x, n], axis=1) for n in steps]
    size, rows = -(-count // MOST_READERS), []
    for first in range(0, count, size):
        last = min(first + size, count)
        limits = [write.integers("limits", [n]) for n in (first, last, 1)]
        rows += _rows(write, write.add("Slice", [x, *limits]), last - first)
    return rows
