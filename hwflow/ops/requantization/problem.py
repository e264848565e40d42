"""What a requantisation must compute: one step function a row, on the inputs that can occur."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hwflow.fixed import MAX_TYPE_WIDTH, RawArray
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType

Weights = tuple[RawArray, ...] | None
Ends = tuple[tuple[RawArray, RawArray], ...]


def rows_of(rows: int, x: TensorType) -> tuple[RawArray, RawArray]:
    """Return the row and the channel of each place of a tensor where the two can differ.

    Args:
        rows: 1, the number of channels, or that of elements.
        x: the tensor.

    Returns:
        Two arrays of shape ``(channels,)``, or ``(elements,)`` where each element has its row.

    Raises:
        ValueError: the number of rows is none of the three.
    """
    if rows in (1, x.channels):
        channel = np.arange(x.channels)
        return np.zeros_like(channel) if rows == 1 else channel, channel
    if rows != x.size:
        raise ValueError(f"{rows} functions do not suit a value of shape {x.shape}")
    return np.arange(rows), np.arange(rows) % x.channels


def weighted(
    weights: Weights, row: RawArray, ends: Sequence[tuple[RawArray, RawArray]]
) -> tuple[RawArray, RawArray]:
    """Return the least and greatest weighted sum of values between ``ends``.

    Args:
        weights: one array for each operand, of shape ``(rows,)`` or ``()``; None for one operand.
        row: the row of each place.
        ends: least and greatest value of each operand at each place.

    Raises:
        OverflowError: a sum could pass 62 bits.
    """
    if weights is None:
        ((lo, hi),) = ends
        return lo, hi
    lo, hi = np.zeros(row.shape, object), np.zeros(row.shape, object)
    for weight, (low, high) in zip(weights, ends, strict=True):
        factor = np.broadcast_to(weight, (int(row.max()) + 1,))[row].astype(object)
        products = np.stack([factor * low, factor * high])
        lo, hi = lo + products.min(axis=0), hi + products.max(axis=0)
    if max(int(hi.max()), -int(lo.min())).bit_length() >= MAX_TYPE_WIDTH:
        raise OverflowError(f"a weighted sum could pass {MAX_TYPE_WIDTH} bits")
    return lo.astype(np.int64), hi.astype(np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """The runs of all rows one behind the other, cut to the inputs that can occur.

    The function is one of ``n``: the only operand, or the weighted sum of all of them.

    Attributes:
        row: the row of each run, ascending, shape ``(runs,)``.
        first: first ``n`` of each run.
        last: last ``n`` of each run.
        level: the result on each run.
        weights: the operands' weights, each of shape ``(rows,)``; None for one operand.
        ends: least and greatest value of each operand, each of shape ``(rows,)``.
    """

    row: RawArray
    first: RawArray
    last: RawArray
    level: RawArray
    weights: Weights
    ends: Ends

    @property
    def rows(self) -> int:
        """Number of functions."""
        return int(self.row[-1]) + 1

    @cached_property
    def begin(self) -> RawArray:
        """Index of each row's first run."""
        return np.searchsorted(self.row, np.arange(self.rows)).astype(np.int64)

    @property
    def lo(self) -> RawArray:
        """Least ``n`` of each row."""
        return np.asarray(self.first[self.begin])

    @property
    def hi(self) -> RawArray:
        """Greatest ``n`` of each row."""
        return np.asarray(self.last[np.append(self.begin[1:], len(self.row)) - 1])

    @property
    def range(self) -> tuple[int, int]:
        """Least and greatest ``n`` of all rows."""
        return int(self.first.min()), int(self.last.max())

    @property
    def levels(self) -> tuple[int, int]:
        """Least and greatest result of all rows."""
        return int(self.level.min()), int(self.level.max())

    @property
    def function(self) -> StepFunction:
        """The function on the inputs that can occur."""
        cuts = self.begin[1:]
        return StepFunction(
            tuple(np.split(self.first, cuts)), tuple(np.split(self.level, cuts)), self.hi
        )

    @property
    def unit(self) -> RawArray:
        """What ``n`` is a multiple of, for each row: the common divisor of the weights."""
        if self.weights is None:
            return np.ones(self.rows, np.int64)
        return np.asarray(np.maximum(np.gcd.reduce(np.stack(self.weights), axis=0), 1))

    @property
    def parts(self) -> dict[str, Any]:
        """What every plan for the problem is made of."""
        return {
            "rows": self.rows, "weights": self.weights, "ends": self.ends,
            "lo": self.lo, "hi": self.hi,
        }  # fmt: skip

    @cached_property
    def key(self) -> str:
        """A digest that equal problems share."""
        digest = hashlib.sha256()
        operands = [*(self.weights or ()), *(end for pair in self.ends for end in pair)]
        for array in (self.row, self.first, self.last, self.level, *operands):
            digest.update(np.asarray(array, np.int64).tobytes() + b"|")
        return digest.hexdigest()

    @classmethod
    def of(cls, function: StepFunction, weights: Weights, inputs: Sequence[TensorType]) -> Problem:
        """Return the problem of computing a function for operands in their proven ranges.

        Raises:
            ValueError: the sum can leave the range that the function is defined on.
            OverflowError: the sum could pass 62 bits.
        """
        rows = function.rows
        ends = ends_by_row(rows, inputs)
        lo, hi = weighted(weights, np.arange(rows), ends)
        if (lo < function.lo).any() or (hi > function.hi).any():
            worst = int(np.argmax(np.maximum(function.lo - lo, hi - function.hi)))
            raise ValueError(
                f"inputs {lo[worst]}..{hi[worst]} of function {worst} pass its range "
                f"{function.lo[worst]}..{function.hi[worst]}"
            )
        spread = None if weights is None else tuple(np.broadcast_to(w, (rows,)) for w in weights)
        row, first, last, level = _cut(function, lo, hi)
        return cls(row=row, first=first, last=last, level=level, weights=spread, ends=ends)


def ends_by_row(rows: int, inputs: Sequence[TensorType]) -> Ends:
    """Return the least and greatest value of each operand over all places of each row."""
    _, channel = rows_of(rows, inputs[0])
    if rows == 1:
        return tuple((t.lo.min(keepdims=True), t.hi.max(keepdims=True)) for t in inputs)
    return tuple((t.lo[channel], t.hi[channel]) for t in inputs)


def _cut(
    function: StepFunction, lo: RawArray, hi: RawArray
) -> tuple[RawArray, RawArray, RawArray, RawArray]:
    """Return row, first, last and level of the runs that ``lo .. hi`` meets."""
    begin, end = [], []
    for starts, low, high in zip(function.starts, lo.tolist(), hi.tolist(), strict=True):
        a, b = starts.searchsorted((low, high), side="right").tolist()
        begin.append(a - 1)
        end.append(b)
    counts = np.subtract(end, begin)
    row = np.repeat(np.arange(len(counts)), counts)
    cuts = list(zip(begin, end, strict=True))
    first = np.concatenate([s[a:b] for s, (a, b) in zip(function.starts, cuts, strict=True)])
    level = np.concatenate([v[a:b] for v, (a, b) in zip(function.levels, cuts, strict=True)])
    ends = np.cumsum(counts)
    first[ends - counts] = lo
    last = np.append(first[1:] - 1, 0)
    last[ends - 1] = hi
    return row, first, last, level
