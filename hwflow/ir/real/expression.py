"""A real function of one integer, written as a tree; one for each row (channel or element).

Trees are evaluated in float64 with a bound on the error. Where a rounding or a sign lies within
that bound, the one point is decided exactly (``hwflow.ir.real.decision``). This module has what all
nodes share; ``hwflow.ir.real.nodes`` has the nodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.grid import Rationals

F64 = npt.NDArray[np.float64]
Bounded = tuple[F64, F64]
"""Values, and a bound on the magnitude of their errors."""

UNIT_ROUNDOFF = 2.0**-53
"""Relative error of one float64 operation (IEEE 754 binary64, to nearest)."""


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

    def conversion_error(self, values: Rationals) -> float:
        """Return how far float64 is off a constant at most."""
        real = self.constants[id(values)]
        held = all(Fraction(r) == v for r, v in zip(real.tolist(), values.ravel(), strict=True))
        return 0.0 if held else float(np.abs(real).max()) * UNIT_ROUNDOFF

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

    @abstractmethod
    def rational(self, source: int | Fraction, row: int) -> Fraction | None:
        """Return the value at one source, or None where it is not known to be rational."""

    def interval(self, source: int | Fraction, row: int) -> tuple[Fraction, Fraction]:
        """Return numbers around the value at one source, as close as mpmath's precision allows."""
        known = self.rational(source, row)
        if known is not None:
            return known, known
        return self.between([operand.interval(source, row) for operand in self.operands], row)

    @abstractmethod
    def between(
        self, ends: Sequence[tuple[Fraction, Fraction]], row: int
    ) -> tuple[Fraction, Fraction]:
        """Return numbers around the value where the operands lie between ``ends``."""

    def constants(self) -> list[Rationals]:
        """Return the rational constants of this node."""
        return []

    @abstractmethod
    def map(self, change: Callable[[Rationals], Rationals]) -> Expression:
        """Return the tree with every constant changed."""


@dataclass(frozen=True, eq=False)
class Unary(Expression):
    """A node with one tree below.

    Attributes:
        x: the tree below.
    """

    x: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return (self.x,)

    @abstractmethod
    def apply(self, x: Fraction, row: int) -> Fraction | None:
        """Return the value where ``x`` has one, or None where that is not rational."""

    def rational(self, source: int | Fraction, row: int) -> Fraction | None:
        x = self.x.rational(source, row)
        return None if x is None else self.apply(x, row)

    def between(
        self, ends: Sequence[tuple[Fraction, Fraction]], row: int
    ) -> tuple[Fraction, Fraction]:
        results = [self.apply(end, row) for end in ends[0]]
        values = [value for value in results if value is not None]
        assert len(values) == len(results), "only functions have irrational values"
        return min(values), max(values)


@dataclass(frozen=True, eq=False)
class Binary(Expression):
    """A node with two trees below, both of the same integer.

    Attributes:
        a: the first tree below.
        b: the second.
    """

    a: Expression
    b: Expression

    @property
    def operands(self) -> tuple[Expression, ...]:
        return self.a, self.b


def constant_at(constant: Rationals, row: int) -> Fraction:
    """Return a constant, of shape ``(1,)`` or one for each row, in one row."""
    value: Fraction = constant.ravel()[row if constant.size > 1 else 0]
    return value


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
    if new is not None:
        return new
    if isinstance(tree, Unary):
        return replace(tree, x=substituted(tree.x, change))
    if isinstance(tree, Binary):
        return replace(tree, a=substituted(tree.a, change), b=substituted(tree.b, change))
    return tree


def contents(tree: Expression) -> Hashable:
    """Return what trees that compute the same in the same way have in common."""
    found: list[Hashable] = [type(tree)]
    for field in fields(tree):  # type: ignore[arg-type]
        value = getattr(tree, field.name)
        if isinstance(value, Expression):
            found.append(contents(value))
        elif isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
            found.append(tuple((v.shape, tuple(map(Fraction, v.ravel()))) for v in value))
        elif isinstance(value, np.ndarray):
            exact = value.dtype == object
            held = tuple(v.as_integer_ratio() for v in value.ravel()) if exact else value.tobytes()
            found.append((value.shape, value.dtype.str, held))
        elif isinstance(value, Mapping):
            found.append(tuple(sorted(value.items())))
        else:
            found.append(value)
    return tuple(found)
