"""The body of FixedQuant: every element is assigned to the type of its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.emit.elementwise import span_of
from hwflow.codegen.golden.values import Span, Tensor, carrier
from hwflow.ir.tensor import TensorType
from hwflow.ops.fixed_quant import FixedQuant


def fixed_quant(
    op: FixedQuant, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> tuple[Tensor, Span, bool]:
    """Write the sum of what each type gives, where it counts."""
    (x,), (x_t,) = operands, types
    found = op.exact(x_t)
    if op.relu:
        x = body.positive(x)
        x_t = replace(x_t, lo=np.maximum(x_t.lo, 0), hi=np.maximum(x_t.hi, 0))
    row = np.resize(op.rows, x_t.size)
    row = row[: x_t.channels] if len(op.rows) == x_t.channels else row.reshape(x.shape)
    within = carrier(max(map(abs, found.bounds)), "a value")
    total = body.carried(x, max(x.carrier, within))
    total = body.apply("Mul", total, body.number(total, 0.0, "zero"))
    for place, dtype in enumerate(op.types):
        mask = (row == place).astype(np.float64)
        if dtype is None or not mask.any():
            continue
        y, _ = body.cast(x, span_of(x_t), dtype)
        y = body.scaled(y, found.dtype.fractional - dtype.fractional)
        within = max(y.carrier, total.carrier)
        y, total = body.carried(y, within), body.carried(total, within)
        total = body.apply("Add", total, body.apply("Mul", y, body.number(y, mask, "mask")).name)
    return total, span_of(found), False


EMITTERS: dict[Any, Callable[..., tuple[Tensor, Span, bool]]] = {FixedQuant: fixed_quant}
