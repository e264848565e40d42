"""Inputs whose quantiser is there but could not be read: its rounding was refused.

The quantiser would say the type of the input. Once it is written as one that can be read, the type
is known, so that only the rounding is reported.
"""

from __future__ import annotations

from collections.abc import Set

import onnx_ir as ir

from hwflow.ir.qonnx.model import constant_of, operator_name
from hwflow.ops import facts_of
from hwflow.ops.maximum import Maximum
from hwflow.ops.minimum import Minimum
from hwflow.passes.model.tails import is_elementwise


def only_rounded(value: ir.Value, roundings: Set[ir.Node]) -> bool:
    """Return whether nothing but roundings, with what is part of their quantisers, reads a value.

    Args:
        value: an input, or what elementwise functions of one value make of it.
        roundings: nodes that round.
    """
    readers = value.consumers()
    return (
        bool(readers)
        and not value.is_graph_output()
        and all(_leads_to(n, value, roundings) for n in readers)
    )


def _leads_to(node: ir.Node, value: ir.Value, roundings: Set[ir.Node]) -> bool:
    if node in roundings or _is_estimator(node, value, roundings):
        return True
    return _of_one_value(node) and only_rounded(node.outputs[0], roundings)


def _is_estimator(node: ir.Node, value: ir.Value, roundings: Set[ir.Node]) -> bool:
    """Return whether a node belongs to ``x + (y - x)`` of a value x, where y is rounded."""
    if operator_name(node) == "Sub":
        before = node.inputs[0]
        return node.inputs[1] is value and before is not None and _is_behind(before, roundings)
    if operator_name(node) != "Add":
        return False
    (other,) = [v for v in node.inputs if v is not value] or [None]
    difference = other.producer() if other is not None else None
    return (
        difference is not None
        and operator_name(difference) == "Sub"
        and _is_estimator(difference, value, roundings)
    )


def _is_behind(value: ir.Value, roundings: Set[ir.Node]) -> bool:
    """Return whether a value is an elementwise function of what one of the roundings gives."""
    node = value.producer()
    while node is not None and node not in roundings:
        if operator_name(node) == "Add" and not _of_one_value(node):  # of an estimator within
            operands = [v.producer() for v in node.inputs if v is not None]
            node = next((p for p in operands if p is not None and operator_name(p) == "Sub"), None)
            continue
        before = [v for v in node.inputs if v is not None and constant_of(v) is None]
        node = before[0].producer() if before else None
    return node is not None


def _of_one_value(node: ir.Node) -> bool:
    values = [v for v in node.inputs if v is not None and v.name and constant_of(v) is None]
    return is_elementwise(node) or (facts_of(node) in (Maximum, Minimum) and len(values) == 1)
