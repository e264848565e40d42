"""Bodies of operators that rank elements along the last axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.emit.elementwise import span_of
from hwflow.codegen.golden.values import Carrier, Span, Tensor
from hwflow.ir.tensor import TensorType
from hwflow.ops.arg_max import ArgMax
from hwflow.ops.top_k import TopK


def rank(
    op: Any, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> tuple[Tensor, Span, bool]:
    """Write the largest or smallest elements, or where they stand; of equal ones the first."""
    (x_t,) = types
    x = body.channels_last(operands[0])
    channels, axis = x.shape[-1], len(x.shape)
    if op.last_wins and op.indices:
        back = body.constant(range(channels - 1, -1, -1), np.int64, "backwards")
        x = body.apply("Gather", x, back, axis=axis)
    name = body.node("TopK", x.name, body.constant([op.count], np.int64, "k"),
                     axis=axis, largest=int(op.largest), sorted=1)  # fmt: skip
    place = f"{name}_place"
    body.nodes[-1].output.append(place)
    span = span_of(x_t)
    if op.indices:
        x = replace(x, carrier=Carrier.FLOAT32)
        name = body.node("Cast", place, to=onnx.TensorProto.FLOAT)
        if op.last_wins:
            name = body.node("Sub", body.number(x, channels - 1, "last"), name)
        span = Span(0, channels - 1, 0)
    y = replace(x, name=name, shape=(*x.shape[:-1], op.count))
    return body.reshaped(y, op.out_shape(x_t)), span, False


EMITTERS: dict[Any, Callable[..., tuple[Tensor, Span, bool]]] = {ArgMax: rank, TopK: rank}
