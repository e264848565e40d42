"""A transposed convolution is a convolution of the map with zeros between its elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, attributes, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, dims


def to_conv(model: QonnxModel, node: ir.Node) -> bool:
    """Write a ``ConvTranspose`` of one or two axes as zeros between elements, pads and a ``Conv``.

    With strides ``s``, effective kernel ``k`` and pads ``b``, ``e``: the elements lie ``s`` apart,
    ``k - 1 - b`` zeros stand before the first, and as many behind the last as the size of the
    result asks for. Weights are turned around, and their first two axes exchanged within groups.
    """
    weight = None if len(node.inputs) < 2 or node.inputs[1] is None else constant_of(node.inputs[1])
    x, shape, out = node.inputs[0], dims(node.inputs[0]), dims(node.outputs[0])
    rank = len(shape) - 2
    if x is None or weight is None or rank not in (1, 2) or weight.values.ndim != rank + 2:
        return False
    given = attributes(node)
    strides, dilations = (tuple(given.get(n, (1,) * rank)) for n in ("strides", "dilations"))
    reach = [(k - 1) * d + 1 for k, d in zip(weight.values.shape[2:], dilations, strict=True)]
    before = _pads_before(given, shape, out, strides, reach)
    if before is None:
        return False
    write = Rewriter(model, node)
    spread = _spread(write, x, shape, strides)
    sizes = [d * s for d, s in zip(shape[2:], strides, strict=True)]
    first = [r - 1 - b for r, b in zip(reach, before, strict=True)]
    last = [o + r - 1 - s - f for o, r, s, f in zip(out[2:], reach, sizes, first, strict=True)]
    spread = _fitted(write, spread, first, last, sizes)
    group = int(given.get("group", 1))
    turned = write.numbers("weight", Constant(_turned(weight.values, group), weight.quantized))
    write.replace(
        "Conv", [spread, turned, *node.inputs[2:]], group=group, dilations=list(dilations),
        kernel_shape=list(weight.values.shape[2:]),
    )  # fmt: skip
    return write.done()


def _pads_before(
    given: Mapping[str, Any],
    shape: tuple[int, ...],
    out: tuple[int, ...],
    strides: tuple[int, ...],
    reach: list[int],
) -> list[int] | None:
    """Return the pads at the beginning of each axis; None where ``auto_pad`` is not known."""
    rank, auto = len(strides), given.get("auto_pad", "NOTSET")
    extra = given.get("output_padding", (0,) * rank)
    if auto == "VALID":
        return [0] * rank
    if auto == "NOTSET" and "output_shape" not in given:
        pads = given.get("pads", (0,) * 2 * rank)
        return [int(p) for p in pads[:rank]]
    total = [
        s * (d - 1) + int(p) + r - o
        for s, d, p, r, o in zip(strides, shape[2:], extra, reach, out[2:], strict=True)
    ]
    if auto == "SAME_UPPER":
        return [t // 2 for t in total]
    return [t - t // 2 for t in total] if auto in ("SAME_LOWER", "NOTSET") else None


def _spread(
    write: Rewriter, x: ir.Value, shape: tuple[int, ...], strides: tuple[int, ...]
) -> ir.Value:
    """Return a map with ``stride - 1`` zeros behind each element, along each axis."""
    if all(s == 1 for s in strides):
        return x
    parted = [*shape[:2], *(part for d in shape[2:] for part in (d, 1))]
    pads = [0] * (2 * len(parted))
    for axis, stride in enumerate(strides):
        pads[len(parted) + 3 + 2 * axis] = stride - 1
    x = write.add("Reshape", [x, write.integers("parts", parted)])
    x = write.add("Pad", [x, write.integers("zeros", pads)])
    wide = [*shape[:2], *(d * s for d, s in zip(shape[2:], strides, strict=True))]
    return write.add("Reshape", [x, write.integers("spread", wide)])


def _fitted(
    write: Rewriter, x: ir.Value, first: list[int], last: list[int], sizes: list[int]
) -> ir.Value:
    """Return a map with zeros added at its ends, or elements cut off where that is negative."""
    rank = len(first)
    if any(n < 0 for n in (*first, *last)):
        starts = [max(-f, 0) for f in first]
        ends = [s - max(-e, 0) for s, e in zip(sizes, last, strict=True)]
        limits = {"starts": starts, "ends": ends, "cut": [2 + a for a in range(rank)]}
        x = write.add("Slice", [x, *(write.integers(n, v) for n, v in limits.items())])
    pads = [0, 0, *(max(f, 0) for f in first), 0, 0, *(max(e, 0) for e in last)]
    return write.add("Pad", [x, write.integers("around", pads)]) if any(pads) else x


def _turned(weight: npt.NDArray[np.float64], group: int) -> npt.NDArray[np.float64]:
    """Return the weights of the convolution: (out, in / group, ...), turned around in space."""
    inputs, outputs, *kernel = weight.shape
    parts = weight.reshape(group, inputs // group, outputs, *kernel).swapaxes(1, 2)
    turned = parts.reshape(group * outputs, inputs // group, *kernel)
    return np.ascontiguousarray(np.flip(turned, tuple(range(2, turned.ndim))))
