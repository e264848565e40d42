"""Sums, products and the like of tensors; what stays integers on a grid is computed at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.ir.grid import Rationals, rationals
from hwflow.verify.references.exact.functions import ADD, DIVIDE, MAXIMUM, MINIMUM, MULTIPLY, NEGATE
from hwflow.verify.references.exact.values import (
    LIMIT,
    Apply,
    Function,
    Leaf,
    NoExactReferenceError,
    Raw,
    Tensor,
    aligned,
    compact,
    constant,
    largest,
    rational_array,
)


def number(value: Fraction | float | int) -> Leaf:
    """Return one number as a tensor that broadcasts against any other."""
    return constant(rational_array(Fraction(value)))


def add(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a + b``."""
    a, b = _paired(a, b)
    if not (isinstance(a, Leaf) and isinstance(b, Leaf)):
        return b if _is_all(a, 0) else a if _is_all(b, 0) else Apply(ADD, (a, b))
    if a.constant or b.constant:
        body, shift = (b, a) if a.constant else (a, b)
        return Leaf(body.raw, body.scale, rational_array(body.offset + shift.offset))
    merged = _merged(a, b)
    return Apply(ADD, (a, b)) if merged is None else merged


def negate(a: Tensor) -> Tensor:
    """Return ``-a``."""
    if isinstance(a, Leaf):
        return Leaf(a.raw, rational_array(-a.scale), rational_array(-a.offset))
    return Apply(NEGATE, (a,))


def subtract(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a - b``."""
    return add(a, negate(b))


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a * b``."""
    a, b = _paired(a, b)
    if not (isinstance(a, Leaf) and isinstance(b, Leaf)):
        return b if _is_all(a, 1) else a if _is_all(b, 1) else Apply(MULTIPLY, (a, b))
    if a.constant or b.constant:
        body, factor = (b, a.offset) if a.constant else (a, b.offset)
        return Leaf(
            body.raw, rational_array(body.scale * factor), rational_array(body.offset * factor)
        )
    whole = np.float64 not in (a.raw.dtype, b.raw.dtype)
    if whole and not a.offset.any() and not b.offset.any() and _fits(a.raw, b.raw):
        return Leaf(
            a.raw * b.raw, rational_array(a.scale * b.scale), rational_array(a.offset * b.offset)
        )
    return Apply(MULTIPLY, (a, b))


def divide(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a / b``."""
    if isinstance(b, Leaf) and b.constant:
        if not all(b.offset.ravel()):
            raise NoExactReferenceError("a division by zero")
        return multiply(a, constant(rational_array(1 / b.offset)))
    return Apply(DIVIDE, _paired(a, b))


def maximum(a: Tensor, b: Tensor) -> Tensor:
    """Return the larger of both, elementwise."""
    return _clipped(MAXIMUM, a, b, np.maximum)


def minimum(a: Tensor, b: Tensor) -> Tensor:
    """Return the smaller of both, elementwise."""
    return _clipped(MINIMUM, a, b, np.minimum)


def _clipped(function: Function, a: Tensor, b: Tensor, of: Callable[[Raw, int], Raw]) -> Tensor:
    """Return a maximum or minimum; of integers without an offset and zero at once."""
    if isinstance(b, Leaf) and isinstance(a, Leaf) and _is_all(b, 0):
        positive = all(s > 0 for s in a.scale.ravel())
        if positive and not a.offset.any() and len(b.shape) <= len(a.shape):
            return Leaf(of(a.raw, 0), a.scale, a.offset)
    return Apply(function, _paired(a, b))


def table(values: npt.NDArray[Any]) -> Leaf:
    """Return constants of a model as a tensor."""
    return constant(rationals(values))


def _is_all(a: Tensor, value: int) -> bool:
    """Return whether a tensor is one and the same small number everywhere and of one element."""
    return isinstance(a, Leaf) and a.constant and a.offset.size == 1 and a.offset.flat[0] == value


def _paired(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two tensors with leaves of the same rank."""
    rank = max(len(a.shape), len(b.shape))
    if a is b:
        return (padded(a, rank),) * 2
    return padded(a, rank), padded(b, rank)


def padded(a: Tensor, rank: int) -> Tensor:
    """Return a leaf with axes of 1 in front; functions of leaves are broadcast when evaluated."""
    if isinstance(a, Apply) or len(a.shape) == rank:
        return a
    return Leaf(aligned(a.raw, rank, lead=1), aligned(a.scale, rank), aligned(a.offset, rank))


def _fits(a: Raw, b: Raw) -> bool:
    return a.dtype == b.dtype == np.int64 and largest(a) * largest(b) < LIMIT


def _merged(a: Leaf, b: Leaf) -> Leaf | None:
    """Return the sum of integers on a common grid, or None where that passes int64."""
    if not (a.raw.dtype == b.raw.dtype == np.int64):
        return None
    step = rational_array(np.frompyfunc(_common, 2, 1)(a.scale, b.scale))
    factors = [_quotients(x.scale, step) for x in (a, b)]
    reach = sum(largest(x.raw) * largest(f) for x, f in zip((a, b), factors, strict=True))
    if reach >= LIMIT or any(f.dtype == object for f in factors):
        return None
    raw = a.raw * factors[0][None] + b.raw * factors[1][None]
    return Leaf(raw, step, rational_array(a.offset + b.offset))


def _common(a: Fraction, b: Fraction) -> Fraction:
    """Return the largest rational of which two are whole multiples."""
    top = math.gcd(a.numerator, b.numerator)
    return Fraction(top, math.lcm(a.denominator, b.denominator)) if top else Fraction(1)


def _quotients(scale: Rationals, step: Rationals) -> Raw:
    whole = np.frompyfunc(lambda s, t: int(s / t), 2, 1)(scale, step)
    return compact(rational_array(whole))
