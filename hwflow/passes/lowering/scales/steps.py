"""``Steps``, a MultiThreshold: a quantiser whose levels begin at any numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir

from hwflow.ir.grid import ONE, ZERO, rationals
from hwflow.ir.op import Op
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.steps import Steps
from hwflow.ops.shared.broadcast import to_hardware
from hwflow.ops.shared.functions import line
from hwflow.passes.lowering.fuse_elementwise import close_levels
from hwflow.passes.lowering.view import view_of
from hwflow.passes.lowering.walk import Made, Walk


def lower_steps(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Made:
    """Lower a count of thresholds, with everything that was deferred before it.

    Raises:
        RefusedError: HW387, thresholds are not constant, or the scale is 0; what ``close_levels``
            raises.
    """
    view = view_of(walk, node, cls)
    value, constant = node.inputs[0], view.constant(1)
    scale, bias = (rationals(view.attributes[name]) for name in ("scale", "bias"))
    if value is None or constant is None or not scale.any():
        raise view.refuse(
            "MultiThreshold that is no quantiser",
            code="HW387",
            found="thresholds that are computed at run time"
            if constant is None
            else "a scale of 0",
            supported="constant thresholds, and out_scale other than 0",
            help="freeze the thresholds before the export",
        )
    view = replace(view, axes=walk.values[value.name or ""][1])
    before = walk.function_of(value)
    x = walk.types[before.sources[0]]
    thresholds = tuple(
        np.atleast_1d(rationals(to_hardware(view, x, constant.values[..., i])))
        for i in range(constant.values.shape[-1])
    )
    levels: Expression = Steps(before.tree, thresholds)
    if scale < 0:
        levels, scale = line(levels, -ONE, ZERO), -scale
    shift = bias / scale
    if all(s.denominator == 1 for s in np.ravel(shift)):
        levels, bias = line(levels, ONE, np.asarray(shift)), ZERO
    return close_levels(walk, node, cls, levels, scale=np.asarray(scale), offset=np.asarray(bias))
