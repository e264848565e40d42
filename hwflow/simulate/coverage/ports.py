"""What ports do to real data: which numbers lie beyond what a port can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedType, Overflow
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.graph import Graph, Port
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.real.decision import round_fraction
from hwflow.ops.input import Input

F64 = npt.NDArray[np.float64]

WIDE = 60
"""Width of a type that holds what real numbers round to next to any port's ends."""


@dataclass(frozen=True, eq=False)
class PortLimits:
    """The real numbers that a port takes without clipping or wrapping them.

    Attributes:
        name: name of the input in the original model.
        least: the least double that is kept, of a shape that broadcasts to the data in the original
            order of axes.
        greatest: the greatest one, in the same form.
        wraps: whether others wrap around and are not clipped.
        range: least and greatest real number that a value of the port stands for.
    """

    name: str
    least: F64
    greatest: F64
    wraps: bool
    range: tuple[float, float]

    @cached_property
    def _inner(self) -> tuple[float, float]:
        return float(self.least.max()), float(self.greatest.min())

    def count(self, real: npt.NDArray[Any]) -> PortCounts:
        """Return how many numbers are beyond the port's ends.

        Args:
            real: finite numbers, batch first, in the original order of axes.
        """
        ends = (float(real.min()), float(real.max())) if real.size else (np.inf, -np.inf)
        below = above = 0
        if ends[0] < self._inner[0]:
            below = int((real < self.least).sum())
        if ends[1] > self._inner[1]:
            above = int((real > self.greatest).sum())
        return PortCounts(int(real.size), below, above, ends)


@dataclass(frozen=True)
class PortCounts:
    """What data is beyond the ends of a port.

    Attributes:
        elements: numbers that entered.
        low: how many of them are below the least that the port takes.
        high: how many are above the greatest.
        observed: least and greatest number that entered.
    """

    elements: int = 0
    low: int = 0
    high: int = 0
    observed: tuple[float, float] = (np.inf, -np.inf)

    @property
    def outside(self) -> int:
        """Numbers that the port changes by more than rounding."""
        return self.low + self.high

    def __add__(self, other: PortCounts) -> PortCounts:
        """Add the counts of another batch."""
        ends = [*self.observed, *other.observed]
        return PortCounts(
            self.elements + other.elements,
            self.low + other.low,
            self.high + other.high,
            (min(ends[::2]), max(ends[1::2])),
        )


@lru_cache(maxsize=8)
def port_limits(graph: Graph) -> dict[str, PortLimits]:
    """Return what each input port takes, by the name of its node."""
    return {port.value: _limits(graph, port) for port in graph.inputs}


def _limits(graph: Graph, port: Port) -> PortLimits:
    op = graph.by_name[port.value].op
    assert isinstance(op, Input)
    if op.quantizer is None:
        least, greatest = (np.array([v]) for v in _kept_by_type(op.dtype))
        ends = (op.dtype.raw_min * op.dtype.step, op.dtype.raw_max * op.dtype.step)
        return PortLimits(port.name, least, greatest, op.dtype.overflow is Overflow.WRAP, ends)
    found = op.quantizer
    scale, zero = np.broadcast_arrays(found.scale, found.zero_point)
    ends = (
        float(((found.raw_min - zero) * scale).min()),
        float(((found.raw_max - zero) * scale).max()),
    )
    if found.bipolar:
        return PortLimits(port.name, np.array([-np.inf]), np.array([np.inf]), False, ends)
    pairs = zip(scale.ravel().tolist(), zero.ravel().tolist(), strict=True)
    kept = {pair: _kept_by_quantizer(found, *pair) for pair in set(pairs)}
    keys = zip(scale.ravel().tolist(), zero.ravel().tolist(), strict=True)
    both = np.array([kept[key] for key in keys]).reshape(*scale.shape, 2)
    return PortLimits(port.name, both[..., 0], both[..., 1], False, ends)


@lru_cache(maxsize=256)
def _kept_by_type(to: FixedType) -> tuple[float, float]:
    """Return the least and greatest double that rounds to a mantissa of the type."""
    wide = replace(to, width=WIDE, integer=WIDE - to.fractional, signed=True)

    def rounded(x: float) -> int:
        return int(quantize_values(np.array([x]), wide)[0])

    return _ends(rounded, (to.raw_min, to.raw_max), Fraction(2) ** -to.fractional, Fraction(0))


def _kept_by_quantizer(found: Quantizer, scale: float, zero: float) -> tuple[float, float]:
    """Return the least and greatest double that a quantiser rounds to a level of its own."""

    def rounded(x: float) -> int:
        return round_fraction(Fraction(x) / Fraction(scale) + int(zero), found.rounding)

    limits = (found.raw_min, found.raw_max)
    return _ends(rounded, limits, Fraction(scale), Fraction(int(zero)))


def _ends(
    rounded: Callable[[float], int], limits: tuple[int, int], scale: Fraction, zero: Fraction
) -> tuple[float, float]:
    lo, hi = limits
    far = [Fraction(1), Fraction(1, 2), Fraction(0)]
    below = [float((lo - part - zero) * scale) for part in far]
    above = [float((hi + part - zero) * scale) for part in far]
    return (
        _first(lambda x: rounded(x) >= lo, below, np.inf),
        _first(lambda x: rounded(x) <= hi, above, -np.inf),
    )


def _first(kept: Callable[[float], bool], candidates: Sequence[float], inward: float) -> float:
    """Return the outermost double that is kept; a boundary lies at one of the candidates."""
    for outer in candidates:
        for x in (outer, float(np.nextafter(outer, inward))):
            if kept(x):
                return x
    raise AssertionError("a level of its own is kept")
