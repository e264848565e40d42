"""What becomes of scales: rules that several operators name in ``Op.scaled``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.scaled import OnIntegers, Operand, Prepared
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import nearest_line

OPERAND_BITS = 18
"""Bits of the operand of a table: what hls4ml's own tables have for their entries."""


def same_scale(cls: type[Op], node: OnnxNode, *operands: Operand) -> OnIntegers | None:
    """Return the rule of what compares, selects or joins values of one scale, which it keeps."""
    first = operands[0].one_grid
    if first is None or len(operands) < sum(i is not None for i in node.inputs):
        return None  # a constant operand has no scale of its own
    for operand in operands[1:]:
        grid = operand.one_grid
        if grid is None or grid.scale[0] != first.scale[0] or grid.offset[0] != first.offset[0]:
            return None
    return OnIntegers(cls.from_onnx(node), first)


def rounded_operand(cls: type[Op], node: OnnxNode, *operands: Operand) -> OnIntegers | None:
    """Return the rule of what is a table by nature: its operand is rounded to fixed point."""
    x = operands[0]
    grid = x.grid
    if len(operands) > 1 or grid is None or grid.scale.size > x.type.channels:
        return None
    scale, offset = (np.array([float(v) for v in part]) for part in (grid.scale, grid.offset))
    whole = nearest_line(scale, offset)
    ends = whole.exact(x.type)
    integer = ends.dtype.integer + (not ends.dtype.signed)
    rounded = FixedType(OPERAND_BITS, integer, True, Rounding.RND_CONV, Overflow.SAT)
    off = whole.rounded or (0.0, 0.0)
    op = replace(whole, result_t=rounded, rounded=(off[0], off[1] + rounded.step / 2))
    inputs = tuple(op.infer(x.type) if isinstance(i, TensorType) else i for i in node.inputs)
    return OnIntegers(
        cls.from_onnx(replace(node, inputs=inputs)), before={0: Prepared(op, "Operand")}
    )
