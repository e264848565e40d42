"""A constant joined to an activation is padding of it, and a sum where it has a pattern."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims
from hwflow.passes.model.tails import Tail, tail


def constants_to_pads(model: QonnxModel, node: ir.Node) -> bool:
    """Write a ``Concat`` with constants as ``Pad`` of its activations.

    A constant of one value is the padding's. Others become zeros, and are added to the whole; so is
    one value where a quantiser with a real scale follows, of which it need be no multiple.
    """
    parts = [v for v in node.inputs if v is not None]
    fixed = [constant_of(v) for v in parts]
    shape = dims(node.outputs[0])
    known = [c for c in fixed if c is not None]
    if len(parts) < len(node.inputs) or not shape or not 0 < len(known) < len(parts):
        return False
    axis = attribute(node, "axis", 1) % len(shape)
    if axis == 0:
        return False  # refused where it is lowered
    added = tail(node.outputs[0]) is Tail.HARD
    fills = [None if c is None else _fill(c.values, added=added) for c in fixed]
    write = Rewriter(model, node)
    sizes = [dims(v)[axis] for v in parts]
    joined = _joined(write, parts, fills, sizes, axis)
    rest = _rest(fixed, fills, parts, axis)
    if len(joined) > 1:
        joined = [write.add("Concat", joined, axis=axis)]
    if np.any(rest):
        quantized = all(c.quantized for c in known)
        table = write.numbers("joined", Constant(rest, quantized))
        write.replace("Add", [joined[0], table])
    else:
        write.replace("Identity", joined)
    return write.done()


def _fill(values: npt.NDArray[np.float64], *, added: bool) -> float:
    """Return what takes the place of a constant; the rest is added."""
    first = float(values.flat[0]) if values.size else 0.0
    return 0.0 if added or np.any(values != first) else first


def _joined(
    write: Rewriter,
    parts: Sequence[ir.Value],
    fills: Sequence[float | None],
    sizes: Sequence[int],
    axis: int,
) -> list[ir.Value]:
    """Return the activations, padded where constants stand beside them."""
    joined: list[ir.Value] = []
    waiting: list[tuple[int, float]] = []  # constants before the first activation
    for part, fill, size in zip(parts, fills, sizes, strict=True):
        if fill is None:
            joined.append(part)
            for width, value in reversed(waiting):
                joined[-1] = _padded(
                    write, joined[-1], part, axis=axis, width=(width, 0), value=value
                )
            waiting = []
        elif size and joined:
            joined[-1] = _padded(
                write, joined[-1], parts[0], axis=axis, width=(0, size), value=fill
            )
        elif size:
            waiting.append((size, fill))
    return joined


def _padded(
    write: Rewriter, x: ir.Value, like: ir.Value, *, axis: int, width: tuple[int, int], value: float
) -> ir.Value:
    rank = len(dims(like))
    pads = [0] * (2 * rank)
    pads[axis], pads[rank + axis] = width
    fill = write.numbers("fill", Constant(np.array(value), quantized=False))
    return write.add("Pad", [x, write.integers("pads", pads), fill])


def _rest(
    fixed: Sequence[Constant | None],
    fills: Sequence[float | None],
    parts: Sequence[ir.Value],
    axis: int,
) -> npt.NDArray[np.float64]:
    """Return what is to be added to the padded activations."""
    return np.concatenate(
        [
            np.zeros(dims(part)) if c is None or fill is None else c.values - fill
            for c, fill, part in zip(fixed, fills, parts, strict=True)
        ],
        axis=axis,
    )
