"""Transposed convolution, by which element of the map each tap of a result reads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwflow.verify.references.exact.arithmetic import add, table
from hwflow.verify.references.exact.decision import on_one_grid
from hwflow.verify.references.exact.linear import convolved, every_axis, summed, whole
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.sums import weight_integers
from hwflow.verify.references.exact.values import Tensor
from hwflow.verify.references.exact.windows import Windows


def conv_transpose(view: View) -> Step:
    """Return the evaluation of ``ConvTranspose``, with any number of axes and groups.

    Result ``o`` is the sum over all elements ``i`` and taps ``t`` with ``i s + t d - b = o``
    (ONNX operator definitions, ConvTranspose 11).
    """
    weights = view.constant(1)
    out = view.node.outputs[0].shape
    if weights is None or view.constants[0] is not None or out is None:
        raise view.refused("with constant data")
    extents = tuple(int(d) for d in out.numpy()[2:])
    groups = int(view.attributes.get("group", 1))
    inputs, each, *kernel = weights.shape
    parts = weights.reshape(groups, inputs // groups, each, *kernel).swapaxes(1, 2)
    integers, scales = weight_integers(parts.reshape(groups * each, -1, *kernel), 0)
    grouped = integers.reshape(groups, each, -1).swapaxes(1, 2)
    factor = scales.reshape(1, -1, *(1,) * len(kernel))

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        x = on_one_grid(x, every_axis(x))
        over = _windows(view, x.shape[2:], tuple(kernel), extents)
        y: Tensor = summed(x, lambda raw: convolved(raw, grouped, over), x.scale, factor)
        bias = view.constant(2)
        if bias is not None:
            y = add(y, table(bias.reshape(1, -1, *(1,) * len(kernel))))
        return (y,)

    return step


def _windows(
    view: View, spatial: tuple[int, ...], kernel: tuple[int, ...], extents: tuple[int, ...]
) -> Windows:
    """Return which element each tap of each result reads, -1 where it reads none."""
    rank, given = len(spatial), view.attributes
    strides, dilations = (given.get(n, (1,) * rank) for n in ("strides", "dilations"))
    places = np.zeros((1, 1), np.int64)
    for axis, (size, width, count) in enumerate(zip(spatial, kernel, extents, strict=True)):
        stride, dilation = int(strides[axis]), int(dilations[axis])
        begin = _begin(view, axis, size, (width - 1) * dilation + 1, count)
        from_first = np.arange(count)[:, None] + begin - np.arange(width) * dilation
        element = from_first // stride
        read = np.where((from_first % stride == 0) & (element >= 0) & (element < size), element, -1)
        places = _combined(places, read, size)
    return Windows(places, extents, np.full(len(places), places.shape[1]))


def _combined(
    outer: npt.NDArray[np.int64], inner: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.int64]:
    """Return flat places of two axes of positions, each with its taps."""
    a, b = outer[:, None, :, None], inner[None, :, None, :]
    both = np.where((a < 0) | (b < 0), -1, a * size + b)
    return both.reshape(len(outer) * len(inner), -1)


def _begin(view: View, axis: int, size: int, reach: int, count: int) -> int:
    """Return how many results are cut off at the beginning of an axis."""
    given, rank = view.attributes, view.node.outputs[0].shape
    auto = given.get("auto_pad", "NOTSET")
    spatial = 0 if rank is None else len(rank) - 2
    if auto == "NOTSET" and "output_shape" not in given:
        return int(given.get("pads", (0,) * 2 * spatial)[axis])
    if auto == "VALID":
        return 0
    stride = int(given.get("strides", (1,) * spatial)[axis])
    extra = int(given.get("output_padding", (0,) * spatial)[axis])
    total = stride * (size - 1) + extra + reach - count
    return total // 2 if auto == "SAME_UPPER" else total - total // 2
