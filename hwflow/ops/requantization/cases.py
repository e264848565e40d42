"""Small requantisations for the contract tests: every implementation, every number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hwflow.fixed import FixedType
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization.problem import weighted

RequantizeCase = tuple[str, Mapping[str, Any], tuple[TensorType, ...]]
"""A name, the fields of ``Requantize``, and the types of its operands."""


def cases() -> Iterator[RequantizeCase]:
    """Yield requantisations of one value, and of weighted sums."""
    yield from _of_one()
    yield from _of_sums()


def _of_one() -> Iterator[RequantizeCase]:
    """Yield a function for every implementation, and every number of rows."""
    raw = np.arange(-128, 128)
    scaled = [np.clip((m * raw + 40) >> 7, -8, 7) for m in (11, 13, -9, 0, 10, 12)]
    signed, unsigned = FixedType(8, 3), FixedType(8, 10, signed=False)
    x = TensorType.full((2, 3), signed)
    three = StepFunction.of(np.full(3, -128), scaled[:3])
    kinked = StepFunction.of(np.array([-128]), [np.where(raw < 0, raw >> 3, raw) >> 1])
    bump = StepFunction.of(np.array([0]), [np.arange(256) * np.arange(255, -1, -1) >> 11])
    halved = StepFunction.of(np.array([-128]), [np.clip((5 - raw) >> 3, -4, 9)])
    doubled = StepFunction.of(np.array([-128]), [4 * raw + 3])
    six = StepFunction.of(np.full(6, -128), scaled)
    for name, function, dtype, implementations in (
        ("channels", three, signed, ("multiply_add_shift", "table", "thresholds")),
        ("elements", six, signed, ("multiply_add_shift", "table", "thresholds")),
        ("kinked", kinked, signed, ("piecewise", "table", "thresholds")),
        ("bump", bump, unsigned, ("piecewise", "table", "thresholds")),
        ("halved", halved, signed, ("shift", "thresholds")),
        ("doubled", doubled, signed, ("shift", "multiply_add_shift")),
    ):
        inputs = (TensorType.full(x.shape, dtype),)
        for way in implementations:
            fields = {"function": function, "fractional": 2, "implementation": way}
            yield f"{name}_{way}", fields, inputs
    yield "cheapest", {"function": three}, (x,)
    wide = np.array([-(2**29), -77_777_777, 1, 123_456_789])
    steps = StepFunction((wide,), (np.arange(4) - 1,), np.array([2**29 - 1]))
    far = TensorType.full((3,), FixedType(30, 12))
    yield "wide", {"function": steps, "fractional": -1}, (far,)


def _of_sums() -> Iterator[RequantizeCase]:
    """Yield sums of two to four operands, per tensor, channel and element."""
    signed, unsigned = FixedType(6, 3), FixedType(5, 7, signed=False)
    types = (signed, unsigned, FixedType(3, 1), FixedType(4, 4, signed=False))
    for name, count, rows, way in (
        ("add", 2, 1, "multiply_add_shift"), ("add", 2, 1, "thresholds"),
        ("add_channels", 2, 3, "multiply_add_shift"), ("add_elements", 2, 6, "thresholds"),
        ("add_elements", 2, 6, "table"), ("add_three", 3, 3, "multiply_add_shift"),
        ("add_four", 4, 1, "thresholds"),
    ):  # fmt: skip
        inputs = tuple(TensorType.full((2, 3), t) for t in types[:count])
        weights = tuple(np.array([3, -5, 7, 2, 9, 4][:rows]) + i for i in range(count))
        ends = [(np.full(rows, t.bounds[0]), np.full(rows, t.bounds[1])) for t in inputs]
        lo, hi = weighted(weights, np.arange(rows), ends)
        levels = [
            np.clip((7 * np.arange(a, b + 1) + 30) >> 7, 0, 15) for a, b in zip(lo, hi, strict=True)
        ]
        function = StepFunction.of(lo, levels)
        fields = {"function": function, "weights": weights, "implementation": way}
        yield f"{name}_{way}", fields, inputs
