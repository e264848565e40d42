"""Normalisations by a sample's own statistics: in float64, approximate by nature as hardware is."""

from __future__ import annotations

import numpy as np

from hwflow.verify.references.exact.decision import rounded
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.values import F64, Tensor, real_input


def last_axes_norm(view: View) -> Step:
    """Return the evaluation of ``LayerNormalization`` or ``RMSNormalization``."""
    centred = view.node.op_type == "LayerNormalization"
    if sum(bool(v.uses() or v.is_graph_output()) for v in view.node.outputs[1:]):
        raise view.refused("whose mean or deviation is read")

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = rounded(view.tensor(operands, 0), samples)
        first = int(view.attributes.get("axis", -1)) % (x.ndim - 1)
        y = _normalised(x, tuple(range(1 + first, x.ndim)), view, centred=centred)
        factor, offset = view.constant(1), view.constant(2)
        y = y if factor is None else y * factor
        return (real_input(y if offset is None else y + offset),)

    return step


def channels_norm(view: View) -> Step:
    """Return the evaluation of ``InstanceNormalization`` or ``GroupNormalization``."""

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = rounded(view.tensor(operands, 0), samples)
        channels = x.shape[2]
        groups = int(view.attributes.get("num_groups") or channels)
        apart = x.reshape(*x.shape[:2], groups, -1)
        y = _normalised(apart, (3,), view, centred=True).reshape(x.shape)
        for operation, index in ((np.multiply, 1), (np.add, 2)):
            if (values := view.constant(index)) is not None:
                each = np.repeat(values.ravel(), channels // values.size)
                y = operation(y, each.reshape(-1, *(1 for _ in x.shape[3:])))
        return (real_input(y),)

    return step


def _normalised(x: F64, axes: tuple[int, ...], view: View, *, centred: bool) -> F64:
    gaps = x - x.mean(axis=axes, keepdims=True) if centred else x
    spread = np.square(gaps).mean(axis=axes, keepdims=True) + view.number("epsilon", 1e-5)
    return np.asarray(gaps / np.sqrt(np.where(spread == 0, 1, spread)))  # 0 / 0: hardware has 0
