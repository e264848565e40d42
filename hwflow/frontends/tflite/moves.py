"""Operators that move values: shapes, orders of axes, padding, concatenation, slices."""

from __future__ import annotations

import numpy as np

from hwflow.frontends.tflite.pooling import same_meaning
from hwflow.frontends.tflite.writer import Writer


def reshape(writer: Writer) -> None:
    """Write what gives the same values another shape, which the result's tensor says."""
    same_meaning(writer)
    x, y = writer.tensor(writer.operand(0)), writer.tensor(writer.result())
    if np.prod(x.shape, dtype=object) != np.prod(y.shape, dtype=object):
        if writer.operand(1) >= 0:
            writer.constant(writer.operand(1), "shapes")
        writer.refuse("another number of elements", found=f"{x.shape} to {y.shape}")
    writer.shaped(writer.value(writer.operand(0)), y.shape, writer.result())


def resize_nearest_neighbor(writer: Writer) -> None:
    """Write ``RESIZE_NEAREST_NEIGHBOR``: rows and columns by the indices that TFLite computes.

    Source: ``GetNearestNeighbor`` in ``reference/resize_nearest_neighbor.h``, in float32.
    """
    same_meaning(writer)
    assert writer.operator is not None
    shape = writer.tensor(writer.operand(0)).shape
    sizes = [int(n) for n in writer.constant(writer.operand(1), "sizes").ravel()]
    if len(shape) != 4 or len(sizes) != 2 or not 0 < min(sizes) <= max(sizes) < 2**16:
        writer.refuse("a resize of this form", found=f"{shape} to {sizes}")
    corners, centers = (bool(writer.operator.option(i, "b")) for i in (0, 1))
    value = writer.value(writer.operand(0))
    for axis, wanted in zip((1, 2), sizes, strict=True):
        size, one = shape[axis], np.float32(1)
        aligned = corners and wanted > 1
        scale = one * (size - 1) / (wanted - 1) if aligned else one * size / wanted
        places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 * centers)) * scale
        rounded = np.floor(places + np.float32(0.5)) if corners else np.floor(places)
        indices = writer.integers("indices", np.clip(rounded, 0, size - 1).astype(np.int64))
        to = writer.result() if axis == 2 else None
        value = writer.node("Gather", [value, indices], to=to, axis=axis)


def split(writer: Writer) -> None:
    """Write ``SPLIT`` as a slice for each of its results."""
    assert writer.operator is not None
    axes = writer.constant(writer.operand(0), "axes").ravel()
    x, start = writer.operand(1), 0
    meaning, rank = writer.activation(x), len(writer.tensor(x).shape)
    axis = int(axes[0]) % max(rank, 1) if axes.size else 0
    if not axis:
        writer.refuse("a split of the batch", found=f"axis {axis}", supported="axes from 1 on")
    for index in writer.operator.outputs:
        if writer.activation(index) != meaning or len(writer.tensor(index).shape) != rank:
            writer.refuse("a split that changes scale or rank", found=writer.tensor(index).name)
        end = start + writer.tensor(index).shape[axis]
        bounds = [writer.integers(n, [v]) for n, v in (("begin", start), ("end", end))]
        writer.node("Slice", [writer.value(x), *bounds, writer.integers("axis", [axis])], to=index)
        start = end


def transpose(writer: Writer) -> None:
    """Write ``TRANSPOSE``."""
    same_meaning(writer)
    perm = [int(p) for p in writer.constant(writer.operand(1), "orders of axes").ravel()]
    if sorted(perm) != list(range(len(writer.tensor(writer.operand(0)).shape))):
        writer.refuse("an order of axes that is none", found=str(perm))
    writer.turned(writer.value(writer.operand(0)), perm, writer.result())


def pad(writer: Writer) -> None:
    """Write ``PAD``: with the zero point, which is 0 here."""
    same_meaning(writer)
    amounts = writer.constant(writer.operand(1), "amounts of padding")
    rank = len(writer.tensor(writer.operand(0)).shape)
    if amounts.shape != (rank, 2) or (amounts < 0).any():
        writer.refuse("padding of this form", found=f"shape {amounts.shape}")
    pads = writer.integers("pads", amounts.T.ravel())
    writer.node("Pad", [writer.value(writer.operand(0)), pads], to=writer.result())


def concatenation(writer: Writer) -> None:
    """Write ``CONCATENATION`` of operands of one scale."""
    assert writer.operator is not None
    y = writer.activation(writer.result())
    for index in writer.operator.inputs:
        if writer.activation(index) != y:
            writer.refuse(
                "a concatenation that would have to change scales", code="HW294",
                found=writer.tensor(index).name,
                help="convert the model with a newer TFLiteConverter, which puts a QUANTIZE there",
            )  # fmt: skip
    if int(writer.operator.option(1, "b")):
        writer.refuse("a concatenation with a fused activation")
    rank = len(writer.tensor(writer.result()).shape)
    axis = int(writer.operator.option(0, "i"))
    if not -rank <= axis < rank:
        writer.refuse("an axis that is none", found=str(axis))
    values = [writer.value(i) for i in writer.operator.inputs]
    writer.node("Concat", values, to=writer.result(), axis=axis % rank)


def strided_slice(writer: Writer) -> None:
    """Write ``STRIDED_SLICE`` with its masks of bits, one for each axis."""
    same_meaning(writer)
    assert writer.operator is not None
    shape = writer.tensor(writer.operand(0)).shape
    begin, end, steps = (
        [int(v) for v in writer.constant(writer.operand(i), "bounds").ravel()] for i in (1, 2, 3)
    )
    masks = [int(writer.operator.option(i, "i")) for i in range(5)]
    if masks[2] or masks[3] or not len(begin) == len(end) == len(steps) <= len(shape):
        writer.refuse("a slice with an ellipsis or new axes", found=f"masks {masks}")
    if any(s < 1 for s in steps):
        writer.refuse("a slice that goes backwards", found=str(steps), supported="steps from 1 on")
    for i, size in enumerate(shape[: len(begin)]):
        begin[i] = 0 if masks[0] >> i & 1 else begin[i]
        end[i] = size if masks[1] >> i & 1 else end[i]
        if masks[4] >> i & 1:  # one element, whose axis is dropped by the reshape
            end[i] = begin[i] + 1 or size
    parts = list(zip(begin, end, range(len(begin)), steps, strict=True))
    parts = [p for p in parts if (p[0], p[1], p[3]) != (0, shape[p[2]], 1)]
    lists = zip(("begin", "end", "axes", "steps"), zip(*parts, strict=True), strict=False)
    bounds = [writer.integers(name, list(values)) for name, values in lists]
    if not parts:
        writer.refuse("a slice of everything")
    cut = writer.node("Slice", [writer.value(writer.operand(0)), *bounds])
    writer.shaped(cut, writer.tensor(writer.result()).shape, writer.result())
