"""Real functions of an integer, computed point by point in the plainest way: fractions and mpmath.

A function is written twice, as the tree under test and as a Python function on ``Fraction``. What
is not rational stands for itself with ``BITS`` binary digits, far beyond any rounding behind it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from hwflow.ir.grid import Rationals
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.functions import parameters
from hwflow.ir.real.nodes import Clamp, Function, Linear, Product, Rounded, Slopes, Source, Total
from tests.verify.exact.rational import MODES

BITS = 900

Real = Callable[[Fraction, int], Fraction]
"""A function of a number and of the row."""


@dataclass(frozen=True)
class Pair:
    """The same function twice."""

    tree: Expression
    real: Real


def binary(x: Fraction) -> Any:
    return mpmath.mpf(x.numerator) / x.denominator


def fraction(x: Any) -> Fraction:
    mantissa, exponent = mpmath.frexp(x)
    return Fraction(int(mpmath.ldexp(mantissa, BITS))) * Fraction(2) ** (int(exponent) - BITS)


def transcendental(f: Callable[[Any], Any]) -> Callable[[Fraction], Fraction]:
    def at(x: Fraction) -> Fraction:
        with mpmath.workprec(BITS):
            return fraction(f(binary(x)))

    return at


def _root(x: Fraction) -> Fraction:
    with mpmath.workprec(BITS):
        near = fraction(mpmath.sqrt(binary(x))).limit_denominator(10**12)
        return near if near * near == x else fraction(mpmath.sqrt(binary(x)))


def _gelu_tanh(x: Any) -> Any:
    return (x / 2) * (
        1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf(44715) / 1000000 * x * x * x))
    )


def _elu(x: Fraction, alpha: Fraction) -> Fraction:
    return x if x >= 0 else alpha * transcendental(lambda v: mpmath.exp(v) - 1)(x)


PLAIN: dict[str, Callable[[Fraction, dict[str, Fraction]], Fraction]] = {
    "Abs": lambda x, p: -x if x < 0 else x,
    "Celu": lambda x, p: p["alpha"] * _elu(x / p["alpha"], Fraction(1)) if x < 0 else x,
    "Elu": lambda x, p: _elu(x, p["alpha"]),
    "Erf": lambda x, p: transcendental(mpmath.erf)(x),
    "Exp": lambda x, p: transcendental(mpmath.exp)(x),
    "Gelu": lambda x, p: transcendental(
        _gelu_tanh if p["tanh"] else lambda v: v * mpmath.ncdf(v)
    )(x),
    "HardSwish": lambda x, p: x * max(Fraction(0), min(Fraction(1), x / 6 + Fraction(1, 2))),
    "LeakyRelu": lambda x, p: x if x >= 0 else x * p["alpha"],
    "Log": lambda x, p: transcendental(mpmath.log)(x),
    "Mish": lambda x, p: transcendental(
        lambda v: v * mpmath.tanh(mpmath.log(1 + mpmath.exp(v)))
    )(x),
    "Reciprocal": lambda x, p: 1 / x,
    "Relu": lambda x, p: x if x >= 0 else Fraction(0),
    "Selu": lambda x, p: p["gamma"] * _elu(x, p["alpha"]),
    "Sigmoid": lambda x, p: transcendental(lambda v: 1 / (1 + mpmath.exp(-v)))(x),
    "Softplus": lambda x, p: transcendental(lambda v: mpmath.log(1 + mpmath.exp(v)))(x),
    "Softsign": lambda x, p: x / (1 + abs(x)),
    "Sqrt": lambda x, p: _root(x),
    "Swish": lambda x, p: transcendental(lambda v: v / (1 + mpmath.exp(-v)))(x),
    "Tanh": lambda x, p: transcendental(mpmath.tanh)(x),
}  # fmt: skip


def constant(values: Any) -> Rationals:
    """Return fractions, or one of them, as a constant of a tree."""
    some = values if isinstance(values, Sequence) else [values]
    out = np.empty(len(some), object)
    out[:] = [Fraction(v) for v in some]
    return out


def of_row(values: Any, row: int) -> Fraction:
    some = values if isinstance(values, Sequence) else [values]
    return Fraction(some[row % len(some)] if len(some) > 1 else some[0])


SOURCE = Pair(Source(), lambda x, row: x)


def linear(of: Pair, scale: Any, offset: Any) -> Pair:
    tree = Linear(of.tree, constant(scale), constant(offset))
    return Pair(tree, lambda x, r: of_row(scale, r) * of.real(x, r) + of_row(offset, r))


def function(of: Pair, name: str, **attributes: float) -> Pair:
    given = parameters(name, attributes)
    plain = {k: Fraction(v) for k, v in given.items()}
    return Pair(Function(of.tree, name, given), lambda x, r: PLAIN[name](of.real(x, r), plain))


def slopes(of: Pair, slope: Any) -> Pair:
    def real(x: Fraction, row: int) -> Fraction:
        y = of.real(x, row)
        return y if y >= 0 else y * of_row(slope, row)

    return Pair(Slopes(of.tree, constant(slope)), real)


def clamp(of: Pair, lo: Any = None, hi: Any = None) -> Pair:
    def real(x: Fraction, row: int) -> Fraction:
        y = of.real(x, row)
        if lo is not None and y < of_row(lo, row):
            y = of_row(lo, row)
        return of_row(hi, row) if hi is not None and y > of_row(hi, row) else y

    bounds = (None if b is None else constant(b) for b in (lo, hi))
    return Pair(Clamp(of.tree, *bounds), real)


def product(a: Pair, b: Pair) -> Pair:
    return Pair(Product(a.tree, b.tree), lambda x, r: a.real(x, r) * b.real(x, r))


def total(a: Pair, b: Pair) -> Pair:
    return Pair(Total(a.tree, b.tree), lambda x, r: a.real(x, r) + b.real(x, r))


def rounded(of: Pair, mode: str) -> Pair:
    def real(x: Fraction, row: int) -> Fraction:
        y = of.real(x, row)
        return Fraction(MODES[mode](y) if mode != "SIGN" else 1 if y >= 0 else -1)

    return Pair(Rounded(of.tree, mode), real)


def at_points(of: Pair, raw: Any, row: int = 0) -> list[int]:
    """Return the whole numbers that a function gives at integers."""
    return [int(of.real(Fraction(int(n)), row)) for n in raw]
