"""Where integers must stand for real numbers: to find the greatest, and as operands of tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.op import Op
from hwflow.ir.qonnx.model import origin
from hwflow.ops.scale_bias import nearest_line
from hwflow.passes.lowering.order import NoOrderError, in_order
from hwflow.passes.lowering.scales.common import lone_line, on_line
from hwflow.passes.lowering.walk import Walk, emit, emit_all, results_in_use, view_of

OPERAND_BITS = 18
"""Bits of the operand of a table: what hls4ml's own tables have for their entries."""


def ranked(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """The place of the greatest value is that of the greatest integer, on a common scale."""
    value = node.inputs[0]
    assert value is not None
    grid = lone_line(walk, value)
    view, inputs = view_of(walk, node, cls, {})
    if grid is None:
        return False
    own, held = max(grid.scale.size, grid.offset.size), walk.values[value.name or ""][0]
    if own > 1 and (inputs[0] != held or own != walk.types[held].channels):
        return False
    try:
        ordered = in_order(grid, walk.types[inputs[0]])
    except NoOrderError as problem:
        raise view.refuse(
            f"{node.op_type} of values with a scale for each channel",
            code="HW227",
            found=str(problem),
            help="quantise the value before it",
        ) from None
    if ordered is not None:
        inputs = (walk.add(ordered, inputs, walk.namer.label(origin(node), "Order"), origin(node)),)
        view = replace(view, inputs=(walk.types[inputs[0]], *view.inputs[1:]))
    emit(walk, node, cls, view, inputs)
    return True


def top_k(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """The greatest values keep their scale; their places need none."""
    value, used = node.inputs[0], results_in_use(node)
    if used == [1]:
        return ranked(walk, node, cls)
    assert value is not None
    grid = lone_line(walk, value)
    if grid is None or grid.scale.size > 1 or grid.offset.size > 1 or grid.scale[0] <= 0:
        return False
    view, inputs = view_of(walk, node, cls, {})
    emit_all(walk, node, cls, view, inputs)
    on_line(walk, node, walk.values[node.outputs[0].name or ""][0], grid)
    return True


def approximate(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """What is a table by nature takes its operand rounded to plain fixed point."""
    (value,) = [v for v in node.inputs if v is not None and v.name in walk.values]
    grid = lone_line(walk, value)
    if grid is None or grid.scale.size > walk.types[walk.values[value.name or ""][0]].channels:
        return False
    held, axes = walk.values[value.name or ""]
    scale, offset = (np.array([float(v) for v in part]) for part in (grid.scale, grid.offset))
    whole = nearest_line(scale, offset)
    ends = whole.exact(walk.types[held])
    integer = ends.dtype.integer + (not ends.dtype.signed)
    rounded = FixedType(OPERAND_BITS, integer, True, Rounding.RND_CONV, Overflow.SAT)
    off = whole.rounded or (0.0, 0.0)
    op = replace(whole, result_t=rounded, rounded=(off[0], off[1] + rounded.step / 2))
    name = walk.add(op, (held,), walk.namer.label(origin(node), "Operand"), origin(node))
    deferred = walk.deferred.pop(value.name or "")
    walk.values[value.name or ""] = name, axes  # for this reader only
    view, inputs = view_of(walk, node, cls, {})
    walk.values[value.name or ""], walk.deferred[value.name or ""] = (held, axes), deferred
    emit(walk, node, cls, view, inputs)
    return True
