"""Real tensors held exactly: integers on a rational grid, and elementwise functions of those.

Every array has the samples along its first axis and then the shape that the model gives the value
(its own batch axis of 1 included), so that a sample is computed as if it were alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hwflow.ir.grid import Rationals, rationals

F64 = npt.NDArray[np.float64]
Raw = npt.NDArray[Any]
Shape = tuple[int, ...]
Bounds = tuple[F64, F64]
"""Float64 numbers that a real number is not below and not above."""
Enclosure = tuple[Fraction, Fraction]

LIMIT = 2**62
"""Integers of a magnitude below this are held in int64."""


class NoExactReferenceError(Exception):
    """The model holds something that has no exact evaluation here; says what and where."""


@dataclass(frozen=True, eq=False)
class Function:
    """A function of real numbers, elementwise.

    Attributes:
        name: the name in messages.
        bounds: encloses the results of operands that are known within float64 bounds.
        enclose: the same in rationals; with more bits, what is irrational gets narrower.
        rising: whether there is one operand, and the value is never smaller where it is larger.
    """

    name: str
    bounds: Callable[..., Bounds]
    enclose: Callable[..., Enclosure]
    rising: bool = False


@dataclass(frozen=True, eq=False)
class Leaf:
    r"""``raw * scale + offset``, exactly.

    Attributes:
        raw: int64, Python integers, or float64; (samples, \*shape), or one sample for all.
        scale: scales, of the rank of ``shape`` and broadcastable to it.
        offset: offsets, of such a shape, too.
    """

    raw: Raw
    scale: Rationals
    offset: Rationals

    @property
    def shape(self) -> Shape:
        """Shape of one sample."""
        places = np.broadcast_shapes(self.scale.shape, self.offset.shape)
        return np.broadcast_shapes(self.raw.shape[1:], places)

    @property
    def constant(self) -> bool:
        """Whether every sample has the same values, all of them in ``offset``."""
        return self.raw.size == 1 and self.raw.dtype == np.int64 and not self.raw.any()


@dataclass(frozen=True, eq=False)
class OnGrid:
    r"""``raw * scale + offset``, exactly, in the shape of a graph's value without its batch axis.

    Attributes:
        raw: int64, (samples, \*shape).
        scale: one number, or numbers of the shape ``shape``.
        offset: one number, or numbers of the shape ``shape``.
    """

    raw: Raw
    scale: Rationals
    offset: Rationals

    def samples(self, start: int, stop: int) -> OnGrid:
        """Return some of the samples."""
        return OnGrid(self.raw[start:stop], self.scale, self.offset)

    def shaped(self, shape: Shape) -> Leaf:
        """Return the values of samples of another shape with as many elements."""
        parts = [
            part.reshape(shape if part.size > 1 else (1,) * len(shape))
            for part in (self.scale, self.offset)
        ]
        return Leaf(self.raw.reshape(len(self.raw), *shape), *parts)


@dataclass(frozen=True, eq=False)
class Apply:
    """A function of other tensors, not evaluated yet."""

    function: Function
    operands: tuple[Tensor, ...]

    @property
    def shape(self) -> Shape:
        """Shape of one sample."""
        return np.broadcast_shapes(*(o.shape for o in self.operands))


Tensor: TypeAlias = Leaf | Apply


def rational_array(values: Any) -> Rationals:
    """Return rationals as an array even where numpy gives a bare number."""
    return np.asarray(values, dtype=object)


def constant(values: Rationals) -> Leaf:
    """Return a tensor that is the same for every sample."""
    zero = np.zeros((1,) * (values.ndim + 1), np.int64)
    return Leaf(zero, rationals(np.ones((1,) * values.ndim)), values)


def leaf(raw: Raw, scale: Rationals | Fraction | int = 1, offset: Rationals | int = 0) -> Leaf:
    """Return integers with scale and offset, either of which may be one number."""
    rank = raw.ndim - 1
    parts = []
    for part in (scale, offset):
        array = rational_array(part if isinstance(part, np.ndarray) else Fraction(part))
        parts.append(array.reshape((1,) * (rank - array.ndim) + array.shape))
    return Leaf(compact(raw), *parts)


def real_input(values: F64) -> Leaf:
    """Return float64 numbers as they are; on a grid of integers where one is fine enough."""
    nonzero = values[values != 0]
    if nonzero.size:
        mantissa, exponent = np.frexp(nonzero)
        whole = np.ldexp(mantissa, 53).astype(np.int64)
        trailing = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
        shift = int((53 - exponent - trailing).max())
        if int(exponent.max()) + shift >= 62:
            return leaf(values)
        return leaf(np.ldexp(values, shift).astype(np.int64), Fraction(2) ** -shift)
    return leaf(np.zeros(values.shape, np.int64))


def largest(raw: Raw) -> int:
    """Return the largest magnitude among integers."""
    return max(-int(raw.min()), int(raw.max())) if raw.size else 0


def compact(raw: Raw) -> Raw:
    """Return integers as int64 where they fit."""
    if raw.dtype == object and largest(raw) < LIMIT:
        return raw.astype(np.int64)
    return raw


def times(raw: Raw, factor: Raw) -> Raw:
    """Return the exact product of integers."""
    if raw.dtype == factor.dtype == np.int64 and largest(raw) * largest(factor) < LIMIT:
        return raw * factor
    return compact(np.asarray(raw.astype(object) * factor.astype(object), object))


def plus(a: Raw, b: Raw) -> Raw:
    """Return the exact sum of integers."""
    if a.dtype == b.dtype == np.int64 and largest(a) + largest(b) < LIMIT:
        return a + b
    return compact(np.asarray(a.astype(object) + b.astype(object), object))


def common_step(values: Rationals) -> Fraction:
    """Return the largest rational of which all values are whole multiples; 1 for zeros alone."""
    found = [v for v in values.ravel() if v]
    top = math.gcd(*(v.numerator for v in found))
    return Fraction(top, math.lcm(*(v.denominator for v in found))) if found else Fraction(1)


def multiples(values: Rationals, step: Fraction) -> Raw:
    """Return ``values / step``, which must be whole numbers."""
    whole = np.empty(values.shape, object)
    whole.ravel()[:] = [int(v / step) for v in values.ravel()]
    return compact(whole)


def aligned(array: Any, rank: int, *, lead: int = 0) -> Any:
    """Return an array with axes of 1 put after its first ``lead`` ones, as broadcasting does."""
    missing = rank + lead - array.ndim
    return array.reshape(array.shape[:lead] + (1,) * missing + array.shape[lead:])


def floats(values: Rationals) -> F64:
    """Return each rational rounded to float64."""
    out = np.empty(values.shape, np.float64)
    out.ravel()[:] = [nearest(v) for v in values.ravel()]
    return out


def nearest(value: Fraction) -> float:
    """Return the float64 nearest to a rational."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
