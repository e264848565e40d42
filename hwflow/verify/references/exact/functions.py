"""Real functions of one or two real numbers, enclosed in float64 and in rationals.

Irrational results come from mpmath at a precision that grows until a decision is reached; results
that are rational (``sigmoid(0) = 1/2``) are exact at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from hwflow.verify.references.exact.values import (
    F64,
    Bounds,
    Enclosure,
    Function,
    NoExactReferenceError,
)

_GUARD = 64
"""Bits computed beyond those promised: arguments stay below 2**14, results lose twice as many."""

_SLACK = 1e-13
"""Relative error allowed to float64 functions of numpy and math; they are right to a few 1e-16."""
_TINY = 1e-300

_FARTHEST = Fraction(10_000)
"""Exponents beyond are taken for this one: no boundary of a float32 quantiser lies in between."""

_HALF = Fraction(1, 2)


def _wider(low: F64, high: F64) -> Bounds:
    """Return bounds moved outward by one float64: what one rounding may have moved them inward."""
    return np.nextafter(low, -np.inf), np.nextafter(high, np.inf)


def _add(a: Bounds, b: Bounds) -> Bounds:
    return _wider(a[0] + b[0], a[1] + b[1])


def _multiply(a: Bounds, b: Bounds) -> Bounds:
    if a is b:  # a square is not negative
        size = np.maximum(np.abs(a[0]), np.abs(a[1]))
        least = np.where((a[0] <= 0) & (a[1] >= 0), 0.0, np.minimum(np.abs(a[0]), np.abs(a[1])))
        low, high = _wider(least * least, size * size)
        return np.maximum(low, 0.0), high
    products = [x * y for x in a for y in b]
    low, high = np.minimum.reduce(products), np.maximum.reduce(products)
    unknown = np.isnan(low) | np.isnan(high)  # zero times infinity
    low, high = np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)
    return (low, high) if _is_power_of_two(a) or _is_power_of_two(b) else _wider(low, high)


def _is_power_of_two(a: Bounds) -> bool:
    """Return whether a factor is a power of two, with which products are exact."""
    mantissa, exponent = np.frexp(a[0])
    small = np.abs(exponent) < 100
    return bool(np.all(a[0] == a[1]) and np.all(np.abs(mantissa) == 0.5) and np.all(small))


def _divide(a: Bounds, b: Bounds) -> Bounds:
    quotients = [x / y for x in a for y in b]
    low, high = _wider(np.minimum.reduce(quotients), np.maximum.reduce(quotients))
    unknown = ((b[0] <= 0) & (b[1] >= 0)) | np.isnan(low) | np.isnan(high)
    return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)


def _exact_product(bits: int, a: Enclosure, b: Enclosure) -> Enclosure:
    if a[0] == a[1] and b[0] == b[1]:
        return (a[0] * b[0],) * 2
    products = [x * y for x in a for y in b]
    return min(products), max(products)


def _exact_quotient(bits: int, a: Enclosure, b: Enclosure) -> Enclosure:
    if b[0] <= 0 <= b[1]:
        raise NoExactReferenceError("a division by zero")
    quotients = [x / y for x in a for y in b]
    return min(quotients), max(quotients)


ADD = Function("Add", _add, lambda bits, a, b: (a[0] + b[0], a[1] + b[1]))
MULTIPLY = Function("Mul", _multiply, _exact_product)
DIVIDE = Function("Div", _divide, _exact_quotient)
NEGATE = Function("Neg", lambda a: (-a[1], -a[0]), lambda bits, a: (-a[1], -a[0]))
MAXIMUM = Function(
    "Max",
    lambda a, b: (np.maximum(a[0], b[0]), np.maximum(a[1], b[1])),
    lambda bits, a, b: (max(a[0], b[0]), max(a[1], b[1])),
)
MINIMUM = Function(
    "Min",
    lambda a, b: (np.minimum(a[0], b[0]), np.minimum(a[1], b[1])),
    lambda bits, a, b: (min(a[0], b[0]), min(a[1], b[1])),
)


def above(threshold: Fraction) -> Function:
    """Return the function that is ``x`` above a threshold and zero elsewhere."""
    limit = float(threshold)  # a float32, so exact

    def outward(a: Bounds) -> Bounds:
        low, high = (np.where(x > limit, x, 0.0) for x in a)
        sure = (a[0] > limit) | (a[1] <= limit)
        return np.where(sure, low, np.minimum(a[0], 0.0)), np.where(sure, high, np.maximum(a[1], 0))

    def enclose(bits: int, a: Enclosure) -> Enclosure:
        if a[0] > threshold or a[1] <= threshold:
            return a if a[0] > threshold else (Fraction(0), Fraction(0))
        return min(a[0], Fraction(0)), max(a[1], Fraction(0))

    return Function("ThresholdedRelu", outward, enclose)


Real = Callable[[int, Fraction], Enclosure]
"""A function at one rational, enclosed with a number of bits."""


def _rising(
    name: str, numbers: Callable[[F64], F64], real: Real, slack: float = _SLACK
) -> Function:
    """Return a function that never falls, from its float64 form and its exact form."""

    def outward(a: Bounds) -> Bounds:
        low, high = numbers(a[0]), numbers(a[1])
        return low - slack * (np.abs(low) + _TINY), high + slack * (np.abs(high) + _TINY)

    def enclose(bits: int, a: Enclosure) -> Enclosure:
        low = real(bits, a[0])
        return low if a[0] == a[1] else (low[0], real(bits, a[1])[1])

    return Function(name, outward, enclose, rising=True)


def _whole(name: str, numbers: Callable[[F64], F64], exact: Callable[[Fraction], int]) -> Function:
    """Return a step function with whole results."""
    return _rising(name, numbers, lambda bits, x: (Fraction(exact(x)),) * 2, 0.0)


def _sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)


FLOOR = _whole("Floor", np.floor, math.floor)
CEIL = _whole("Ceil", np.ceil, math.ceil)
ROUND = _whole("Round", np.rint, round)
SIGN = _whole("Sign", np.sign, _sign)


def irrational(compute: Callable[[Any], Any], x: Fraction, bits: int) -> Enclosure:
    """Return what an mpmath function gives, within a relative error of ``2**-bits``."""
    with mpmath.workprec(bits + _GUARD):
        result = compute(mpmath.mpf(x.numerator) / mpmath.mpf(x.denominator))
    value = Fraction(*map(int, mpmath.libmp.to_rational(result._mpf_)))
    slack = abs(value) / 2**bits
    return value - slack, value + slack


def _limited(x: Fraction, farthest: Fraction = _FARTHEST) -> Fraction:
    return max(-farthest, min(farthest, x))


def _exp(bits: int, x: Fraction) -> Enclosure:
    return irrational(mpmath.exp, _limited(x), bits) if x else (Fraction(1),) * 2


def _log(bits: int, x: Fraction) -> Enclosure:
    if x <= 0:
        raise NoExactReferenceError("a logarithm of what is not positive")
    if x == 1:
        return Fraction(0), Fraction(0)
    low, high = irrational(mpmath.log, x, bits)
    return low - Fraction(1, 2**bits), high + Fraction(1, 2**bits)  # near 1 digits cancel


def square_root(bits: int, x: Fraction) -> Enclosure:
    """Return the square root of a rational; exact where it is rational."""
    if x < 0:
        raise NoExactReferenceError("a square root of a negative number")
    root = Fraction(math.isqrt(x.numerator), math.isqrt(x.denominator))
    return (root, root) if root * root == x else irrational(mpmath.sqrt, x, bits)


def _mirrored(one: int, near: Real) -> Real:
    """Return ``f`` with ``f(x) = one - f(-x)``, given for ``x <= 0``; keeps what is next to one."""

    def real(bits: int, x: Fraction) -> Enclosure:
        if x == 0:
            return (Fraction(one, 2),) * 2
        low, high = near(bits, -abs(x))
        return (low, high) if x < 0 else (one - high, one - low)

    return real


def _sigmoid_below(bits: int, x: Fraction) -> Enclosure:
    return irrational(lambda t: 1 / (1 + mpmath.exp(-t)), _limited(x), bits)


_sigmoid = _mirrored(1, _sigmoid_below)


def _tanh(bits: int, x: Fraction) -> Enclosure:
    if abs(x) <= 1:
        return irrational(mpmath.tanh, x, bits) if x else (x, x)
    low, high = _sigmoid(bits, 2 * x)
    return 2 * low - 1, 2 * high - 1


def _normal_below(bits: int, x: Fraction) -> Enclosure:
    near = _limited(x, Fraction(100))  # exp(-x * x / 2): as far as an exponent of 5000
    return irrational(lambda t: mpmath.erfc(-t / mpmath.sqrt(2)) / 2, near, bits)


_normal = _mirrored(1, _normal_below)


def _erf(bits: int, x: Fraction) -> Enclosure:
    if abs(x) <= 1:
        return irrational(mpmath.erf, x, bits) if x else (x, x)
    low, high = irrational(mpmath.erfc, min(abs(x), Fraction(100)), bits)
    return (1 - high, 1 - low) if x > 0 else (low - 1, high - 1)


def _softplus(bits: int, x: Fraction) -> Enclosure:
    below = _limited(-abs(x))
    low, high = irrational(lambda t: mpmath.log1p(mpmath.exp(t)), below, bits)
    return (low + x, high + x) if x > 0 else (low, high)


def _expm1(bits: int, x: Fraction) -> Enclosure:
    """Return ``exp(x) - 1`` below zero and ``x`` above: what ELU computes with a factor of 1."""
    if x >= 0:
        return x, x
    if x > -1:
        return irrational(mpmath.expm1, x, bits)
    low, high = _exp(bits, x)
    return low - 1, high - 1


def _mish_gate(bits: int, x: Fraction) -> Enclosure:
    """Return ``tanh(softplus(x)) = 1 - 2 / (n + 2)`` with ``n = exp(x) (exp(x) + 2)``."""
    low, high = _exp(bits, x)
    low, high = low * (low + 2), high * (high + 2)
    return low / (low + 2), high / (high + 2)


def _tanh_gate(bits: int, x: Fraction) -> Enclosure:
    """Return ``(1 + tanh(z)) / 2 = sigmoid(2 z)``, ``z = sqrt(2 / pi) (x + 0.044715 x**3)``."""
    inner = 2 * (x + Fraction(44_715, 1_000_000) * x**3)

    def below(bits: int, t: Fraction) -> Enclosure:
        scaled = _limited(t)
        return irrational(
            lambda z: 1 / (1 + mpmath.exp(-z * mpmath.sqrt(2 / mpmath.pi))), scaled, bits
        )

    return _mirrored(1, below)(bits, inner)


def _float_sigmoid(x: F64) -> F64:
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, decay) / (1.0 + decay)


def _float_tanh_gate(x: F64) -> F64:
    return _float_sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


def _float_mish_gate(x: F64) -> F64:
    grown = np.exp(np.minimum(x, 300.0))
    numerator = grown * (grown + 2)
    return np.asarray(numerator / (numerator + 2))


def _each(function: Callable[[float], float]) -> Callable[[F64], F64]:
    vectorised = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(vectorised(x), np.float64)


SIGMOID = _rising("Sigmoid", _float_sigmoid, _sigmoid)
TANH = _rising("Tanh", np.tanh, _tanh)
ERF = _rising("Erf", _each(math.erf), _erf)
NORMAL = _rising("Gelu", _each(lambda x: math.erfc(-x / math.sqrt(2)) / 2), _normal, 1e-10)
TANH_GATE = _rising("Gelu", _float_tanh_gate, _tanh_gate, 1e-10)
MISH_GATE = _rising("Mish", _float_mish_gate, _mish_gate)
SOFTPLUS = _rising("Softplus", lambda x: np.logaddexp(0.0, x), _softplus)
EXPM1 = _rising("Elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))), _expm1)
EXP = _rising("Exp", np.exp, _exp)
LOG = _rising("Log", np.log, _log)
SQRT = _rising("Sqrt", np.sqrt, square_root)
