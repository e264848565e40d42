"""Bodies of operators that look values up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.emit.elementwise import span_of
from hwflow.codegen.golden.values import NoGoldenError, Span, Tensor, carrier
from hwflow.fixed import FixedArray, FixedType, RawArray
from hwflow.ir.tensor import TensorType
from hwflow.ops.lookup import Lookup
from hwflow.ops.sigmoid import Sigmoid
from hwflow.ops.softmax import Softmax
from hwflow.ops.softplus import Softplus
from hwflow.ops.tanh import Tanh

Result = tuple[Tensor, Span, bool]

LONGEST = 2**20
"""Entries of the longest table."""


def looked_up(body: Body, index: Tensor, entries: RawArray, name: str = "table") -> Tensor:
    """Return the entries at whole numbers.

    Args:
        body: to write to.
        index: from 0 on.
        entries: mantissas.
        name: of the table.
    """
    within = carrier(int(np.abs(entries).max(initial=0)), "a table's entry")
    place = body.node("Cast", index.name, to=onnx.TensorProto.INT32)
    table = body.constant(entries, within.dtype, name)
    return replace(index, name=body.node("Gather", table, place), carrier=within)


def table(op: Any, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]) -> Result:
    """Write one entry for each value that the input can take."""
    (x,), (x_t,) = operands, types
    lo, hi = x_t.bounds
    if hi - lo >= LONGEST:
        raise NoGoldenError(f"its table would have more than {LONGEST} entries")
    every = FixedArray(np.arange(lo, hi + 1).reshape(-1, 1), x_t.dtype)
    found = op.compute(every)
    entries = found.raw.ravel()
    index = body.apply("Sub", x, body.number(x, lo, "first"))
    span = Span(int(entries.min()), int(entries.max()), found.dtype.fractional)
    return looked_up(body, index, entries), span, False


def softmax(
    op: Softmax, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> Result:
    """Write hls4ml's softmax: tables of exponentials of differences, and of reciprocals."""
    (x_t,) = types
    x = body.channels_last(operands[0])
    channels, span = x.shape[-1], span_of(x_t)
    exponentials, inverses = op._tables(x_t.dtype, channels)
    axes = body.constant([-1], np.int64, "axes")
    x = body.carried(x, max(x.carrier, carrier(span.hi - span.lo, "a difference")))
    gap = body.apply("Sub", replace(x, name=body.node("ReduceMax", x.name, axes)), x.name)
    wide = Span(0, span.hi - span.lo, span.fractional)
    place, _ = body.cast(gap, wide, op.difference_t(x_t.dtype))
    each = looked_up(body, place, exponentials.raw, "exponentials")
    top = int(exponentials.raw.max()) * channels
    each = body.carried(each, carrier(top, "a sum of exponentials"))
    total = replace(each, name=body.node("ReduceSum", each.name, axes))
    sums = Span(0, top, op.sum_t(channels).fractional)
    at, _ = body.cast(total, sums, op.inverse_input_t(channels))
    inverse = looked_up(body, at, inverses.raw, "reciprocals")
    reach = int(exponentials.raw.max()) * int(np.abs(inverses.raw).max())
    both = carrier(reach, "a product")
    each, inverse = body.carried(each, both), body.carried(inverse, both)
    y = body.apply("Mul", each, inverse.name)
    found = Span(-reach, reach, 2 * op.table_t.fractional)
    return (y, found, False) if op.result_t is not None else (*_cast(body, y, found, op), False)


def _cast(body: Body, y: Tensor, span: Span, op: Softmax) -> tuple[Tensor, Span]:
    to: FixedType = op.table_t
    return body.cast(y, span, to)


EMITTERS: dict[Any, Callable[..., Result]] = {
    **dict.fromkeys((Lookup, Sigmoid, Tanh, Softplus), table), Softmax: softmax,
}  # fmt: skip
