"""Shapes that a TFLite model computes at run time from its batch: evaluated for a batch of one.

A model that was converted with an open batch computes shapes by ``SHAPE``, ``GATHER``, ``PACK`` and
the like, and records 1 where it does not know a length. Here they are numbers. A tensor whose first
axis is no batch any more, such as the rows of a dense layer on a sequence, gets a batch before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.frontends.tflite.schema import Graph, Operator, Tensor

Whole = npt.NDArray[np.int64]

POINTWISE = frozenset(
    {"QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "LOGISTIC", "TANH", "SOFTMAX"}
)
"""Operators whose result has the shape of their operand."""


def with_shapes(graph: Graph) -> Graph:
    """Return the graph with shapes that were computed at run time, and tensors shaped by them."""
    tensors = list(graph.tensors)
    for operator in graph.operators:
        if len(operator.outputs) != 1:
            continue
        (result,) = operator.outputs
        if tensors[result].kind in ("INT32", "INT64"):
            values = _computed(operator, tensors)
            if values is not None:
                tensors[result] = replace(tensors[result], data=values, shape=values.shape)
            continue
        shape = _shape(operator, tensors)
        if shape is not None and prod(shape) != prod(tensors[result].shape):
            rows = (1, *shape) if shape[:1] != (1,) else shape
            tensors[result] = replace(tensors[result], shape=rows)
    return Graph(tensors, graph.operators, graph.inputs, graph.outputs)


def _shape(operator: Operator, tensors: Sequence[Tensor]) -> tuple[int, ...] | None:
    """Return the shape that an operator gives its result, where its operands tell."""
    known = [tensors[i] for i in operator.inputs if i >= 0]
    if not known:
        return None
    x = known[0]
    if operator.kind == "RESHAPE" and len(known) > 1 and known[1].data is not None:
        wanted = [int(d) for d in known[1].data.ravel()]
        rest = prod(d for d in wanted if d >= 0)
        size = prod(x.shape)
        if wanted.count(-1) > 1 or not rest or size % rest:
            return None
        return tuple(size // rest if d == -1 else d for d in wanted)
    if operator.kind == "FULLY_CONNECTED" and len(known) > 1 and len(known[1].shape) == 2:
        outputs, inputs = known[1].shape
        return (*x.shape[:-1], outputs) if x.shape[-1:] == (inputs,) else None
    return x.shape if operator.kind in POINTWISE else None


def _computed(operator: Operator, tensors: Sequence[Tensor]) -> Whole | None:
    """Return what an operator on shapes gives, or None where that is not known."""
    evaluate = EVALUATED.get(operator.kind)
    operands = [None if i < 0 else tensors[i].data for i in operator.inputs]
    if operator.kind == "SHAPE":
        return np.array(tensors[operator.inputs[0]].shape, np.int64)
    if evaluate is None or any(a is None for a in operands):
        return None
    try:
        values = evaluate(operator, [np.asarray(a, np.int64) for a in operands if a is not None])
    except (ValueError, IndexError):  # a stranger's indices
        return None
    return np.asarray(values, np.int64) if values.size <= MAX_VALUES else None


MAX_VALUES = 64
"""Most numbers of a shape, and of what it is made of."""


def _strided(operator: Operator, operands: list[Whole]) -> Whole:
    """Return a slice of a list."""
    x, begin, end, step = operands
    masks = [int(operator.option(i, "i")) for i in range(5)]
    if x.ndim != 1 or begin.size != 1 or masks[2] or masks[3]:
        raise ValueError("not a slice of a list")
    first = None if masks[0] & 1 else int(begin.flat[0])
    last = None if masks[1] & 1 else int(end.flat[0])
    if masks[4] & 1:
        return np.asarray(x[int(begin.flat[0])])
    return x[first : last : int(step.flat[0])]


EVALUATED: dict[str, Callable[[Operator, list[Whole]], Any]] = {
    "ADD": lambda o, v: v[0] + v[1],
    "CAST": lambda o, v: v[0],
    "CONCATENATION": lambda o, v: np.concatenate(v, int(o.option(0, "i"))),
    "GATHER": lambda o, v: np.take(v[0], v[1], int(o.option(0, "i"))),
    "MUL": lambda o, v: v[0] * v[1],
    "PACK": lambda o, v: np.stack(v, int(o.option(1, "i"))),
    "REDUCE_PROD": lambda o, v: np.prod(
        v[0], tuple(int(a) for a in v[1].ravel()), keepdims=bool(o.option(0, "b"))
    ),
    "RESHAPE": lambda o, v: v[0].reshape([int(d) for d in v[1].ravel()]),
    "SQUEEZE": lambda o, v: np.squeeze(v[0]),
    "STRIDED_SLICE": _strided,
    "SUB": lambda o, v: v[0] - v[1],
}
"""Operators on shapes."""
