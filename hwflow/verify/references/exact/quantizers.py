"""Quantisers by the QONNX operator definitions: scale, add the zero point, clamp, then round."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from hwflow.fixed import Overflow, Rounding
from hwflow.ir.grid import Rationals, rationals
from hwflow.ir.qonnx.nodes import quantizer_of
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.verify.references.exact.arithmetic import add, divide, multiply, table
from hwflow.verify.references.exact.decision import decided
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.values import (
    F64,
    Leaf,
    NoExactReferenceError,
    Raw,
    Tensor,
    leaf,
    rational_array,
)


def _away(x: F64) -> F64:
    return np.where(x < 0, np.floor(x), np.ceil(x))


def _half(x: F64, tie_away: bool) -> F64:
    size = np.abs(x)
    floor = np.floor(size)
    rest = size - floor  # exact: both are close together
    up = rest >= 0.5 if tie_away else rest > 0.5
    return np.asarray(np.where(x < 0, -1.0, 1.0) * (floor + up))


STEPS: dict[str, Callable[[F64], F64]] = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _away,
    "DOWN": np.trunc,
    "HALF_UP": lambda x: _half(x, True),
    "HALF_DOWN": lambda x: _half(x, False),
}
"""Rounding modes on float64 numbers; none of them rounds before it decides."""


def _exact_half(x: Fraction, tie_away: bool) -> int:
    floor = math.floor(abs(x))
    rest = abs(x) - floor
    up = rest >= Fraction(1, 2) if tie_away else rest > Fraction(1, 2)
    return (-1 if x < 0 else 1) * (floor + up)


_EXACT: dict[str, Callable[[Fraction], int]] = {
    "ROUND": round,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "UP": lambda x: math.floor(x) if x < 0 else math.ceil(x),
    "DOWN": math.trunc,
    "HALF_UP": lambda x: _exact_half(x, True),
    "HALF_DOWN": lambda x: _exact_half(x, False),
}


def quantize(view: View) -> Step:
    """Return the evaluation of ``Quant``, ``BipolarQuant`` or ``Trunc``."""
    parameters = [view.constant(i) for i in range(1, len(view.node.inputs))]
    given = [p for p in parameters if p is not None]
    quantizer = quantizer_of(view.node.op_type, given, view.attributes)
    scale, zero_point = table(quantizer.scale), table(quantizer.zero_point)

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        scaled = add(divide(view.tensor(operands, 0), scale), zero_point)
        if quantizer.kind == "Trunc":
            return (_truncated(quantizer, scaled, samples),)
        levels = _levels(quantizer, scaled, samples).astype(np.int64)
        zero = np.asarray(quantizer.zero_point, np.int64)
        return (leaf(levels - _spread(zero, levels.ndim), _spread_scale(quantizer.scale, levels)),)

    return step


def _spread(values: Raw, rank: int) -> Raw:
    """Return parameters with axes of 1 in front."""
    return values.reshape((1,) * (rank - values.ndim) + values.shape)


def _spread_scale(scale: F64, levels: Raw) -> Rationals:
    """Return scales with the rank of one sample of the levels."""
    return _spread(rationals(scale), levels.ndim - 1)


def _levels(quantizer: Quantizer, scaled: Tensor, samples: int) -> F64:
    """Return the integer levels of ``Quant`` and ``BipolarQuant``, zero point included."""
    if quantizer.bipolar:
        return decided(
            scaled, samples,
            lambda y: np.where(np.isnan(y), y, np.where(y >= 0, 1.0, -1.0)),
            lambda y: 1 if y >= 0 else -1,
        )  # fmt: skip
    low, high = quantizer.raw_min, quantizer.raw_max
    step, exact = STEPS[quantizer.rounding], _EXACT[quantizer.rounding]
    return decided(
        scaled, samples,
        lambda y: step(np.clip(y, low, high)),
        lambda y: exact(max(Fraction(low), min(Fraction(high), y))),
    )  # fmt: skip


def _truncated(quantizer: Quantizer, scaled: Tensor, samples: int) -> Leaf:
    """Return the result of ``Trunc``: whole numbers first, then divided, clamped and rounded."""
    whole = decided(scaled, samples, np.rint, round)
    if np.abs(whole).max(initial=0) >= 2**53:
        raise NoExactReferenceError("a Trunc of values of more than 53 bits")
    divisor = Fraction(2) ** quantizer.truncated_bits
    divided = whole / float(divisor)
    if quantizer.clamps:
        divided = np.clip(divided, quantizer.raw_min, quantizer.raw_max)
    levels = STEPS[quantizer.rounding](divided).astype(np.int64)
    assert quantizer.output_scale is not None
    zero = rationals(quantizer.zero_point)
    if quantizer.clamps:  # version 2 scales the zero point with the value, version 1 does not
        zero = rational_array(zero / divisor)
    scale = _spread_scale(quantizer.output_scale, levels)
    return leaf(levels, scale, rational_array(-_spread(zero, levels.ndim - 1) * scale))


_HALF = Fraction(1, 2)

_FIXED: dict[Rounding, tuple[Callable[[F64], F64], Callable[[Fraction], int]]] = {
    Rounding.TRN: (np.floor, math.floor),
    Rounding.TRN_ZERO: (np.trunc, math.trunc),
    Rounding.RND: (
        lambda y: np.floor(y) + (y - np.floor(y) >= 0.5),
        lambda y: math.floor(y + _HALF),
    ),
    Rounding.RND_MIN_INF: (
        lambda y: np.floor(y) + (y - np.floor(y) > 0.5),
        lambda y: math.ceil(y - _HALF),
    ),
    Rounding.RND_ZERO: (STEPS["HALF_DOWN"], _EXACT["HALF_DOWN"]),
    Rounding.RND_INF: (STEPS["HALF_UP"], _EXACT["HALF_UP"]),
    Rounding.RND_CONV: (np.rint, round),
}
"""ap_fixed's roundings (UG1399), on float64 numbers and on rationals."""


def quantize_fixed(view: View) -> Step:
    """Return the evaluation of ``FixedQuant``: rounded element by element, then limited."""
    parts = [view.constant(i) for i in (1, 2, 3)]
    try:
        rounding = Rounding(str(view.attributes.get("rounding_mode")))
        overflow = Overflow(str(view.attributes.get("overflow_mode")))
    except ValueError as error:
        raise view.refused(str(error)) from error
    if any(p is None for p in parts):
        raise view.refused("without its formats")
    k, i, f = np.broadcast_arrays(*(p for p in parts if p is not None))
    span = np.exp2(np.maximum(i, -f) + f)
    if not np.all(span <= 2.0**53):
        raise view.refused("of more than 53 bits")
    live = k + i + f > 0
    step, exact = _FIXED[rounding]

    def evaluate(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        scaled = multiply(view.tensor(operands, 0), table(np.exp2(f)))
        levels = _limited(decided(scaled, samples, step, exact), k, span, overflow)
        levels = np.where(live, levels, 0).astype(np.int64)
        return (leaf(levels, _spread_scale(np.exp2(-f), levels)),)

    return evaluate


def _limited(levels: F64, k: F64, span: F64, overflow: Overflow) -> F64:
    """Return whole numbers brought into ``-k * span .. span - 1``."""
    if overflow is not Overflow.WRAP:
        low = -k * (span - (overflow is Overflow.SAT_SYM))
        return np.asarray(np.clip(levels, low, span - 1))
    if np.abs(levels).max(initial=0) >= 2**52:
        raise NoExactReferenceError("a FixedQuant of values of more than 52 bits")
    low = -k * span
    return np.asarray(np.mod(levels - low, span * (1 + k)) + low)
