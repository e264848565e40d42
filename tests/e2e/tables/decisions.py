"""Constructs: labels and rankings."""

from typing import Any

import numpy as np

from tests.e2e.construct import Body, Construct, one, then_quant
from tests.networks import Builder

FLAT = (1, 6)
MAP = (1, 4, 3, 2)
SEQUENCE = (1, 3, 4)


def top_k(k: int, *used: int, **attributes: Any) -> Body:
    """Return the body that is a TopK of which some results are used: 0 values, 1 indices."""

    def body(b: Builder, x: str) -> str:
        values = b.node("TopK", [x, b.constant([k], np.int64)], **attributes)
        indices = b.name("indices")
        b.nodes[-1].output.append(indices)
        if len(used) == 1:
            return (values, indices)[used[0]]
        return b.node("Add", [values, b.node("Cast", [indices], to=1)])

    return body


def classifier(**attributes: Any) -> Body:
    def body(b: Builder, x: str) -> str:
        x = b.node("Gemm", [x, b.weight((6, 5), 4, 0.25), b.bias(5)])
        return b.node("ArgMax", [x], axis=1, **attributes)

    return body


def old_top_k(b: Builder, x: str) -> str:
    y = b.node("TopK", [x], k=2, axis=1)
    b.nodes[-1].output.append("indices")
    return y


def behind(b: Builder, x: str) -> str:
    label = b.node("ArgMax", [x], axis=1, keepdims=0)
    return b.node("Unsqueeze", [label, b.constant([1], np.int64)])


def d(name: str, body: Body, outcome: str = "exact", shape: tuple[int, ...] = FLAT,
      **more: Any) -> Construct:  # fmt: skip
    return Construct(name=name, body=body, outcome=outcome, shape=shape, **more)


TABLE = (
    d("Gemm, ArgMax without keepdims: a label", classifier(keepdims=0)),
    d("Gemm, ArgMax with keepdims", classifier()),
    d("ArgMax, select_last_index", one("ArgMax", axis=-1, select_last_index=1)),
    d("ArgMax over the channels of NCHW", one("ArgMax", axis=1), shape=MAP),
    d(
        "ArgMax over the channels of NCHW, no keepdims",
        one("ArgMax", axis=1, keepdims=0),
        shape=MAP,
    ),
    d("ArgMax over the columns of NCHW", one("ArgMax", axis=3), shape=MAP),
    d("ArgMax over the rows of NCHW, no keepdims", one("ArgMax", axis=-2, keepdims=0), shape=MAP),
    d("ArgMax over the last axis of a sequence", one("ArgMax", axis=2, keepdims=0), shape=SEQUENCE),
    d("ArgMax without an axis: over the batch", one("ArgMax"), "HW216"),
    d("ArgMax, opset 11", one("ArgMax", axis=1, keepdims=0), opset=11),
    d("ArgMax, Unsqueeze", behind),
    d("ArgMin", one("ArgMin", axis=1, keepdims=0)),
    d("ArgMin, select_last_index, on NCHW", one("ArgMin", axis=1, select_last_index=1), shape=MAP),
    d("TopK, values", top_k(3, 0)),
    d("TopK, values, quantiser behind", then_quant(top_k(3, 0), 3, 1.0)),
    d("TopK, indices", top_k(3, 1)),
    d("TopK, least values", top_k(2, 0, largest=0)),
    d("TopK, indices of the least", top_k(6, 1, largest=0)),
    d("TopK over the channels of NCHW", top_k(2, 1, axis=1), shape=MAP),
    d("TopK over the rows of NCHW", top_k(2, 0, axis=2), shape=MAP),
    d("TopK, values and indices", top_k(2, 0, 1)),
    d("TopK, sorted = 0", top_k(2, 0, sorted=0), "HW210"),
    d("TopK over the batch", top_k(1, 0, axis=0), "HW216"),
    d("TopK, opset 9, attribute k", old_top_k, opset=9),
)
