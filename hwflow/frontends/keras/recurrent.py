"""Recurrent layers of QKeras, unrolled: one step of the cell after the other.

All steps' inputs are weighted by one product over the sequence. What stands behind it, and the
products with the states, are written once for each step, with the quantisers of the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.arguments import check_layer
from hwflow.frontends.keras.cells import Cell, Equations, State, Step, gru, lstm, nothing, simple
from hwflow.frontends.keras.layers import Convert, quantizer_of
from hwflow.frontends.keras.recurrent_operators import cell_of, operator
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.weights import evaluate, write_weight
from hwflow.frontends.keras.writer import Writer
from hwflow.passes.model.recurrence.layer import MOST_READERS
from hwflow.passes.model.recurrence.reading import MOST_STEPS

Layer = Any
"""A Keras layer; Keras comes without types."""

Make = Callable[[Writer, Layer], Cell]

LSTM_ORDER = (0, 1, 3, 2)
"""Keras has the gates of an LSTM in the order i, f, g, o; the three gates are wanted in a row."""


def unrolled(layer: Layer, x: Tensor, cell: Cell, equations: Equations, states: int) -> Tensor:
    """Append all steps of a layer.

    Args:
        layer: its ``return_sequences`` and ``go_backwards`` are read.
        x: the weighted inputs of all steps, (steps, gates times units).
        cell: what a step computes with.
        equations: one step.
        states: how many states there are; they begin with zeros.

    Returns:
        The result of the last step, or those of all steps in the order of their computation.

    Raises:
        RefusedError: HW381, the sequence is too long.
    """
    b, steps = cell.b, x.shape[0]
    if steps > MOST_STEPS:
        raise b.refusal(
            "sequence too long to be unrolled", code="HW381", found=f"{steps} steps",
            supported=f"up to {MOST_STEPS}",
            help="give Input a shorter sequence, or pool it before",
        )  # fmt: skip
    now: tuple[State, ...] = (None,) * states
    results: list[Tensor] = []
    for inputs in _rows(b, x)[:: -1 if layer.go_backwards else 1]:
        now = equations(cell, inputs, now)
        assert now[0] is not None
        results.append(now[0])
    return _stacked(b, results) if layer.return_sequences else results[-1]


def _rows(b: Writer, x: Tensor) -> list[Tensor]:
    """Append the elements of a value along its first axis, by parts where there are many."""
    count = x.shape[0]
    if count <= MOST_READERS:
        steps = [b.constant("step", n, np.int64) for n in range(count)]
        return [Tensor(b.node("Gather", [x.name, n], axis=1), x.shape[1:]) for n in steps]
    size, rows = -(-count // MOST_READERS), []
    for first in range(0, count, size):
        last = min(first + size, count)
        limits = [b.constant("limits", [n], np.int64) for n in (first, last, 1)]
        part = Tensor(b.node("Slice", [x.name, *limits]), (last - first, *x.shape[1:]))
        rows += _rows(b, part)
    return rows


def _stacked(b: Writer, results: list[Tensor]) -> Tensor:
    """Append the results of all steps as one value, (steps, units)."""
    rows = [b.reshaped(r, (1, *r.shape)) for r in results]
    name = rows[0].name if len(rows) == 1 else b.node("Concat", [r.name for r in rows], axis=1)
    return Tensor(name, (len(rows), *results[0].shape))


def weighted(
    b: Writer, layer: Layer, x: Tensor, parts: Callable[[FloatArray], FloatArray]
) -> Tensor:
    """Append the products of all steps' inputs and the kernel, and the bias.

    Args:
        b: the model.
        layer: the layer.
        x: (steps, inputs).
        parts: brings the columns of a kernel or bias into the order of the equations.
    """
    cell, source = cell_of(layer), b.keras(x)
    kernel = write_weight(b, "kernel", cell.kernel, quantizer_of(cell, "kernel"), parts)
    name = b.node("MatMul", [source.name, kernel])
    if layer.use_bias:
        bias = write_weight(
            b, "bias", cell.bias, quantizer_of(cell, "bias"),
            lambda a: parts(a if a.ndim == 1 else a[0]),
        )  # fmt: skip
        name = b.node("Add", [name, bias])
    gates = int(np.shape(cell.kernel)[-1])
    return Tensor(name, (source.shape[0], gates))


def _function(activation: Any) -> Step:
    return lambda b, x: activate(b, x, activation)


def _state(b: Writer, cell: Layer) -> Step:
    """Return the quantiser of states, which has to keep the zeros that they begin with.

    Raises:
        RefusedError: HW382, it does not.
    """
    quantizer = quantizer_of(cell, "state")
    if quantizer is None:
        return nothing
    first = evaluate(quantizer, np.zeros((1, int(cell.units)), np.float32))
    if np.any(first):
        raise b.refusal(
            "quantiser that turns the first state, which is zero, into another", code="HW382",
            found=f"state_quantizer={type(quantizer).__name__}: {float(first.ravel()[0]):g}",
            supported="quantisers of which 0 is a level",
            help="train with state_quantizer=quantized_bits(...)",
        )  # fmt: skip
    return _function(quantizer)


def _recurrent(b: Writer, cell: Layer, columns: Callable[[FloatArray], FloatArray]) -> str:
    """Return columns of the recurrent weights, quantised together with the others."""
    quantizer = quantizer_of(cell, "recurrent")
    return write_weight(b, "recurrent", cell.recurrent_kernel, quantizer, columns)


def _by_gate(array: FloatArray) -> FloatArray:
    """Return columns of an LSTM's weights with the three gates in a row."""
    parts = np.split(array, 4, axis=-1)
    return np.concatenate([parts[n] for n in LSTM_ORDER], axis=-1)


def _simple(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    cell = cell_of(layer)
    made = Cell(
        b=b, units=int(layer.units), gates=_recurrent(b, cell, lambda a: a),
        state=_state(b, cell), activation=_function(layer.activation),
    )  # fmt: skip
    return unrolled(layer, weighted(b, layer, x[0], lambda a: a), made, simple, 1)


def _lstm(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    cell = cell_of(layer)
    made = Cell(
        b=b, units=int(layer.units), gates=_recurrent(b, cell, _by_gate), state=_state(b, cell),
        activation=_function(layer.activation),
        recurrent_activation=_function(layer.recurrent_activation),
    )  # fmt: skip
    return unrolled(layer, weighted(b, layer, x[0], _by_gate), made, lstm, 2)


def _gru(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    cell, size = cell_of(layer), 2 * int(layer.units)
    if cell.recurrent_quantizer is None:
        raise b.refusal(  # QKeras 0.9: `quantized_recurrent = self.kernel`
            "GRU that computes with its kernel in place of the recurrent one",
            found="recurrent_quantizer=None", supported="a recurrent_quantizer",
            help="train with recurrent_quantizer=quantized_bits(...)",
        )  # fmt: skip
    after = bool(layer.reset_after)
    inner = None
    if layer.use_bias and after:
        quantizer = quantizer_of(cell, "bias")
        inner = (
            write_weight(b, "inner", cell.bias, quantizer, lambda a: a[1][:size]),
            write_weight(b, "inner", cell.bias, quantizer, lambda a: a[1][size:]),
        )
    made = Cell(
        b=b, units=int(layer.units), reset_after=after,
        gates=_recurrent(b, cell, lambda a: a[:, :size]),
        candidate=_recurrent(b, cell, lambda a: a[:, size:]),
        inner=inner, first="" if inner is None else inner[1], state=_state(b, cell),
        activation=_function(layer.activation),
        recurrent_activation=_function(layer.recurrent_activation),
    )  # fmt: skip
    return unrolled(layer, weighted(b, layer, x[0], lambda a: a), made, gru, 1)


def one_result(convert: Convert) -> Convert:
    """Return the conversion of a layer that begins every sequence anew and has one result."""

    def checked(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
        for name, instead in (
            ("stateful", "states that begin with zeros"),
            ("return_state", "the result alone"),
            ("time_major", "the batch as the first axis"),
        ):
            if getattr(layer, name, False):
                raise b.refusal(
                    "recurrent layer that keeps or gives its states" if "state" in name
                    else "recurrent layer with the steps as the first axis",
                    code="HW383", found=f"{name}=True", supported=instead,
                    help=f"build the model with {name}=False, and load the weights into it",
                )  # fmt: skip
        return convert(b, layer, x)

    return checked


def both_ways(
    b: Writer, layers: tuple[Layer, Layer], x: list[Tensor], convert: Convert, mode: Any
) -> Tensor:
    """Append a layer and one that reads the sequence backwards, and what becomes of the two.

    Args:
        b: the model.
        layers: the one that reads forwards, and the one that reads backwards.
        x: the operand.
        convert: the conversion of both.
        mode: Keras' ``merge_mode``.

    Raises:
        RefusedError: HW281, the mode is not known; and what the conversion finds.
    """
    ops = {"sum": "Add", "ave": "Add", "mul": "Mul", "concat": "Concat"}
    if mode not in ops:
        raise b.refusal(
            "two results of a Bidirectional", found=f"merge_mode={mode!r}", supported=", ".join(ops)
        )
    there, back = (convert(b, layer, x) for layer in layers)
    if layers[1].return_sequences:
        limits = [b.constant("turned", [n], np.int64) for n in (-1, -(2**62), 1, -1)]
        back = Tensor(b.node("Slice", [back.name, *limits]), back.shape)
    if mode == "concat":
        name = b.node("Concat", [there.name, back.name], axis=len(there.shape))
        return Tensor(name, (*there.shape[:-1], there.shape[-1] + back.shape[-1]))
    total = Tensor(b.node(ops[mode], [there.name, back.name]), there.shape)
    return b.unary("Mul", total, 0.5) if mode == "ave" else total


def _bidirectional(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    pair = (layer.forward_layer, layer.backward_layer)
    names = {type(part).__name__ for part in pair}
    name = next(iter(names))
    if len(names) > 1 or name not in CELLS:
        raise b.refusal(
            "layers that a Bidirectional cannot have", found=", ".join(sorted(names)),
            supported=f"twice one of {', '.join(CELLS)}",
        )  # fmt: skip
    for part in pair:
        check_layer(b, part, name)
    return both_ways(b, pair, x, CELLS[name], layer.merge_mode)


CELLS: dict[str, Convert] = {
    "SimpleRNN": one_result(operator("RNN")),
    "LSTM": one_result(operator("LSTM")),
    "GRU": one_result(operator("GRU")),
    "QSimpleRNN": one_result(_simple),
    "QLSTM": one_result(_lstm),
    "QGRU": one_result(_gru),
}
"""Recurrent layers, by class name."""

RECURRENT: dict[str, Convert] = {
    **CELLS,
    "Bidirectional": _bidirectional,
    "QBidirectional": _bidirectional,
}
"""Recurrent layers and the wrapper around two of them."""
