"""Bodies of operators that move elements: reshape, transpose, slice, pad, picks, concat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.emit.elementwise import common
from hwflow.codegen.golden.values import Span, Tensor, carrier
from hwflow.ir.tensor import TensorType
from hwflow.ops.concat import Concat
from hwflow.ops.gather import Gather
from hwflow.ops.pad import Pad
from hwflow.ops.reshape import Reshape
from hwflow.ops.resize import Resize
from hwflow.ops.shared.move import FILL
from hwflow.ops.slice import Slice
from hwflow.ops.tile import Tile
from hwflow.ops.transpose import Transpose

Result = tuple[Tensor, Span, bool]


def move(op: Any, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]) -> Result:
    """Write the elements of a value in other places, and a constant where there is none."""
    (x,), (x_t,) = operands, types
    sources = op.sources(x.shape)
    dtype, fill = op._common(x_t.dtype, filled=bool((sources == FILL).any()))
    up = dtype.fractional - x_t.dtype.fractional
    lo, hi = (end << up for end in x_t.bounds)
    span = Span(lo, hi, dtype.fractional)
    if (sources == FILL).any():
        span = Span(min(lo, fill), max(hi, fill), dtype.fractional)
        x = body.carried(x, max(x.carrier, carrier(span.largest, "padding")))
    x = body.channels_last(body.scaled(x, up))
    if isinstance(op, Transpose):
        y = body.apply("Transpose", x, perm=[0, *(p + 1 for p in op.perm)])
        return replace(y, shape=sources.shape), span, False
    if not np.array_equal(sources.ravel(), np.arange(sources.size)) or sources.size != x_t.size:
        x = _gathered(body, x, sources, fill)
    return body.reshaped(x, sources.shape), span, False


def _gathered(body: Body, x: Tensor, sources: Any, fill: int) -> Tensor:
    """Return chosen elements as a vector, with one more element to choose where some are new."""
    size = int(np.prod(x.shape))
    flat = body.reshaped(x, (size,))
    chosen = sources.ravel()
    if (chosen == FILL).any():
        pads = body.constant([0, 0, 0, 1], np.int64, "pads")
        flat = body.apply("Pad", flat, pads, body.number(x, fill, "fill"))
        chosen = np.where(chosen == FILL, size, chosen)
    index = body.constant(chosen, np.int64, "sources")
    return replace(body.apply("Gather", flat, index, axis=1), shape=(len(chosen),))


def concat(
    op: Concat, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> Result:
    """Write several values one behind the other."""
    found, spans = common(body, operands, types)
    rank = len(found[0].shape)
    axis = op.axis + 1
    if found[0].first:
        axis = 1 if op.axis == rank - 1 else op.axis + 2
    name = body.node("Concat", *(x.name for x in found), axis=axis)
    shape = list(found[0].shape)
    shape[op.axis] = sum(x.shape[op.axis] for x in found)
    span = Span(min(s.lo for s in spans), max(s.hi for s in spans), spans[0].fractional)
    return replace(found[0], name=name, shape=tuple(shape)), span, False


EMITTERS: dict[Any, Callable[..., Result]] = {
    **dict.fromkeys((Gather, Pad, Reshape, Resize, Slice, Tile, Transpose), move), Concat: concat,
}  # fmt: skip
