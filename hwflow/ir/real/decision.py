"""Decides a rounding at one point, by rational arithmetic or as many binary digits as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, trunc
from typing import Any

import mpmath
import numpy as np

from hwflow.ir.real.expression import F64, Expression, Points

FIRST_PRECISION = 128
"""Bits of the first try in binary arithmetic."""

LAST_PRECISION = 2**14
"""Bits after which a value counts as undecidable: no function here gets so close to a boundary."""

LOST_BITS = 64
"""Bits that the operations of a tree together lose at most."""


def decide(x: Expression, mode: str, at: Points) -> F64:
    """Return the values of a tree at points, rounded exactly."""
    pairs = zip(at.raw.tolist(), at.row.tolist(), strict=True)
    return np.array([whole(x, mode, raw, row) for raw, row in pairs], np.float64)


def decide_at(tree: Expression, source: Fraction, row: int) -> Fraction:
    """Return the value of a tree whose roundings make it rational, at any rational source."""
    value = tree.rational(source, row)
    assert value is not None, "the tree does not end in a rounding"
    return value


def whole(x: Expression, mode: str, source: int | Fraction, row: int) -> int:
    """Return the value of a tree at one source, rounded exactly.

    Raises:
        ArithmeticError: the value is closer to a boundary than ``LAST_PRECISION`` bits tell.
    """
    precision = FIRST_PRECISION
    while precision <= LAST_PRECISION:
        with mpmath.workprec(precision):
            results = {round_fraction(v, mode) for v in x.interval(source, row)}
        if len(results) == 1:
            return results.pop()
        precision *= 2
    raise ArithmeticError(f"rounding at {source} (row {row}) cannot be decided")


def binary(x: Fraction) -> Any:
    """Return a rational as an ``mpmath.mpf``, at mpmath's precision."""
    return mpmath.mpf(x.numerator) / x.denominator


def around(values: Sequence[Any]) -> tuple[Fraction, Fraction]:
    """Return numbers around ``mpmath.mpf`` values that are off by ``LOST_BITS`` bits at most."""
    margin = mpmath.ldexp(max(1, *(abs(v) for v in values)), LOST_BITS - mpmath.mp.prec)
    return _fraction(min(values) - margin), _fraction(max(values) + margin)


def _fraction(value: Any) -> Fraction:
    """Return a binary number as it is."""
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(-1 if sign else 1) * int(mantissa) * Fraction(2) ** int(exponent)


def round_fraction(x: Fraction, mode: str) -> int:
    """Return a rational number rounded by one of QONNX's modes, or its sign."""
    away = 1 if x >= 0 else -1
    match mode:
        case "SIGN":
            return away
        case "ROUND":
            return round(x)
        case "FLOOR":
            return floor(x)
        case "CEIL":
            return ceil(x)
        case "DOWN":
            return trunc(x)
        case "UP":
            return away * ceil(abs(x))
        case "HALF_UP":
            return away * floor(abs(x) + Fraction(1, 2))
        case "HALF_DOWN":
            return away * ceil(abs(x) - Fraction(1, 2))
    raise ValueError(f"unknown rounding mode {mode!r}")
