"""A real function of one integer, written as a tree; one for each row (channel or element).

Trees are evaluated in float64 with a bound on the error. Where a rounding or a sign lies within
that bound, the one point is decided exactly (``hwflow.ir.real.exact``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.grid import Rationals
from hwflow.ir.qonnx.quantizer import ROUNDING
from hwflow.ir.real.functions import FUNCTIONS, Parameters

F64 = npt.NDArray[np.float64]
Bounded = tuple[F64, F64]
"""Values, and a bound on the magnitude of their errors."""

UNIT_ROUNDOFF = 2.0**-53
"""Relative error of one float64 operation (IEEE 754 binary64, to nearest)."""

FUNCTION_ERROR = 16 * 2.0**-52
"""What ``RealFunction.value`` may be off, relative to ``max(1, |result|)``."""


class UndefinedError(ArithmeticError):
    """A function is not defined, or too large, somewhere in the range of its input."""


@dataclass(frozen=True, eq=False)
class Points:
    """Where trees are evaluated.

    Attributes:
        raw: the integers, shape ``(points,)``.
        row: the row that each belongs to.
        constants: float64 forms of the rational constants, one for each row, by identity.
    """

    raw: RawArray
    row: npt.NDArray[np.int64]
    constants: dict[int, F64]

    def constant(self, values: Rationals) -> F64:
        """Return a constant at every point."""
        if id(values) not in self.constants:
            real = np.array([float(v) for v in values.ravel()], np.float64)
            self.constants[id(values)] = real
        real = self.constants[id(values)]
        return real[self.row] if len(real) > 1 else np.broadcast_to(real[0], self.raw.shape)

    def inexact(self, values: Rationals) -> float:
        """Return how far float64 is off a constant at most."""
        real = self.constants[id(values)]
        exact = all(Fraction(r) == v for r, v in zip(real.tolist(), values.ravel(), strict=True))
        return 0.0 if exact else float(np.abs(real).max()) * UNIT_ROUNDOFF

    def at(self, chosen: npt.NDArray[Any]) -> Points:
        """Return some of the points."""
        return Points(self.raw[chosen], self.row[chosen], self.constants)


class Expression(ABC):
    """A node of the tree. Constants are rational, of shape ``(1,)`` or one for each row."""

    @property
    @abstractmethod
    def operands(self) -> tuple[Expression, ...]:
        """The trees below."""

    @abstractmethod
    def evaluate(self, at: Points) -> Bounded:
        """Return values and error bounds at points."""

    def constants(self) -> list[Rationals]:
        """Return the rational constants of this node."""
        return []

    @abstractmethod
    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        """Return the tree with every constant changed."""


@dataclass(frozen=True, eq=False)
class Source(Expression):
    """The integer itself."""

    @property
    def operands(self) -> tuple[Expression, ...]:
        return ()

    def evaluate(self, at: Points) -> Bounded:
        value = at.raw.astype(np.float64)
        return value, np.abs(value) * UNIT_ROUNDOFF * (np.abs(value) > 2.0**53)

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return self


@dataclass(frozen=True, eq=False)
class _OfOne(Expression):
    """A node with one tree below."""

    x: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return (self.x,)


@dataclass(frozen=True, eq=False)
class _OfTwo(Expression):
    """A node with two trees below, both of the same integer."""

    a: Expression
    b: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.a, self.b


@dataclass(frozen=True, eq=False)
class Linear(_OfOne):
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

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Linear(self.x.map(change), change(self.scale), change(self.offset))


@dataclass(frozen=True, eq=False)
class Function(_OfOne):
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

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return replace(self, x=self.x.map(change))


@dataclass(frozen=True, eq=False)
class Slopes(_OfOne):
    """``x`` above 0 and ``slope * x`` below, the slope one for each row (PRelu)."""

    slope: Rationals

    def constants(self) -> list[Rationals]:
        return [self.slope]

    def evaluate(self, at: Points) -> Bounded:
        x, error = self.x.evaluate(at)
        slope = at.constant(self.slope)
        spread = np.maximum(1.0, np.abs(slope)) * error + 4 * UNIT_ROUNDOFF * np.abs(slope * x)
        return np.where(x > 0, x, slope * x), spread

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Slopes(self.x.map(change), change(self.slope))


@dataclass(frozen=True, eq=False)
class Clamp(_OfOne):
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
            inexact = at.inexact(bound)
            surely = beyond(x, limit) & (np.abs(x - limit) > error + inexact)
            outside = beyond(x, limit)
            error = np.where(surely, inexact, np.maximum(error, inexact))
            x = np.where(outside, limit, x)
        return x, error

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        lo, hi = (None if c is None else change(c) for c in (self.lo, self.hi))
        return Clamp(self.x.map(change), lo, hi)


@dataclass(frozen=True, eq=False)
class Rounded(_OfOne):
    """A whole number: ``mode`` is one of QONNX's rounding modes, or ``"SIGN"`` for -1 and +1."""

    mode: str

    def evaluate(self, at: Points) -> Bounded:
        from hwflow.ir.real.exact import decide

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
            value[unsure] = decide(self, at.at(unsure))
        return value, np.zeros(value.shape)

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return replace(self, x=self.x.map(change))


@dataclass(frozen=True, eq=False)
class Total(_OfTwo):
    """``a + b``, both of the same integer."""

    def evaluate(self, at: Points) -> Bounded:
        (a, a_error), (b, b_error) = self.a.evaluate(at), self.b.evaluate(at)
        return a + b, a_error + b_error + 2 * UNIT_ROUNDOFF * np.abs(a + b)

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Total(self.a.map(change), self.b.map(change))


@dataclass(frozen=True, eq=False)
class Product(_OfTwo):
    """``a * b``, both of the same integer: what ``x * sigmoid(x)`` is exported as."""

    def evaluate(self, at: Points) -> Bounded:
        (a, a_error), (b, b_error) = self.a.evaluate(at), self.b.evaluate(at)
        error = np.abs(a) * b_error + np.abs(b) * a_error + a_error * b_error
        return a * b, error + 2 * UNIT_ROUNDOFF * np.abs(a * b)

    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        return Product(self.a.map(change), self.b.map(change))


def all_constants(tree: Expression) -> list[Rationals]:
    """Return the constants of every node of a tree."""
    below = [c for operand in tree.operands for c in all_constants(operand)]
    return [*tree.constants(), *below]


def substituted(tree: Expression, change: Callable[[Expression], Expression | None]) -> Expression:
    """Return a tree with some of its parts exchanged.

    Args:
        tree: the tree.
        change: returns what takes the place of a part, or None to look inside it.
    """
    new = change(tree)
    if new is not None or not tree.operands:
        return tree if new is None else new
    names = ("x",) if len(tree.operands) == 1 else ("a", "b")
    below = (substituted(operand, change) for operand in tree.operands)
    changed: Expression = replace(tree, **dict(zip(names, below, strict=True)))  # type: ignore[type-var]
    return changed


def with_source(tree: Expression, source: Expression) -> Expression:
    """Return the tree as a function of what ``source`` gives."""
    return substituted(tree, lambda part: source if isinstance(part, Source) else None)
