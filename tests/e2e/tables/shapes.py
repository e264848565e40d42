"""Constructs: what moves values and does not change them."""

from typing import Any

import numpy as np

from tests.e2e.construct import Body, Construct, one
from tests.networks import Builder

MAP = (1, 4, 3, 2)


def ints(op: str, values: Any, **attributes: Any) -> Body:
    return lambda b, x: b.node(op, [x, b.constant(values, np.int64)], **attributes)


def pad(values: Any, constant: float | None = None, mode: str = "constant") -> Body:
    def body(b: Builder, x: str) -> str:
        operands = [x, b.constant(values, np.int64)]
        operands += [] if constant is None else [b.constant(constant)]
        return b.node("Pad", operands, mode=mode)

    return body


def cut(start: int, end: int, axis: int, step: int = 1) -> Body:
    def body(b: Builder, x: str) -> str:
        return b.node("Slice", [x, *(b.constant([v], np.int64) for v in (start, end, axis, step))])

    return body


def flatten_dense(b: Builder, x: str) -> str:
    return b.node("MatMul", [b.node("Flatten", [x]), b.weight((24, 5), 4, 0.25)])


def flatten_relu_dense(b: Builder, x: str) -> str:
    y = b.quant(b.node("Relu", [b.node("Flatten", [x])]), 3, 0.5, signed=False)
    return b.node("MatMul", [y, b.weight((24, 5), 4, 0.25)])


def reshape_by_shape(b: Builder, x: str) -> str:
    batch = b.node("Gather", [b.node("Shape", [x]), b.constant(0, np.int64)], axis=0)
    batch = b.node("Unsqueeze", [batch, b.constant([0], np.int64)])
    return b.node("Reshape", [x, b.node("Concat", [batch, b.constant([-1], np.int64)], axis=0)])


def split(b: Builder, x: str) -> str:
    first = b.node("Split", [x], axis=1, num_outputs=2)
    b.nodes[-1].output.append("second")
    return b.node("Add", [first, "second"])


def split_unequal(b: Builder, x: str) -> str:
    first = b.node("Split", [x, b.constant([2, 1], np.int64)], axis=2)
    b.nodes[-1].output.append("second")
    return b.node("Concat", ["second", first], axis=2)


def gather_computed(b: Builder, x: str) -> str:
    return b.node("Gather", [x, b.node("ArgMax", [x], axis=3, keepdims=0)], axis=1)


def doubled(b: Builder, x: str) -> str:
    x = b.node("Unsqueeze", [x, b.constant([3], np.int64)])
    return b.node("Reshape", [b.node("Concat", [x, x], axis=3), b.constant([1, 4, 6, 2], np.int64)])


def s(name: str, body: Body, outcome: str = "exact", note: str = "", shape: tuple[int, ...] = MAP,
      **more: Any) -> Construct:  # fmt: skip
    return Construct(name=name, body=body, outcome=outcome, note=note, shape=shape, **more)


TABLE = (
    s("Flatten", one("Flatten")),
    s("Flatten, Dense", flatten_dense, note="the order of pixels goes into the weights"),
    s("Flatten, Relu, quantiser, Dense", flatten_relu_dense),
    s("Nothing but a Flatten", one("Flatten"), quant=(5, 0.3, True)),
    s("Nothing but a Transpose", one("Transpose", perm=(0, 2, 3, 1)), quant=(5, 0.3, True)),
    s("Flatten, axis 0", one("Flatten", axis=0), "HW216"),
    s("Flatten, axis 2", one("Flatten", axis=2), "HW216"),
    s("Flatten, axis -3", one("Flatten", axis=-3)),
    s("Reshape to (1, -1)", ints("Reshape", [1, -1])),
    s("Reshape with zeros (0, 0, 6)", ints("Reshape", [0, 0, 6])),
    s("Reshape computed from Shape", reshape_by_shape),
    s("Reshape that merges the batch axis", ints("Reshape", [2, 12]), "HW216"),
    s("Squeeze", ints("Squeeze", [3]), shape=(1, 4, 3, 1)),
    s("Squeeze of the batch axis", ints("Squeeze", [0]), "HW216"),
    s("Unsqueeze", ints("Unsqueeze", [2])),
    s("Transpose", one("Transpose", perm=(0, 2, 3, 1))),
    s("Transpose, rank 3", one("Transpose", perm=(0, 2, 1)), shape=(1, 3, 4)),
    s("Transpose of the batch axis", one("Transpose", perm=(1, 0, 2, 3)), "HW216"),
    s("Transpose without perm", one("Transpose"), "HW216", note="hls4ml: IndexError"),
    s("Pad of rows and columns", pad([0, 0, 1, 0, 0, 0, 0, 2])),
    s("Pad of channels", pad([0, 1, 0, 0, 0, 0, 0, 0])),
    s("Pad with a constant other than 0", pad([0, 0, 1, 0, 0, 0, 0, 2], 0.5)),
    s("Pad, mode reflect", pad([0, 0, 1, 0, 0, 0, 0, 1], mode="reflect")),
    s("Slice of columns", cut(0, 2, 2)),
    s("Slice with step 2", cut(0, 3, 2, 2)),
    s("Slice of channels", cut(1, 3, 1)),
    s("Split", split),
    s("Split, unequal, last axis", split_unequal),
    s("Gather of one index", ints("Gather", -1, axis=2)),
    s("Gather of several, repeated and negative", ints("Gather", [0, -1, 0, 1], axis=1)),
    s("Gather by a table", ints("Gather", [[0, -1], [2, 2]], axis=2)),
    s("Gather along the batch axis", ints("Gather", [0], axis=0), "HW216"),
    s("Gather outside of the axis", ints("Gather", [3], axis=2), "HW217"),
    s("Gather by computed indices", gather_computed, "HW217"),
    s("Tile", ints("Tile", [1, 2, 1, 2])),
    s("Tile of the batch axis", ints("Tile", [2, 1, 1, 1]), "HW216"),
    s("Expand", ints("Expand", [1, 4, 3, 5]), shape=(1, 4, 3, 1)),
    s("Repetition by Unsqueeze, Concat, Reshape", doubled),
    s("DepthToSpace", one("DepthToSpace", blocksize=2)),
    s("DepthToSpace, mode CRD", one("DepthToSpace", blocksize=2, mode="CRD")),
    s("SpaceToDepth", one("SpaceToDepth", blocksize=2), shape=(1, 2, 4, 6)),
    s("Identity", lambda b, x: b.node("Relu", [b.node("Identity", [x])])),
    s("Dropout", lambda b, x: b.node("Relu", [b.node("Dropout", [x])])),
    s("Cast to float", lambda b, x: b.node("Relu", [b.node("Cast", [x], to=1)])),
    s("Cast to int32", lambda b, x: b.node("Cast", [x], to=6), "HW234"),
)
