"""``RESIZE_BILINEAR``: sums weighted by whole numbers along rows and columns, then divided."""

from __future__ import annotations

import numpy as np

from hwflow.frontends.tflite.integers import Integers
from hwflow.frontends.tflite.pooling import same_meaning
from hwflow.frontends.tflite.writer import Writer

UNIT = 2**10
"""Weights along an axis add up to this."""


def resize_bilinear(writer: Writer) -> None:
    """Write ``RESIZE_BILINEAR`` of int8.

    Source: ``ResizeBilinearInteger`` in ``reference/resize_bilinear.h``, whose weights have ten
    bits. The kernel of uint8 computes in float32 and is refused.
    """
    y = same_meaning(writer)
    operator, result = writer.operator, writer.result()
    assert operator is not None
    shape, kind = writer.tensor(writer.operand(0)).shape, writer.tensor(result).kind
    sizes = [int(n) for n in writer.constant(writer.operand(1), "sizes").ravel()]
    if kind != "INT8":
        writer.refuse("a bilinear resize in float32", found=kind, supported="INT8")
    if len(shape) != 4 or len(sizes) != 2 or not 0 < min(sizes) <= max(sizes) < UNIT:
        writer.refuse("a resize of this form", found=f"{shape} to {sizes}")
    corners, centers = (bool(operator.option(i, "b")) for i in (2, 3))
    value, count = writer.value(writer.operand(0)), 1
    for axis, wanted in zip((1, 2), sizes, strict=True):
        weights = _weights(shape[axis], wanted, corners=corners, centers=centers)
        common = int(np.gcd.reduce(weights.ravel()))
        perm = [0, 3 - axis, 3, axis]  # the axis that is resized is the last
        value = writer.turned(value, perm)
        value = writer.node("MatMul", [value, writer.quantized("weights", weights // common, 12)])
        value = writer.turned(value, [perm.index(a) for a in range(4)])
        count *= UNIT // common
    counts = writer.integers("count", [count])
    writer.integer_node(
        "Mean", [value, counts], result,
        offset=y.zero_point, zero_point=-y.zero_point, minimum=y.lo, maximum=y.hi,
    )  # fmt: skip


def _weights(size: int, wanted: int, *, corners: bool, centers: bool) -> Integers:
    """Return the weight of each element in each of the result (``size``, ``wanted``).

    Source: ``ComputeInterpolationValuesInteger``; its divisions round toward zero.
    """
    spans = (size - 1, wanted - 1) if corners and wanted > 1 else (size, wanted)
    step = (UNIT * spans[0] + spans[1] // 2) // spans[1]
    found = np.zeros((size, wanted), np.int64)
    for i in range(wanted):
        place = i * step + (step // 2 - UNIT // 2 if centers else 0)
        low = max(int(place / UNIT), 0)
        high = min(int((place + UNIT - 1) / UNIT), size - 1)
        share = place - UNIT * low
        found[low, i] += UNIT - share
        found[high, i] += share
    return found
