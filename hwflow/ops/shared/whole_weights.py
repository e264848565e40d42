"""Linear layers of whole numbers: scales multiply on the side, and the bias may wait there."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, needed_fractional
from hwflow.ir.grid import ONE, ZERO, Grid, Rationals, is_power_of_two, rationals
from hwflow.ir.op import Constant, OnnxNode, Op
from hwflow.ir.scaled import OnIntegers, Operand
from hwflow.ops.shared.constants import MAX_WEIGHT_WIDTH

F64 = npt.NDArray[np.float64]

MOST_BIAS = 2**31
"""What a bias that is added to a sum of whole numbers stays below."""

SCALE_BITS = 8
"""Bits of the weights that are a scale's: fewer common ones are a chance of the weights. A float32
scale ends in three zeros once in eight times, and weights of 4 bits times it have 24 bits."""


def on_whole_weights(
    cls: type[Op], node: OnnxNode, x: Operand, *, axis: int, groups: int = 0
) -> OnIntegers | None:
    """Return the rule of a layer with weights: it is one of whole numbers.

    The scales of operand and weights ride on the result, and so does the bias where it is no whole
    number there. What is plain stays as it is, unless a quantiser behind it takes in the bias.

    Args:
        cls: the operator.
        node: the node, with its weights as second and perhaps a bias as third operand.
        x: its only activation.
        axis: axis of the weights, along which the outputs lie.
        groups: number of groups of a convolution; an operand may then have a scale for each.
    """
    weight, bias, grid = node.constant(1), node.constant(2), x.grid
    if weight is None or grid is None or np.any(grid.offset):
        return None
    whole, scale = _whole(weight.values, axis)
    alpha, beta = (Fraction(float(node.attributes.get(k, 1.0))) for k in ("alpha", "beta"))
    plain = grid.plain and np.all(scale == 1) and (alpha == 0 or is_power_of_two(abs(alpha)))
    if plain and (bias is None or not node.requantized):
        return OnIntegers(cls.from_onnx(node))
    outputs, own = weight.values.shape[axis], grid.scale
    if own.size != 1:
        if own.size != groups:
            return None
        own = np.repeat(own, outputs // own.size)
    offset = ZERO if bias is None else rationals(bias.values.reshape(-1)) * beta
    return _multiplied(
        cls, node, Constant(whole, weight.quantized), Grid(own * scale * alpha, offset), outputs
    )


def _multiplied(
    cls: type[Op], node: OnnxNode, weight: Constant, grid: Grid, outputs: int
) -> OnIntegers:
    """Return the layer; a bias that is whole on the sum's scale goes with it."""
    scale, offset = grid.scale, grid.offset
    if offset.size not in (1, outputs):
        raise node.refuse(
            "bias does not suit the layer",
            code="HW223",
            found=f"a bias of {offset.size} elements for {outputs} outputs",
        )
    attached, bias = False, None
    if np.any(offset) and np.all(scale):
        whole = np.asarray(offset / scale)
        attached = all(b.denominator == 1 and abs(b) < MOST_BIAS for b in whole.ravel())
    if attached:
        values = np.array([float(b) for b in whole.ravel()])
        bias = Constant(np.broadcast_to(values, (outputs,)), True)
    attributes = {k: v for k, v in node.attributes.items() if k not in ("alpha", "beta")}
    view = replace(node, inputs=(node.inputs[0], weight, bias), attributes=attributes)
    return OnIntegers(cls.from_onnx(view), Grid(scale, ZERO if attached else offset))


def _whole(values: F64, axis: int) -> tuple[F64, Rationals]:
    """Return short fixed-point weights and the scale that they need, one or one per output.

    The scale is recovered from the numbers themselves: the largest of which all weights (of a
    channel) are whole multiples. Weights that nobody quantised are returned as they are.
    """
    return _recovered(values.tobytes(), values.shape, axis)


@lru_cache(maxsize=256)
def _recovered(content: bytes, shape: tuple[int, ...], axis: int) -> tuple[F64, Rationals]:
    values = np.frombuffer(content, np.float64).reshape(shape)
    alone = values, ONE
    try:
        width = FixedArray.exactly(values).dtype.width
    except OverflowError:
        width = MAX_WEIGHT_WIDTH + SCALE_BITS
    if width <= SCALE_BITS:
        return alone
    for axes in (None, axis):
        found = _common_divisors(values, axes)
        if found is not None:
            saved = width - FixedArray.exactly(found[0]).dtype.width
            return found if saved >= SCALE_BITS or width > MAX_WEIGHT_WIDTH else alone
    return alone


def _common_divisors(values: F64, axis: int | None) -> tuple[F64, Rationals] | None:
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
