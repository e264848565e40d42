"""The nodes that real functions of one integer are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from hwflow.ir.grid import Rationals
from hwflow.ir.qonnx.quantizer import ROUNDING
from hwflow.ir.real.decision import around, binary, decide, round_fraction, whole
from hwflow.ir.real.expression import (
    UNIT_ROUNDOFF,
    Binary,
    Bounded,
    Expression,
    Points,
    Unary,
    UndefinedError,
    constant_at,
    substituted,
)
from hwflow.ir.real.functions import FUNCTIONS, Parameters

FUNCTION_ERROR = 16 * 2.0**-52
"""What ``RealFunction.value`` may be off, relative to ``max(1, |result|)``."""


@dataclass(frozen=True, eq=False)
class Source(Expression):
    """The integer itself."""

    @property
    def operands(self) -> tuple[Expression, ...]:
        return ()

    def evaluate(self, at: Points) -> Bounded:
        value = at.raw.astype(np.float64)
        return value, np.abs(value) * UNIT_ROUNDOFF * (np.abs(value) > 2.0**53)

    def rational(self, source: int | Fraction, row: int) -> Fraction:
        return Fraction(source)

    def between(
        self, ends: Sequence[tuple[Fraction, Fraction]], row: int
    ) -> tuple[Fraction, Fraction]:
        raise AssertionError("the source is rational")

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return self


@dataclass(frozen=True, eq=False)
class Linear(Unary):
    """``scale * x + offset``."""

    scale: Rationals
    offset: Rationals

    def constants(self) -> list[Rationals]:
        return [self.scale, self.offset]

    def evaluate(self, at: Points) -> Bounded:
        x, error = self.x.evaluate(at)
        scale, offset = at.constant(self.scale), at.constant(self.offset)
        product = scale * x
        spread = np.abs(scale) * error + 4 * UNIT_ROUNDOFF * (np.abs(product) + np.abs(offset))
        return product + offset, spread

    def apply(self, x: Fraction, row: int) -> Fraction:
        return constant_at(self.scale, row) * x + constant_at(self.offset, row)

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Linear(self.x.map(change), change(self.scale), change(self.offset))


@dataclass(frozen=True, eq=False)
class Function(Unary):
    """One of ``FUNCTIONS``."""

    name: str
    parameters: Parameters

    def evaluate(self, at: Points) -> Bounded:
        x, error = self.x.evaluate(at)
        function = FUNCTIONS[self.name]
        with np.errstate(all="ignore"):
            value = np.asarray(function.value(x, self.parameters), np.float64)
            spread = np.where(error > 0, function.slope(x, self.parameters) * error, 0.0)
        if not np.isfinite(value).all():
            worst = float(x[~np.isfinite(value)][0])
            raise UndefinedError(f"{self.name} has no finite value at {worst:g}")
        return value, spread + FUNCTION_ERROR * np.maximum(1.0, np.abs(value))

    def apply(self, x: Fraction, row: int) -> Fraction | None:
        return FUNCTIONS[self.name].rational(x, self.parameters)

    def between(
        self, ends: Sequence[tuple[Fraction, Fraction]], row: int
    ) -> tuple[Fraction, Fraction]:
        known = [value for value in (self.apply(end, row) for end in ends[0]) if value is not None]
        if len(known) == len(ends[0]):
            return min(known), max(known)
        precise = FUNCTIONS[self.name].precise
        return around([precise(binary(end), self.parameters) for end in ends[0]])

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return replace(self, x=self.x.map(change))


@dataclass(frozen=True, eq=False)
class Slopes(Unary):
    """``x`` above 0 and ``slope * x`` below, the slope one for each row (PRelu)."""

    slope: Rationals

    def constants(self) -> list[Rationals]:
        return [self.slope]

    def evaluate(self, at: Points) -> Bounded:
        x, error = self.x.evaluate(at)
        slope = at.constant(self.slope)
        spread = np.maximum(1.0, np.abs(slope)) * error + 4 * UNIT_ROUNDOFF * np.abs(slope * x)
        return np.where(x > 0, x, slope * x), spread

    def apply(self, x: Fraction, row: int) -> Fraction:
        return x if x > 0 else constant_at(self.slope, row) * x

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Slopes(self.x.map(change), change(self.slope))


@dataclass(frozen=True, eq=False)
class Clamp(Unary):
    """The nearest number within ``lo .. hi``; None for no bound."""

    lo: Rationals | None
    hi: Rationals | None

    def constants(self) -> list[Rationals]:
        return [c for c in (self.lo, self.hi) if c is not None]

    def evaluate(self, at: Points) -> Bounded:
        x, error = self.x.evaluate(at)
        for bound, beyond in ((self.lo, np.less), (self.hi, np.greater)):
            if bound is None:
                continue
            limit = at.constant(bound)
            off = at.conversion_error(bound)
            surely = beyond(x, limit) & (np.abs(x - limit) > error + off)
            outside = beyond(x, limit)
            error = np.where(surely, off, np.maximum(error, off))
            x = np.where(outside, limit, x)
        return x, error

    def apply(self, x: Fraction, row: int) -> Fraction:
        x = x if self.lo is None else max(x, constant_at(self.lo, row))
        return x if self.hi is None else min(x, constant_at(self.hi, row))

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        lo, hi = (None if c is None else change(c) for c in (self.lo, self.hi))
        return Clamp(self.x.map(change), lo, hi)


@dataclass(frozen=True, eq=False)
class Rounded(Unary):
    """A whole number: ``mode`` is one of QONNX's rounding modes, or ``"SIGN"`` for -1 and +1."""

    mode: str

    def evaluate(self, at: Points) -> Bounded:
        x, error = self.x.evaluate(at)
        if self.mode == "SIGN":
            distance, value = np.abs(x), np.where(x >= 0, 1.0, -1.0)
        else:
            nearest = self.mode in ("ROUND", "HALF_UP", "HALF_DOWN")
            distance = np.abs(x - np.floor(x) - 0.5) if nearest else np.abs(x - np.rint(x))
            value = ROUNDING[self.mode](x)
        unsure = np.flatnonzero((distance <= error) & (error > 0))
        if len(unsure):
            value = value.copy()
            value[unsure] = decide(self.x, self.mode, at.at(unsure))
        return value, np.zeros(value.shape)

    def rational(self, source: int | Fraction, row: int) -> Fraction:
        return Fraction(whole(self.x, self.mode, source, row))

    def apply(self, x: Fraction, row: int) -> Fraction:
        return Fraction(round_fraction(x, self.mode))

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return replace(self, x=self.x.map(change))


@dataclass(frozen=True, eq=False)
class Total(Binary):
    """``a + b``, both of the same integer."""

    def evaluate(self, at: Points) -> Bounded:
        (a, a_error), (b, b_error) = self.a.evaluate(at), self.b.evaluate(at)
        return a + b, a_error + b_error + 2 * UNIT_ROUNDOFF * np.abs(a + b)

    def rational(self, source: int | Fraction, row: int) -> Fraction | None:
        a, b = self.a.rational(source, row), self.b.rational(source, row)
        return None if a is None or b is None else a + b

    def between(
        self, ends: Sequence[tuple[Fraction, Fraction]], row: int
    ) -> tuple[Fraction, Fraction]:
        (a_low, a_high), (b_low, b_high) = ends
        return a_low + b_low, a_high + b_high

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Total(self.a.map(change), self.b.map(change))


@dataclass(frozen=True, eq=False)
class Product(Binary):
    """``a * b``, both of the same integer: what ``x * sigmoid(x)`` is exported as."""

    def evaluate(self, at: Points) -> Bounded:
        (a, a_error), (b, b_error) = self.a.evaluate(at), self.b.evaluate(at)
        error = np.abs(a) * b_error + np.abs(b) * a_error + a_error * b_error
        return a * b, error + 2 * UNIT_ROUNDOFF * np.abs(a * b)

    def rational(self, source: int | Fraction, row: int) -> Fraction | None:
        a, b = self.a.rational(source, row), self.b.rational(source, row)
        if a == 0 or b == 0:
            return Fraction(0)
        return None if a is None or b is None else a * b

    def between(
        self, ends: Sequence[tuple[Fraction, Fraction]], row: int
    ) -> tuple[Fraction, Fraction]:
        products = [a * b for a in ends[0] for b in ends[1]]
        return min(products), max(products)

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Product(self.a.map(change), self.b.map(change))


def with_source(tree: Expression, source: Expression) -> Expression:
    """Return the tree as a function of what ``source`` gives."""
    return substituted(tree, lambda part: source if isinstance(part, Source) else None)
