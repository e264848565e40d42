"""What an ONNX ``RNN``, ``LSTM`` or ``GRU`` computes: its weights and functions by direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import QonnxModel, attributes, constant_of, printable

Floats = npt.NDArray[np.float64]

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
"""Blocks of ``hidden_size`` rows in W and R, by operator: all operators that are unrolled."""

MOST_STEPS = 1024
"""Longest sequence that is unrolled: every step is hardware of its own."""

DEFAULTS = {"RNN": ("Tanh",), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}

PARAMETERS: dict[str, tuple[float | None, float | None]] = {
    "Sigmoid": (None, None), "Tanh": (None, None), "Relu": (None, None),
    "Softsign": (None, None), "Softplus": (None, None),
    "HardSigmoid": (0.2, 0.5), "LeakyRelu": (0.01, None), "Elu": (1.0, None),
    "ThresholdedRelu": (1.0, None), "Affine": (1.0, 0.0), "ScaledTanh": (1.0, 1.0),
}  # fmt: skip
"""``alpha`` and ``beta`` of each function that has them, with the defaults of ONNX Runtime."""


@dataclass(frozen=True)
class Activation:
    """A function of ONNX's recurrent operators."""

    name: str
    alpha: float
    beta: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    """One way through the sequence.

    Attributes:
        kernel: (gates times units, inputs).
        recurrent: (gates times units, units).
        kernel_bias, recurrent_bias: (gates times units,).
        peepholes: weights of the cell state in the gates i, o, f of an LSTM, (3, units).
        states: the first hidden state, and the first cell state of an LSTM, (units,).
        activations: ONNX's f, g, h.
        backwards: whether the last step is the first.
    """

    kernel: Floats
    recurrent: Floats
    kernel_bias: Floats
    recurrent_bias: Floats
    peepholes: Floats | None
    states: tuple[Floats, ...]
    activations: tuple[Activation, ...]
    backwards: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrence:
    """A recurrent operator.

    Attributes:
        kind: ``RNN``, ``LSTM`` or ``GRU``.
        steps: length of the sequence.
        units: length of a state.
        clip: bound of what functions take; None for none.
        input_forget: an LSTM's forget gate is one minus its input gate.
        linear_before_reset: a GRU's reset gate stands behind the recurrent product.
        layout: 1 where the batch is ONNX's first axis, and 0 where the steps are.
        directions: one, or two.
    """

    kind: str
    steps: int
    units: int
    clip: float | None
    input_forget: bool
    linear_before_reset: bool
    layout: int
    directions: tuple[Direction, ...]


def read_recurrence(model: QonnxModel, node: ir.Node) -> Recurrence:
    """Return what a recurrent operator computes.

    Raises:
        CompileError: HW384, something of it is not supported; HW381, the sequence is too long.
    """
    given, shape = attributes(node), node.inputs[0].shape if node.inputs[0] is not None else None
    sizes = [int(d) for d in shape.numpy()] if shape is not None else []
    problems = list(_problems(node, given, sizes))
    if problems:
        raise CompileError([_finding(model, node, *p) for p in problems])
    layout = int(given.get("layout", 0))
    steps = sizes[1 if layout else 0]
    if steps > MOST_STEPS:
        raise CompileError([_too_long(model, node, steps)])
    units = int(given.get("hidden_size", 0)) or _array(node, 2).shape[-1]
    clip = given.get("clip")
    return Recurrence(
        kind=node.op_type, steps=steps, units=units, layout=layout,
        clip=None if clip is None else float(clip),
        input_forget=bool(given.get("input_forget", 0)),
        linear_before_reset=bool(given.get("linear_before_reset", 0)),
        directions=tuple(_directions(node, given, layout)),
    )  # fmt: skip


def _directions(node: ir.Node, given: Mapping[str, Any], layout: int) -> Iterator[Direction]:
    kernel, recurrent = _array(node, 1), _array(node, 2)
    count, rows = kernel.shape[:2]
    bias = _array(node, 3) if _has(node, 3) else np.zeros((count, 2 * rows))
    names = _names(node, given, count)
    each = len(names) // count
    for number in range(count):
        states = tuple(
            (s[:, number] if layout else s[number])[0]
            for s in (_array(node, i) if _has(node, i) else None for i in (5, 6))
            if s is not None
        )
        yield Direction(
            kernel=kernel[number], recurrent=recurrent[number],
            kernel_bias=bias[number, :rows], recurrent_bias=bias[number, rows:],
            peepholes=_array(node, 7)[number].reshape(3, -1) if _has(node, 7) else None,
            states=_states(node, states, recurrent.shape[-1]),
            activations=tuple(names[number * each : (number + 1) * each]),
            backwards=number == 1 or given.get("direction") == "reverse",
        )  # fmt: skip


def _states(node: ir.Node, given: tuple[Floats, ...], units: int) -> tuple[Floats, ...]:
    """Return the first states, zeros where none are given."""
    wanted = 2 if node.op_type == "LSTM" else 1
    if _has(node, 6) and not _has(node, 5):
        given = (np.zeros(units), *given)
    return (*given, *(np.zeros(units) for _ in range(wanted - len(given))))


def _names(node: ir.Node, given: Mapping[str, Any], count: int) -> list[Activation]:
    """Return the functions of all directions; parameters go to those that take them, in order."""
    names = [str(n) for n in given.get("activations", DEFAULTS[node.op_type] * count)]
    alphas = iter(given.get("activation_alpha", ()))
    betas = iter(given.get("activation_beta", ()))
    found = []
    for name in names:
        known = _canonical(name)
        alpha, beta = PARAMETERS[known]
        found.append(
            Activation(
                known,
                0.0 if alpha is None else float(next(alphas, alpha)),
                0.0 if beta is None else float(next(betas, beta)),
            )
        )
    return found


def _canonical(name: str) -> str:
    """Return a function's name as ONNX spells it; case does not count."""
    return next((known for known in PARAMETERS if known.lower() == name.lower()), "")


def _problems(
    node: ir.Node, given: Mapping[str, Any], sizes: list[int]
) -> Iterator[tuple[str, str, str]]:
    """Yield what is not supported: found, supported and help."""
    roles = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
    for index, name in enumerate(roles):
        value = node.inputs[index] if index < len(node.inputs) else None
        if index and value is not None and constant_of(value) is None:
            yield (
                f"{name} that is computed at run time", "constants",
                "give the states zeros or constants" if "initial" in name
                else f"make {name} a constant of the model",
            )  # fmt: skip
    if len(sizes) != 3:
        yield f"an input of {len(sizes)} axes", "3: steps, batch and inputs", "reshape it"
    names = [str(n) for n in given.get("activations", ())]
    for name in sorted({n for n in names if not _canonical(n)}):
        yield f"activation {printable(name)}", ", ".join(PARAMETERS), "use one of these"
    yield from _shaped(node, given, names, sizes)


def _shaped(
    node: ir.Node, given: Mapping[str, Any], names: list[str], sizes: list[int]
) -> Iterator[tuple[str, str, str]]:
    """Yield what does not fit together, among operands that are constant."""
    lens = node.inputs[4] if len(node.inputs) > 4 else None
    lengths = None if lens is None else constant_of(lens)
    steps = sizes[1 if given.get("layout") else 0] if len(sizes) == 3 else 0
    if lengths is not None and np.any(lengths.values != steps):
        yield (
            f"sequence_lens = {[int(n) for n in lengths.values.ravel()][:8]}",
            f"the whole sequence of {steps} steps",
            "cut the sequence before the operator, or leave sequence_lens out",
        )
    weights = constant_of(node.inputs[1]) if node.inputs[1] is not None else None
    if weights is None or weights.values.ndim != 3:
        return
    wanted = len(DEFAULTS[node.op_type]) * weights.values.shape[0]
    if names and len(names) != wanted:
        yield f"{len(names)} activations", f"{wanted}", "name one for each function and direction"
    if (weights.values.shape[0] == 2) != (given.get("direction") == "bidirectional"):
        found = f"direction {printable(str(given.get('direction', 'forward')))!r}"
        yield f"{found} with weights of {weights.values.shape[0]}", "as many as directions", ""


def _has(node: ir.Node, index: int) -> bool:
    return index < len(node.inputs) and node.inputs[index] is not None


def _array(node: ir.Node, index: int) -> Floats:
    value = node.inputs[index]
    constant = None if value is None else constant_of(value)
    assert constant is not None
    return constant.values


def _finding(
    model: QonnxModel, node: ir.Node, found: str, supported: str, instead: str
) -> Diagnostic:
    return Diagnostic(
        code="HW384", title="recurrent operator that cannot be unrolled", where=model.where(node),
        found=found, supported=supported, help=instead,
    )  # fmt: skip


def _too_long(model: QonnxModel, node: ir.Node, steps: int) -> Diagnostic:
    return Diagnostic(
        code="HW381", title="sequence too long to be unrolled", where=model.where(node),
        found=f"{steps} steps", supported=f"up to {MOST_STEPS}",
        help="give the network a shorter sequence, or pool it before",
    )  # fmt: skip
