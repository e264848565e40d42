"""Resize that interpolates: ONNX's own evaluator says the weights along each axis."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx_ir as ir

from hwflow.verify.references.exact.constants import evaluated
from hwflow.verify.references.exact.decision import without_offset
from hwflow.verify.references.exact.linear import every_axis, whole
from hwflow.verify.references.exact.moves import move
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.sums import matmul
from hwflow.verify.references.exact.values import F64, Raw, Shape, Tensor, leaf, rational_array

MAX_BITS = 24
"""Finest binary fraction that a weight may be; others are rounded by whoever computes them."""


def resize(view: View) -> Step:
    """Return the evaluation of ``Resize`` and ``Upsample``, nearest or linear."""
    mode = view.attributes.get("mode", "nearest")
    if mode != "linear":
        return move(view)
    if any(
        c is None and v is not None
        for c, v in zip(view.constants[1:], view.node.inputs[1:], strict=True)
    ):
        raise view.refused("with parameters computed at run time")

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        x = without_offset(x, every_axis(x))
        raw, scale = x.raw, rational_array(x.scale.ravel()[:1])
        for axis in range(len(x.shape)):
            integers, unit = _integers(view, _weights(view, x.shape, axis))
            last = matmul(np.moveaxis(raw, axis + 1, -1), integers)
            raw, scale = np.moveaxis(last, -1, axis + 1), rational_array(scale * unit)
        return (leaf(raw, scale),)

    return step


def _weights(view: View, shape: Shape, axis: int) -> F64:
    """Return the weights along an axis, (before, after).

    What is 1 along an axis at one place, and the same along all others, gives the weights of that
    place: those of the other axes add up to 1.
    """
    proto = ir.to_proto(view.node)
    others = zip(list(proto.input)[1:], view.constants[1:], strict=True)
    feeds = {name: value for name, value in others if value is not None}
    rows = []
    for place in range(shape[axis]):
        one = np.zeros(shape)
        one[(slice(None),) * axis + (place,)] = 1.0
        feeds[proto.input[0]] = one
        (found,) = evaluated(proto, feeds, view.opset, f"{view.where}: {proto.op_type}")
        rows.append(np.moveaxis(found, axis, -1).reshape(-1, found.shape[axis])[0])
    return np.asarray(rows, np.float64)


def _integers(view: View, weights: F64) -> tuple[Raw, Fraction]:
    """Return weights as integers times one power of two."""
    scaled = np.ldexp(weights, MAX_BITS)
    if not np.array_equal(scaled, np.rint(scaled)):
        raise view.refused("with weights that are no short binary fractions")
    return scaled.astype(np.int64), Fraction(1, 1 << MAX_BITS)
