"""Counts of thresholds, each comparison decided exactly."""

from __future__ import annotations

import numpy as np

from hwflow.ir.grid import rationals
from hwflow.verify.references.exact.arithmetic import add, table
from hwflow.verify.references.exact.decision import decided
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.values import F64, Tensor, leaf


def steps(view: View) -> Step:
    """Return the evaluation of ``Steps``: the thresholds that each element reaches."""
    thresholds = view.constant(1)
    scale, bias = (float(view.attributes[name]) for name in ("scale", "bias"))
    if thresholds is None:
        raise view.refused("with thresholds that are computed")

    def evaluate(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = view.tensor(operands, 0)
        count = np.zeros((samples, *x.shape), np.int64)
        for i in range(thresholds.shape[-1]):
            above = add(x, table(-thresholds[..., i]))
            count += decided(above, samples, _signs, lambda y: 1 if y >= 0 else -1) > 0
        scales = rationals(np.full((1,) * len(x.shape), scale))
        return (add(leaf(count, scales), table(np.array(bias))),)

    return evaluate


def _signs(y: F64) -> F64:
    """Return 1 where a number is not below 0, and -1 where it is."""
    return np.where(np.isnan(y), y, np.where(y >= 0, 1.0, -1.0))
