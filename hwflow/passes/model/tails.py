"""What follows a value: does a quantiser close the elementwise chain, and is the chain plain?

A chain is *plain* where every constant is a short binary fraction: the operators of hls4ml compute
it as it stands. Otherwise the whole chain up to its quantiser becomes one ``Requantize``.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import onnx_ir as ir

from hwflow.fixed import FixedArray
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import attributes, constant_of, is_quantizer, operator_name
from hwflow.ir.qonnx.table import NAME as TABLE
from hwflow.ir.real.functions import FUNCTIONS, parameters

SHORT = 12
"""Widest factor that is multiplied as it stands."""

AFFINE = ("Add", "Sub", "Mul", "Div", "BatchNormalization")
LINES = ("Neg", "Identity")
PLAIN = ("Relu", "Clip", *LINES)
OTHER = ("PRelu", "HardSigmoid", "Pow", TABLE)
REAL_TYPES = frozenset({ir.DataType.FLOAT, ir.DataType.DOUBLE})
"""Element types that stand for real numbers; conversion to them changes nothing."""
AVERAGES = ("AveragePool", "GlobalAveragePool")
MOVES = (
    "MaxPool", "GlobalMaxPool", *AVERAGES,
    "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze",
)  # fmt: skip
"""Operators between a chain and its quantiser that the chain can be carried across; averages only
what scales and shifts, since the mean of another function is not the function of the mean."""


class Tail(IntEnum):
    """How the chain behind a value ends."""

    OPEN = 0
    """The chain ends in something else than quantisers, too."""
    PLAIN = 1
    """The chain ends in quantisers, and all its constants are short binary fractions."""
    HARD = 2
    """The chain ends in quantisers, and something on the way needs a ``Requantize``."""


def tail(value: ir.Value, start: ir.Node | None = None, *, bent: bool = False) -> Tail:
    """Return how the chain from a value on ends.

    Args:
        value: where it begins.
        start: a node that counts as part of it.
        bent: whether the value is something else than scaled and shifted integers.
    """
    worst = Tail.PLAIN if start is None else Tail.PLAIN + _is_hard(start)
    users = value.consumers()
    if not users or value.is_graph_output():
        return Tail.OPEN
    for user in users:
        end = _through(user, bent=bent)
        if end is Tail.OPEN:
            return Tail.OPEN
        worst = max(worst, end)
    return Tail(worst)


def is_applied_by_host(node: ir.Node) -> bool:
    """Return whether a node belongs to one scale and offset for all of a graph output.

    They change nothing about the order of the values, and the host applies them without rounding.
    """
    hard = False
    current: ir.Node | None = node
    while current is not None:
        name = operator_name(current)
        if name not in ("Mul", "Div", "Add", "Sub") or not is_elementwise(current):
            return False
        constants = [c for v in current.inputs if v is not None and (c := constant_of(v))]
        if len(constants) != 1 or any(
            c.values.size != 1 or not np.isfinite(c.values).all() for c in constants
        ):
            return False
        if name == "Div" and constant_of(current.inputs[1]) is None:  # type: ignore[arg-type]
            return False
        hard |= _is_hard(current)
        result = current.outputs[0]
        if result.is_graph_output():
            return hard and not result.consumers()
        users = result.consumers()
        current = users[0] if len(users) == 1 else None
    return False


def closes(node: ir.Node) -> Tail:
    """Return how the chain that an elementwise node is part of ends."""
    return _through(node, bent=False)


def _through(node: ir.Node, *, bent: bool) -> Tail:
    if is_fixed_quant(node):
        return Tail.PLAIN
    if is_quantizer(node):
        if any(constant_of(v) is None for v in node.inputs[1:] if v is not None):
            return Tail.OPEN
        return Tail.PLAIN if _power_of_two_scales(node) else Tail.HARD
    name = operator_name(node)
    if is_elementwise(node):
        bent = bent or not _is_line(node)
    elif name not in MOVES or (bent and name in AVERAGES):
        return Tail.OPEN
    return tail(node.outputs[0], node, bent=bent)


def is_elementwise(node: ir.Node) -> bool:
    """Return whether a node is a real function of one value, constants aside."""
    name = operator_name(node)
    if name == "Cast":
        return cast_target(node) in REAL_TYPES
    if name not in (*AFFINE, *PLAIN, *OTHER) and name not in FUNCTIONS:
        return False
    values = [v for v in node.inputs if v is not None and v.name and constant_of(v) is None]
    if len(values) == 2 and name in ("Add", "Mul"):
        return root(values[0]) is root(values[1])
    return len(values) == 1


def cast_target(node: ir.Node) -> ir.DataType:
    """Return the element type that a ``Cast`` gives."""
    return ir.DataType(node.attributes["to"].as_int())


def _is_line(node: ir.Node) -> bool:
    """Return whether an elementwise node only scales and shifts."""
    name = operator_name(node)
    values = [constant_of(v) is None for v in node.inputs if v is not None and v.name]
    if name == "Div" and values[0] and not values[-1]:
        return True
    return name in (*LINES, "Cast") or (name in AFFINE and name != "Div" and sum(values) == 1)


def root(value: ir.Value) -> ir.Value:
    """Return the value that elementwise nodes made this one from."""
    producer = value.producer()
    while producer is not None and is_elementwise(producer):
        value = next(v for v in producer.inputs if v is not None and constant_of(v) is None)
        producer = value.producer()
    return value


def _power_of_two_scales(node: ir.Node) -> bool:
    positions = (1, 4) if node.op_type == "Trunc" and len(node.inputs) == 6 else (1,)
    scales = [constant_of(v) for i in positions if (v := node.inputs[i]) is not None]
    return all(c is not None and bool(np.all(np.frexp(c.values)[0] == 0.5)) for c in scales)


def _is_hard(node: ir.Node) -> bool:
    name = operator_name(node)
    constants = [c for v in node.inputs if v is not None and (c := constant_of(v)) is not None]
    match name:
        case "Add" | "Sub" | "Relu" | "Neg" | "Identity" | "Cast":
            return False
        case "Clip":
            return not all(_is_short(c.values) for c in constants)
        case "Mul" | "Div" | "PRelu":
            with np.errstate(divide="ignore"):  # refused where it is lowered
                values = [1 / c.values if name == "Div" else c.values for c in constants]
            return not constants or not all(_is_short(v) for v in values)
        case "LeakyRelu":
            return not _is_short(np.array(parameters(name, attributes(node))["alpha"]))
        case "AveragePool" | "GlobalAveragePool":
            return False
    return name not in MOVES


def _is_short(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    if not np.isfinite(values).all():
        return True  # refused where it is lowered
    try:
        return FixedArray.exactly(values).dtype.width <= SHORT
    except OverflowError:
        return False
