"""Positions that convolutions and pools read, by the definitions of the ONNX operators."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.verify.references.exact.values import NoExactReferenceError

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Windows:
    """What each result reads.

    Attributes:
        places: (positions, size of the window): flat spatial index, -1 in the padding.
        shape: spatial extents of the result.
        padded: (positions): how many elements of the window are in the operand or its padding; with
            ``ceil_mode`` some are beyond.
    """

    places: Places
    shape: tuple[int, ...]
    padded: Places


def windows(
    spatial: tuple[int, ...], kernel: tuple[int, ...], attributes: Mapping[str, Any]
) -> Windows:
    """Return the windows of a ``Conv``, ``MaxPool`` or ``AveragePool``.

    Args:
        spatial: extents of the operand, batch and channels left out.
        kernel: extents of the window.
        attributes: attributes of the node.
    """
    rank = len(spatial)
    strides = tuple(attributes.get("strides", (1,) * rank))
    dilations = tuple(attributes.get("dilations", (1,) * rank))
    pads = tuple(attributes.get("pads", (0,) * 2 * rank))
    auto = attributes.get("auto_pad", "NOTSET")
    per_axis, padded = [], np.ones(1, np.int64)
    for axis, (size, width, stride, dilation) in enumerate(
        zip(spatial, kernel, strides, dilations, strict=True)
    ):
        reach = dilation * (width - 1) + 1
        before, after = _padding(
            auto, size=size, reach=reach, stride=stride, before=pads[axis], after=pads[rank + axis]
        )
        room = size + before + after - reach
        count = room // stride + 1
        if attributes.get("ceil_mode") and room % stride:
            starts_inside = (room // stride + 1) * stride < size + before
            count += int(starts_inside)
        if count < 1:
            raise NoExactReferenceError("a window larger than what it moves over")
        first = np.arange(count)[:, None] * stride - before
        place = first + np.arange(width)[None] * dilation
        per_axis.append(np.where((place >= 0) & (place < size), place, -1))
        within = ((place >= -before) & (place < size + after)).sum(axis=1)
        padded = np.multiply.outer(padded, within).ravel()
    shape = tuple(len(p) for p in per_axis)
    places = _combined(per_axis, spatial)
    return Windows(places.reshape(math.prod(shape), math.prod(kernel)), shape, padded)


def _padding(
    auto: str, *, size: int, reach: int, stride: int, before: int, after: int
) -> tuple[int, int]:
    """Return the padding before and after along one axis."""
    if auto == "VALID":
        return 0, 0
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = max((math.ceil(size / stride) - 1) * stride + reach - size, 0)
        less = total // 2
        return (less, total - less) if auto == "SAME_UPPER" else (total - less, less)
    return before, after


def _combined(per_axis: list[Places], spatial: tuple[int, ...]) -> Places:
    r"""Return flat places from those along each axis: (\*positions, \*window)."""
    rank = len(spatial)
    flat = np.zeros((1,) * 2 * rank, np.int64)
    inside = np.ones((1,) * 2 * rank, bool)
    for axis, place in enumerate(per_axis):
        shape = [1] * 2 * rank
        shape[axis], shape[rank + axis] = place.shape
        spread = place.reshape(shape)
        flat = flat * spatial[axis] + spread
        inside = inside & (spread >= 0)
    return np.where(inside, flat, -1)
