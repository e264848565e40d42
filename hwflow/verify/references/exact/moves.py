"""Operators that only move values: ONNX's own evaluator says which element goes where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.grid import Rationals
from hwflow.verify.references.exact.constants import evaluated
from hwflow.verify.references.exact.decision import settled
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.values import (
    Apply,
    Leaf,
    Raw,
    Shape,
    Tensor,
    aligned,
    compact,
    rational_array,
)

Places = npt.NDArray[np.int64]

MOVES = frozenset(
    {
        "DepthToSpace", "Expand", "Flatten", "Gather", "GatherND", "Pad", "Reshape", "Resize",
        "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Upsample",
    }
)  # fmt: skip
"""Operators whose results hold elements of their first operand, and a constant in paddings."""

_PADDING_VALUE = 2
"""Operand of ``Pad`` that holds the value of the padding, from opset 11 on."""


def move(view: View) -> Step:
    """Return the evaluation of an operator that only moves values."""
    kind = view.node.op_type
    if kind in ("Resize", "Upsample") and view.attributes.get("mode", "nearest") != "nearest":
        raise view.refused("that interpolates otherwise than linearly")
    if any(
        c is None and v is not None
        for c, v in zip(view.constants[1:], view.node.inputs[1:], strict=True)
    ):
        raise view.refused("with parameters computed at run time")
    padding = Fraction(_padding(view)) if kind == "Pad" else Fraction(0)
    known: dict[Shape, list[Places]] = {}

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = view.tensor(operands, 0)
        if x.shape not in known:
            known[x.shape] = _places(view, x.shape)
        return tuple(_moved(x, x.shape, p, padding, {}) for p in known[x.shape])

    return step


def _padding(view: View) -> float:
    """Return the value that ``Pad`` puts around."""
    listed = view.constant(_PADDING_VALUE)
    return view.number("value", 0.0) if listed is None else float(listed.ravel()[0])


def _places(view: View, shape: Shape) -> list[Places]:
    """Return for each result where its elements come from: flat indices, -1 for the padding."""
    proto = ir.to_proto(view.node)
    feeds: dict[str, Raw] = {}
    for name, value in zip(list(proto.input)[1:], view.constants[1:], strict=True):
        if value is not None:
            feeds[name] = value
    if proto.op_type == "Pad":  # zeros, which nothing else is
        del proto.input[_PADDING_VALUE:]
        kept = [a for a in proto.attribute if a.name != "value"]
        del proto.attribute[:]
        proto.attribute.extend(kept)
        feeds = {name: value for name, value in feeds.items() if name in proto.input}
    feeds[proto.input[0]] = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    results = evaluated(proto, feeds, view.opset, f"{view.where}: {proto.op_type}")
    return [np.asarray(r).astype(np.int64) - 1 for r in results]


def _moved(
    tensor: Tensor, shape: Shape, places: Places, padding: Fraction, known: dict[int, Tensor]
) -> Tensor:
    """Return a tensor, broadcast to a shape, with its elements moved."""
    if id(tensor) in known:
        return known[id(tensor)]
    if isinstance(tensor, Leaf):
        result: Tensor = _moved_leaf(tensor, shape, places, padding)
    elif (places < 0).any():
        result = _moved_leaf(settled(tensor, _samples(tensor)), shape, places, padding)
    else:
        parts = tuple(_moved(o, shape, places, padding, known) for o in tensor.operands)
        result = Apply(tensor.function, parts)
    known[id(tensor)] = result
    return result


def _samples(tensor: Tensor) -> int:
    """Return how many samples the leaves of a tensor hold."""
    if isinstance(tensor, Leaf):
        return len(tensor.raw)
    return max(_samples(o) for o in tensor.operands)


def _moved_leaf(tensor: Leaf, shape: Shape, places: Places, padding: Fraction) -> Leaf:
    rank = len(shape)
    raw = aligned(tensor.raw, rank, lead=1)
    samples = len(raw)
    flat = np.broadcast_to(raw, (samples, *shape)).reshape(samples, -1)
    taken = flat[:, places.ravel()]
    outside = (places < 0).ravel()
    if outside.any():
        taken[:, outside] = 0
    scale = _taken(aligned(tensor.scale, rank), shape, places, None)
    offset = _taken(aligned(tensor.offset, rank), shape, places, padding)
    return Leaf(compact(taken.reshape(samples, *places.shape)), scale, offset)


def _taken(values: Rationals, shape: Shape, places: Places, padding: Fraction | None) -> Rationals:
    """Return scales or offsets moved as the elements are, without axes that make no difference."""
    if values.size == 1 and (padding is None or not (places < 0).any()):
        return values.reshape((1,) * places.ndim)
    taken = np.array(np.broadcast_to(values, shape).ravel()[places.ravel()], object)
    if padding is not None:
        taken[(places < 0).ravel()] = padding
    taken = taken.reshape(places.shape)
    for axis in range(taken.ndim):
        first = np.take(taken, [0], axis=axis)
        if np.all(taken == first):
            taken = first
    return rational_array(taken)


def concat(view: View) -> Step:
    """Return the evaluation of ``Concat``."""

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        parts = [settled(view.tensor(operands, i), samples) for i in range(len(operands))]
        axis = int(view.attributes["axis"]) % len(parts[0].shape)
        raws = [np.broadcast_to(p.raw, (samples, *p.shape)) for p in parts]
        if any(r.dtype == object for r in raws):
            raws = [r.astype(object) for r in raws]
        scale = _joined([p.scale for p in parts], [p.shape for p in parts], axis)
        offset = _joined([p.offset for p in parts], [p.shape for p in parts], axis)
        return (Leaf(np.concatenate(raws, 1 + axis), scale, offset),)

    return step


def _joined(values: Sequence[Rationals], shapes: Sequence[Shape], axis: int) -> Rationals:
    """Return scales or offsets along a joined axis; one where all are the same."""
    if len({v for part in values for v in part.ravel().tolist()}) == 1:
        return values[0].ravel()[:1].reshape((1,) * values[0].ndim)
    others = [np.delete(v.shape, axis) for v in values]
    wanted = list(np.broadcast_shapes(*(tuple(map(int, o)) for o in others)))
    spread = [
        np.broadcast_to(part, (*wanted[:axis], shape[axis], *wanted[axis:]))
        for part, shape in zip(values, shapes, strict=True)
    ]
    return rational_array(np.concatenate(spread, axis))
