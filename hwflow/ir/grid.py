"""Where the integers of a value lie on the real line: ``real = scale * value + offset``, exactly.

Scales are rational numbers, since products and quotients of float32 scales are; nothing is rounded
until a real number is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, FixedType

F64 = npt.NDArray[np.float64]
Rationals = npt.NDArray[np.object_]
"""Arrays of ``fractions.Fraction``."""


def rationals(values: npt.ArrayLike) -> Rationals:
    """Return finite real numbers as exact rationals, in the same shape; one number as ``(1,)``.

    numpy would turn an object array without axes into a bare object at its first operation.
    """
    array = np.atleast_1d(np.asarray(values))
    exact = np.empty(array.shape, object)
    exact.ravel()[:] = [Fraction(v) for v in array.ravel().tolist()]
    return exact


def is_power_of_two(x: Fraction) -> bool:
    """Return whether a number is a positive power of two."""
    return x.numerator.bit_count() == 1 == x.denominator.bit_count() and x > 0


ONE: Rationals = rationals(1)
ZERO: Rationals = rationals(0)


@dataclass(frozen=True, eq=False)
class Grid:
    """What a hardware value means: ``real = scale * value + offset``.

    Attributes:
        scale: not zero; shape ``(1,)``, ``(channels,)`` (the hardware value's last axis) or that
            of the hardware value without the batch axis.
        offset: any number; its shape is one of the same three.
    """

    scale: Rationals
    offset: Rationals

    @property
    def plain(self) -> bool:
        """Whether the hardware's value is the real number itself."""
        return bool(np.all(self.scale == 1) and np.all(self.offset == 0))

    def step(self, dtype: FixedType) -> float:
        """Return the smallest distance between two real numbers of a channel."""
        return float(min(abs(self.scale.ravel()))) * dtype.step

    def real(self, values: FixedArray) -> F64:
        """Return the real numbers that hardware values stand for, each rounded once to float64.

        Args:
            values: batch first, channels last.
        """
        if self.plain:
            return values.values
        step = Fraction(2) ** -values.dtype.fractional
        shape = values.shape[1:]
        places = np.broadcast_to(_places(self.scale, self.offset), shape)
        scale = np.broadcast_to(self.scale, shape).ravel() * step
        offset = np.broadcast_to(self.offset, shape).ravel()
        first = {int(p): i for i, p in reversed(list(enumerate(places.ravel())))}
        pairs = np.stack([np.broadcast_to(places, values.shape).ravel(), values.raw.ravel()])
        unique, inverse = np.unique(pairs, axis=1, return_inverse=True)
        lines = {p: _whole_line(scale[i], offset[i]) for p, i in first.items()}
        exact = []
        for p, raw in unique.T.tolist():
            factor, constant, divisor = lines[p]
            exact.append((factor * raw + constant) / divisor)  # whole numbers: rounded once
        return np.array(exact, np.float64)[inverse.ravel()].reshape(values.shape)


def _whole_line(scale: Fraction, offset: Fraction) -> tuple[int, int, int]:
    """Return whole numbers a, b and c with ``scale * x + offset == (a * x + b) / c``."""
    common = lcm(scale.denominator, offset.denominator)
    return int(scale * common), int(offset * common), common


def _places(*arrays: Rationals) -> npt.NDArray[np.int64]:
    """Return a number for each element or channel, the same where all arrays are the same."""
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    keys: dict[tuple[Any, ...], int] = {}
    spread = [np.broadcast_to(a, shape).ravel() for a in arrays]
    numbers = [keys.setdefault(key, len(keys)) for key in zip(*spread, strict=True)]
    return np.array(numbers, np.int64).reshape(shape)


UNIT = Grid(ONE, ZERO)
"""The grid of values that are themselves real numbers."""
