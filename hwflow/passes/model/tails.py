"""What follows a value: does a quantiser close the elementwise chain, and is the chain plain?

A chain is *plain* where every constant is a short binary fraction: the operators of hls4ml compute
it as it stands. Otherwise the whole chain up to its quantiser becomes one ``Requantize``.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import OnnxNode
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import attributes, constant_of, is_quantizer, operator_name
from hwflow.ir.qonnx.steps import is_steps
from hwflow.ops import facts_of

REAL_TYPES = frozenset({ir.DataType.FLOAT, ir.DataType.DOUBLE})
"""Element types that stand for real numbers; conversion to them changes nothing."""
KEPT = ("Cast", "Identity")
"""Operators that give the number that they take."""


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


def ahead(value: ir.Value) -> Iterator[ir.Node]:
    """Yield the nodes behind a value whose constants tell how its chain ends."""
    for user in value.consumers():
        yield user
        ends = is_fixed_quant(user) or is_quantizer(user)
        if not ends and (is_elementwise(user) or _is_crossed(user, bent=False)):
            for result in user.outputs:
                yield from ahead(result)


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
    if is_steps(node):
        return Tail.HARD
    if is_quantizer(node):
        if any(constant_of(v) is None for v in node.inputs[1:] if v is not None):
            return Tail.OPEN
        return Tail.PLAIN if _power_of_two_scales(node) else Tail.HARD
    if is_elementwise(node):
        bent = bent or not is_line(node)
    elif not _is_crossed(node, bent=bent):
        return Tail.OPEN
    return tail(node.outputs[0], node, bent=bent)


def _is_crossed(node: ir.Node, *, bent: bool) -> bool:
    """Return whether a chain can be carried across a node that is no function of one element.

    Averages only let pass what scales and shifts, since the mean of another function is not the
    function of the mean; a maximum is an element of its operand.
    """
    facts = facts_of(node)
    return facts.reorders or (node.op_type in facts.pools and (facts.selects or not bent))


def is_elementwise(node: ir.Node) -> bool:
    """Return whether a node is a real function of one value, constants aside."""
    name, facts = operator_name(node), facts_of(node)
    if name in KEPT:
        return name == "Identity" or cast_target(node) in REAL_TYPES
    if name not in facts.functions:
        return False
    values = [v for v in node.inputs if v is not None and v.name and constant_of(v) is None]
    if len(values) == 2 and name in facts.pairs:
        return root(values[0]) is root(values[1])
    return len(values) == 1


def cast_target(node: ir.Node) -> ir.DataType:
    """Return the element type that a ``Cast`` gives."""
    return ir.DataType(node.attributes["to"].as_int())


def is_line(node: ir.Node) -> bool:
    """Return whether an elementwise node only scales and shifts."""
    return operator_name(node) in KEPT or facts_of(node).is_line(_with_constants(node))


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
    """Return whether a node of a chain needs a ``Requantize``."""
    if operator_name(node) in KEPT or not is_elementwise(node):
        return False
    return not facts_of(node).is_plain(_with_constants(node))


def _with_constants(node: ir.Node) -> OnnxNode:
    """Return a node as an operator sees it, with nothing but its constants."""
    constants = tuple(None if v is None else constant_of(v) for v in node.inputs)
    return OnnxNode(
        op_type=node.op_type,
        attributes=attributes(node),
        inputs=constants,
        axes=(),
        output_shape=(),
    )
