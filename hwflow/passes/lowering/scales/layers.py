"""Linear layers of whole numbers; the scales multiply on the side, and the bias waits there."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx_ir

from hwflow.fixed import FixedArray, needed_fractional
from hwflow.ir.grid import ONE, ZERO, Grid, Rationals, rationals
from hwflow.ir.op import Constant, Op
from hwflow.ops.shared.constants import MAX_WEIGHT_WIDTH
from hwflow.passes.lowering.scales.common import attribute, is_power_of_two, lone_line, on_line
from hwflow.passes.lowering.scales.obstacle import obstacle, scale_obstacle
from hwflow.passes.lowering.walk import Walk, emit, view_of
from hwflow.passes.model.tails import Tail, tail


def lower_weighted(walk: Walk, node: onnx_ir.Node, cls: type[Op], *, scaled: bool) -> bool:
    """Lower a linear layer as one of whole numbers; its scales and its bias ride on the result."""
    x, constant = node.inputs[0], None if node.inputs[1] is None else node.inputs[1].name
    weight = walk.constants.get(constant or "")
    end = tail(node.outputs[0])
    if x is None or x.name not in walk.values or weight is None:
        if scaled:
            raise obstacle(walk, node, cls)
        return False
    whole, scale = _whole_weights(node, weight)
    bias = _bias(walk, node)
    alpha = _factor(node, "alpha")
    plain = not scaled and np.all(scale == 1) and (alpha == 0 or is_power_of_two(abs(alpha)))
    if plain and (bias is None or end is not Tail.HARD):
        return False
    grid = lone_line(walk, x)
    if grid is None or np.any(grid.offset):
        raise scale_obstacle(walk, node)
    own = grid.scale
    if own.size != 1:
        if node.op_type != "Conv" or int(attribute(node, "group", 1)) != own.size:
            raise scale_obstacle(walk, node)
        own = np.repeat(own, weight.values.shape[0] // own.size)
    total = own * scale * alpha
    offset = ZERO if bias is None else rationals(bias.values.reshape(-1)) * _factor(node, "beta")
    _multiply(walk, node, cls, Constant(whole, weight.quantized), total, offset)
    return True


def _multiply(
    walk: Walk,
    node: onnx_ir.Node,
    cls: type[Op],
    weight: Constant,
    scale: Rationals,
    offset: Rationals,
) -> None:
    """Add the layer; a bias that is whole on the sum's scale goes with it."""
    view, inputs = view_of(walk, node, cls, {1: weight, 2: None})
    outputs = view.output_shape[1 if node.op_type == "Conv" else -1]
    if offset.size not in (1, outputs):
        raise view.refuse(
            "bias does not suit the layer",
            code="HW223",
            found=f"a bias of {offset.size} elements for {outputs} outputs",
        )
    attached, bias = False, None
    if np.any(offset) and np.all(scale):
        whole = np.asarray(offset / scale)
        attached = all(_fits_sum(b) for b in whole.ravel())
    if attached:
        values = np.array([float(b) for b in whole.ravel()])
        bias = Constant(np.broadcast_to(values, (outputs,)), True)
    operands = (view.inputs[0], weight, bias)
    attributes = {k: v for k, v in view.attributes.items() if k not in ("alpha", "beta")}
    held = emit(walk, node, cls, replace(view, inputs=operands, attributes=attributes), inputs)
    on_line(walk, node, held, Grid(scale, ZERO if attached else offset))


def _fits_sum(bias: Fraction) -> bool:
    """Return whether a bias is a whole number on the scale of the sum, and not absurdly large."""
    return bias.denominator == 1 and abs(bias) < 2**31


def _bias(walk: Walk, node: onnx_ir.Node) -> Constant | None:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    return None if value is None else walk.constants.get(value.name or "")


def _factor(node: onnx_ir.Node, name: str) -> Fraction:
    return Fraction(attribute(node, name, 1.0))


def _whole_weights(
    node: onnx_ir.Node, weight: Constant
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], Rationals]:
    """Return short fixed-point weights and the scale that they need, one or one per output.

    The scale is recovered from the numbers themselves: the largest of which all weights (of a
    channel) are whole multiples. Weights that nobody quantised are returned as they are.
    """
    values = weight.values
    alone = values, ONE
    try:
        if FixedArray.exactly(values).dtype.width <= MAX_WEIGHT_WIDTH:
            return alone
    except OverflowError:
        pass
    transposed = node.op_type == "Conv" or attribute(node, "transB", 0)
    axis = 0 if transposed else values.ndim - 1
    for axes in (None, axis):
        found = _common_divisors(values, axes)
        if found is not None:
            return found
    return alone


def _common_divisors(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], axis: int | None
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], Rationals] | None:
    rows = values.reshape(1, -1) if axis is None else np.moveaxis(values, axis, 0)
    flat = rows.reshape(len(rows), -1)
    scales, whole = [], []
    for row in flat:
        fractional = needed_fractional(row)
        raw = np.ldexp(row, fractional)
        if np.abs(raw).max(initial=0.0) >= 2.0**62:
            return None
        divisor = int(np.gcd.reduce(raw.astype(np.int64))) or 1
        integers = raw / divisor  # exact: a quotient of at most 24 bits, or refused
        if np.abs(integers).max(initial=0.0) >= 2.0 ** (MAX_WEIGHT_WIDTH - 1):
            return None
        scales.append(divisor * Fraction(2) ** -fractional)
        whole.append(integers)
    shaped = np.stack(whole).reshape(rows.shape)
    back = shaped.reshape(values.shape) if axis is None else np.moveaxis(shaped, 0, axis)
    return back, rationals(0) + np.array(scales, object)
