"""Sums of squares and of magnitudes along axes."""

from __future__ import annotations

import numpy as np

from hwflow.verify.references.exact.decision import without_offset
from hwflow.verify.references.exact.linear import every_axis, whole
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.values import LIMIT, Tensor, largest, leaf, rational_array


def sum_of_sizes(view: View) -> Step:
    """Return the evaluation of ``ReduceSumSquare`` or ``ReduceL1``."""
    squares = view.node.op_type == "ReduceSumSquare"
    listed = view.constant(1)
    axes = view.attributes.get("axes") if listed is None else listed.ravel().tolist()
    if not axes:
        raise view.refused("over all axes")
    keep = bool(view.attributes.get("keepdims", 1))

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        x = without_offset(x, every_axis(x))
        rank, scale = len(x.shape), rational_array(x.scale.ravel()[:1])
        fits = max(largest(x.raw), 1) ** 2 * x.raw[0].size < LIMIT
        raw = x.raw.astype(np.int64 if fits else object)
        sizes, scale = (raw * raw, scale * scale) if squares else (abs(raw), abs(scale))
        along = tuple(int(a) % rank + 1 for a in axes)
        return (leaf(sizes.sum(axis=along, keepdims=keep), rational_array(scale)),)

    return step
