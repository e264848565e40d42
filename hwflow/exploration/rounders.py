"""Requantisations and casts in floating point: ``clip(round(x * factor + offset))``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization.floating_lines import Line, line_of
from hwflow.ops.requantization.problem import rows_of
from hwflow.ops.requantize import Requantize

Mantissas = npt.NDArray[Any]

EXACT_FLOAT32, EXACT_FLOAT64 = 2**24, 2**53
"""Whole numbers up to these are exact (IEEE 754, 24 and 53 bits of significand)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rounder:
    """``clip(round(x * factor + offset), least, most)``, proven for all that can occur.

    Attributes:
        factor: one, or along the channels or all elements of a sample; the samples are last.
        offset: shaped like the factor.
        least: least result, shaped like the factor.
        most: greatest result, shaped like the factor.
        rounding: ``np.floor`` or ``np.rint``.
        divides: whether it divides by the factor.
    """

    factor: Mantissas
    offset: Mantissas
    least: Mantissas
    most: Mantissas
    rounding: Callable[..., Any]
    divides: bool = False

    def __call__(self, x: Mantissas) -> Mantissas:
        """Return rounded values."""
        x = x.astype(self.factor.dtype, copy=False)
        total: Mantissas = x / self.factor if self.divides else x * self.factor
        total += self.offset
        self.rounding(total, out=total)
        np.clip(total, self.least, self.most, out=total)
        return total

    @property
    def constants(self) -> tuple[Mantissas, ...]:
        """Factor, offset, and both ends."""
        return self.factor, self.offset, self.least, self.most

    @property
    def rises(self) -> bool:
        """Whether more gives more, or the same."""
        return bool((self.factor > 0).all())

    @property
    def by_channel(self) -> bool:
        """Whether it is the same at all positions."""
        return all(v.ndim == 0 or v.size == len(v) for v in self.constants)

    def changed(self, change: Callable[[Mantissas], Mantissas]) -> Rounder:
        """Return one with changed constants."""
        factor, offset, least, most = map(change, self.constants)
        return replace(self, factor=factor, offset=offset, least=least, most=most)


def requantizer_of(op: Requantize, inputs: Sequence[TensorType]) -> Callable[..., Mantissas] | None:
    """Return a requantisation, or None where no line is proven for it."""
    x = inputs[0]
    problem = op.problem(*inputs)
    line = line_of(problem)
    if line is None:
        return None
    rows = problem.rows
    rounder = _rounder(line, x.shape, rows)
    if op.weights is None and len(inputs) == 1:
        return rounder
    return _summed(rounder, op.at(*inputs), inputs)


def _summed(
    rounder: Rounder, op: Requantize, inputs: Sequence[TensorType]
) -> Callable[..., Mantissas] | None:
    """Return a requantisation of a weighted sum."""
    shape, rows = inputs[0].shape, op.function.rows
    if op.weights is None or any(t.shape != shape for t in inputs):
        return None
    most = sum(
        float(np.abs(w).max()) * max(map(abs, t.bounds))
        for w, t in zip(op.weights, inputs, strict=True)
    )
    if most > EXACT_FLOAT64:
        return None
    to: type[np.floating[Any]] = np.float32 if most <= EXACT_FLOAT32 else np.float64
    spread = [np.broadcast_to(w, (rows,)) for w in op.weights]
    weights: list[Mantissas] = [along(w, shape, rows).astype(to) for w in spread]

    def run(*operands: Mantissas) -> Mantissas:
        total: Mantissas = operands[0].astype(to, copy=False) * weights[0]
        for x, weight in zip(operands[1:], weights[1:], strict=True):
            total += x.astype(to, copy=False) * weight
        return rounder(total)

    return run


def along(values: npt.NDArray[Any], shape: tuple[int, ...], rows: int) -> npt.NDArray[Any]:
    """Return values of rows where these lie in an array with channels first, samples last.

    Args:
        values: one for each row, or a single one.
        shape: shape of a sample, channels last.
        rows: 1, as many as channels, or as elements.
    """
    if values.size == 1:
        return values.reshape(())
    if rows == shape[-1]:
        return values.reshape(rows, *(1,) * len(shape))
    whole = np.moveaxis(values.reshape(shape), -1, 0)
    return np.ascontiguousarray(whole)[..., None]


def _rounder(line: Line, shape: tuple[int, ...], rows: int) -> Rounder:
    """Return a proven line with its constants where its rows lie."""
    if rows not in (1, shape[-1]):
        rows_of(rows, TensorType.full(shape, FixedType(2, 2)))
    to = line.carrier.dtype
    factor, offset, least, most = (
        along(np.atleast_1d(v), shape, rows).astype(to)
        for v in (line.factor, line.offset, line.least, line.most)
    )
    rounding = np.rint if line.divides else np.floor
    return Rounder(
        factor=factor, offset=offset, least=least, most=most, rounding=rounding,
        divides=line.divides,
    )  # fmt: skip


def cast_of(exact: TensorType, to: FixedType) -> Rounder | None:
    """Return the cast of exact results to a type, or None where floating point does not do it."""
    shift = exact.dtype.fractional - to.fractional
    rounding = {Rounding.TRN: np.floor, Rounding.RND_CONV: np.rint}.get(to.rounding)
    factor = 2.0**-shift
    lo, hi = exact.bounds
    fits = lo * factor >= to.raw_min and hi * factor <= to.raw_max - 1
    if rounding is None or (to.overflow is not Overflow.SAT and not fits):
        return None
    largest = max(-lo, hi) * max(factor, 1.0)
    if largest > EXACT_FLOAT64:
        return None
    narrow = max(largest, -to.raw_min, to.raw_max) <= EXACT_FLOAT32 and abs(shift) < 64
    kind = np.float32 if narrow else np.float64
    first, zero, least, most = (np.asarray(v, kind) for v in (factor, 0, to.raw_min, to.raw_max))
    return Rounder(factor=first, offset=zero, least=least, most=most, rounding=rounding)
