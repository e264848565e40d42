"""A linear Resize is a product with a constant matrix along each axis that it changes."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, attributes, constant_of
from hwflow.ops.resize import PLACES, place_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims

MAX_DENOMINATOR = 2**12
"""Finest binary fraction that a weight may be: two axes then fit the bits of a weight."""


def to_interpolation(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``Resize`` with ``mode="linear"`` as weighted sums of two elements along each axis.

    Only where all weights are binary fractions: they are then the ones that runtimes round to.
    """
    x, given = node.inputs[0], attributes(node)
    before, after = dims(x), dims(node.outputs[0])
    place = given.get("coordinate_transformation_mode", PLACES[0])
    plain = not given.get("antialias", 0) and place in PLACES
    plain &= given.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    if x is None or given.get("mode") != "linear" or not plain or before[0] != after[0]:
        return False
    factors = _factors(model, node, given, len(before))
    matrices = {}
    for axis in range(1, len(before)):
        factor = factors.get(axis, Fraction(after[axis], before[axis]))
        if factor != 1 or before[axis] != after[axis]:
            matrix = _matrix(str(place), before[axis], after[axis], factor)
            if matrix is None:
                return False  # refused where it is lowered
            matrices[axis] = matrix
    write, found = Rewriter(model, node), x
    for axis, matrix in matrices.items():
        perm = [*range(len(before))]
        perm[axis], perm[-1] = perm[-1], perm[axis]
        turned = axis != len(before) - 1
        found = write.add("Transpose", [found], perm=perm) if turned else found
        weight = write.numbers("weights", Constant(matrix, quantized=True))
        found = write.add("MatMul", [found, weight])
        found = write.add("Transpose", [found], perm=perm) if turned else found
    write.replace("Identity", [found])
    return write.done()


def _factors(
    model: QonnxModel, node: ir.Node, given: dict[str, object], rank: int
) -> dict[int, Fraction]:
    """Return the factor of each axis that the node has one of."""
    place = 1 if model.ir.opset_imports.get("", 18) < 11 else 2
    scales = node.inputs[place] if len(node.inputs) > place else None
    constant = None if scales is None else constant_of(scales)
    if constant is None or not constant.values.size:
        return {}
    axes = given.get("axes") or range(rank)
    assert isinstance(axes, (list, tuple, range))
    pairs = zip(axes, constant.values.ravel(), strict=True)
    return {int(a) % rank: Fraction(float(f)) for a, f in pairs}


def _matrix(
    place: str, size: int, wanted: int, factor: Fraction
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """Return the weights, (size, wanted), or None where one is no short binary fraction."""
    found = np.zeros((size, wanted))
    for i in range(wanted):
        at = place_of(place, Fraction(i), size, wanted, factor)
        low = floor(at)
        share = at - low
        if share.denominator & (share.denominator - 1) or share.denominator > MAX_DENOMINATOR:
            return None
        for index, weight in ((low, 1 - share), (low + 1, share)):
            found[min(max(index, 0), size - 1), i] += float(weight)
    return found
