"""Decides a rounding at one point, by rational arithmetic or as many binary digits as it takes."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, trunc
from typing import Any

import mpmath
import numpy as np

from hwflow.ir.grid import Rationals
from hwflow.ir.real.expression import (
    F64,
    Clamp,
    Expression,
    Function,
    Linear,
    Points,
    Product,
    Rounded,
    Slopes,
    Source,
    Total,
)
from hwflow.ir.real.functions import FUNCTIONS
from hwflow.ir.real.table import Tabulated

FIRST_PRECISION = 128
"""Bits of the first try in binary arithmetic."""

LAST_PRECISION = 2**14
"""Bits after which a value counts as undecidable: no function here gets so close to a boundary."""

LOST_BITS = 64
"""Bits that the operations of a tree together lose at most."""


def decide(tree: Rounded, at: Points) -> F64:
    """Return the rounded values at points, exactly."""
    pairs = zip(at.raw.tolist(), at.row.tolist(), strict=True)
    return np.array([_whole(tree, raw, row) for raw, row in pairs], np.float64)


def decide_at(tree: Expression, source: Fraction, row: int) -> Fraction:
    """Return the value of a tree whose roundings make it rational, at any rational source."""
    value = rational(tree, source, row)
    assert value is not None, "the tree does not end in a rounding"
    return value


def rational(tree: Expression, raw: int | Fraction, row: int) -> Fraction | None:
    """Return the value at one point, or None where it is not known to be rational."""
    match tree:
        case Source():
            return Fraction(raw)
        case Rounded():
            return Fraction(_whole(tree, raw, row))
        case Product():
            return _product(rational(tree.a, raw, row), rational(tree.b, raw, row))
        case Total():
            a, b = rational(tree.a, raw, row), rational(tree.b, raw, row)
            return None if a is None or b is None else a + b
    (operand,) = tree.operands
    x = rational(operand, raw, row)
    return None if x is None else _apply(tree, x, row)


def _product(a: Fraction | None, b: Fraction | None) -> Fraction | None:
    if a == 0 or b == 0:
        return Fraction(0)
    return None if a is None or b is None else a * b


def _apply(tree: Expression, x: Fraction, row: int) -> Fraction | None:
    """Return a node of one operand at a rational number, or None where it is not rational."""
    match tree:
        case Linear():
            return _at(tree.scale, row) * x + _at(tree.offset, row)
        case Slopes():
            return x if x > 0 else _at(tree.slope, row) * x
        case Clamp():
            x = x if tree.lo is None else max(x, _at(tree.lo, row))
            return x if tree.hi is None else min(x, _at(tree.hi, row))
        case Tabulated():
            return tree.number(x)
        case Function():
            return FUNCTIONS[tree.name].exact(x, tree.parameters)
    raise AssertionError(f"{type(tree).__name__} is not a node of one operand")


def _at(constant: Rationals, row: int) -> Fraction:
    value: Fraction = constant.ravel()[row if constant.size > 1 else 0]
    return value


def _interval(tree: Expression, raw: int | Fraction, row: int) -> tuple[Fraction, Fraction]:
    """Return numbers around the value at one point, as close as mpmath's precision allows."""
    known = rational(tree, raw, row)
    if known is not None:
        return known, known
    ends = [_interval(operand, raw, row) for operand in tree.operands]
    if isinstance(tree, Product):
        products = [a * b for a in ends[0] for b in ends[1]]
        return min(products), max(products)
    if isinstance(tree, Total):
        return ends[0][0] + ends[1][0], ends[0][1] + ends[1][1]
    results = [_apply(tree, end, row) for end in ends[0]]
    rationals = [r for r in results if r is not None]
    if len(rationals) == len(results):
        return min(rationals), max(rationals)
    assert isinstance(tree, Function)
    values = [FUNCTIONS[tree.name].precise(_binary(end), tree.parameters) for end in ends[0]]
    margin = mpmath.ldexp(max(1, *(abs(v) for v in values)), LOST_BITS - mpmath.mp.prec)
    return _fraction(min(values) - margin), _fraction(max(values) + margin)


def _whole(tree: Rounded, raw: int | Fraction, row: int) -> int:
    precision = FIRST_PRECISION
    while precision <= LAST_PRECISION:
        with mpmath.workprec(precision):
            results = {round_exactly(v, tree.mode) for v in _interval(tree.x, raw, row)}
        if len(results) == 1:
            return results.pop()
        precision *= 2
    raise ArithmeticError(f"rounding at {raw} (row {row}) cannot be decided")


def _binary(x: Fraction) -> Any:
    return mpmath.mpf(x.numerator) / x.denominator


def _fraction(value: Any) -> Fraction:
    """Return a binary number as it is."""
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction(-1 if sign else 1) * int(mantissa) * Fraction(2) ** int(exponent)


def round_exactly(x: Fraction, mode: str) -> int:
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
