"""Carries out what operators say about scales (``Op.scaled``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx_ir

from hwflow.ir.grid import Grid
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.qonnx.model import origin
from hwflow.ir.real.expression import Expression
from hwflow.ir.scaled import OnIntegers, Operand, Total, Way, on_grid
from hwflow.ops.shared.scales import rounded_operand
from hwflow.passes.lowering.deferred import Deferred
from hwflow.passes.lowering.emission import emit
from hwflow.passes.lowering.fuse_elementwise import extend
from hwflow.passes.lowering.scales.sums import add_up
from hwflow.passes.lowering.view import inputs_of, operands_of, results_in_use, shape_of, view_of
from hwflow.passes.lowering.walk import Made, Walk
from hwflow.passes.model.tails import Tail, tail


def by_rule(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Sequence[Made] | None:
    """Lower a node as its operator says, or return None where that takes a quantiser first.

    Raises:
        RefusedError: the node cannot be computed exactly.
    """
    view = view_of(walk, node, cls)
    view = replace(view, requantized=tail(node.outputs[0]) is Tail.HARD)
    operands = operands_of(walk, node, view)
    found: list[Made] = []
    for which in results_in_use(node):
        one = replace(view, result=which, output_shape=shape_of(node.outputs[which]))
        made = _result(walk, node, cls, one, operands)
        if made is None:
            return None
        found.append(made)
    return found


def _result(
    walk: Walk, node: onnx_ir.Node, cls: type[Op], view: OnnxNode, operands: tuple[Operand, ...]
) -> Made | None:
    rule = cls.scaled(view, *operands)
    if rule is Way.FUNCTION:
        return extend(walk, node, cls)
    if isinstance(rule, Total):
        return add_up(walk, node, cls, view, rule)
    found = rounded_operand(cls, view, *operands) if rule is Way.ROUNDED else rule
    return on_integers(walk, node, cls, view, found) if isinstance(found, OnIntegers) else None


def on_integers(
    walk: Walk, node: onnx_ir.Node, cls: type[Op], view: OnnxNode, found: OnIntegers
) -> Made:
    """Add operators on integers, and return what the result became.

    Raises:
        RefusedError: HW259, the result has another shape than the model says.
    """
    inputs = list(inputs_of(walk, node, view.axes))
    for position, first in found.before.items():
        held, named = inputs[position], origin(node)
        label = walk.namer.label(held if first.of_operand else named, first.purpose)
        inputs[position] = walk.add(first.op, (held,), label, "" if first.of_operand else named)
    made = emit(walk, node, cls, view, inputs=tuple(inputs), chain=found.chain)
    return meaning(walk, made, found.meaning)


def meaning(walk: Walk, made: Made, stands_for: Grid | Expression | None) -> Made:
    """Return a result with what its integers stand for."""
    if stands_for is None:
        return made
    x = walk.types[made.held]
    tree = on_grid(stands_for, x) if isinstance(stands_for, Grid) else stands_for
    return replace(made, deferred=Deferred((made.held,), tree))
