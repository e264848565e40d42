"""An exact function from integers to integers on a finite range, as runs of equal results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwflow.fixed import RawArray


@dataclass(frozen=True, eq=False)
class StepFunction:
    """One piecewise constant function for each row; rows are channels, elements or all of them.

    Attributes:
        starts: for each row, the first input of each run, strictly increasing, int64.
        levels: for each row, the result on each run; neighbours differ, int64.
        hi: last input of each row's last run, shape ``(rows,)``.
    """

    starts: tuple[RawArray, ...]
    levels: tuple[RawArray, ...]
    hi: RawArray

    @property
    def rows(self) -> int:
        """Number of functions: 1, the number of channels, or that of elements."""
        return len(self.starts)

    @property
    def runs(self) -> int:
        """Number of runs over all rows."""
        return sum(len(s) for s in self.starts)

    @property
    def lo(self) -> RawArray:
        """First input of each row, shape ``(rows,)``."""
        return np.array([s[0] for s in self.starts], np.int64)

    @property
    def bounds(self) -> tuple[RawArray, RawArray]:
        """Smallest and largest result of each row, each of shape ``(rows,)``."""
        lowest = np.array([levels.min() for levels in self.levels], np.int64)
        return lowest, np.array([levels.max() for levels in self.levels], np.int64)

    @property
    def monotone(self) -> bool:
        """Whether every row only rises or only falls."""
        steps = [np.diff(levels) for levels in self.levels]
        return all(bool(np.all(s > 0) or np.all(s < 0)) for s in steps)

    def __call__(self, raw: RawArray) -> RawArray:
        """Return the result for every input.

        Args:
            raw: batch first, channels last; the rows lie along the last axis, or along all but the
                first. Inputs out of range give the result of the nearest one in range.
        """
        shape = raw.shape[1:]
        row = np.arange(self.rows)
        spread = row if self.rows in (1, shape[-1] if shape else 1) else row.reshape(shape)
        inside = np.clip(raw, self.lo[spread], self.hi[spread])
        keys, levels, first = self._search
        return np.asarray(levels[np.searchsorted(keys, inside + first[spread], side="right") - 1])

    @cached_property
    def _search(self) -> tuple[RawArray, RawArray, RawArray]:
        """Return all runs one row behind the other: their starts, levels and the rows' shifts."""
        spans = self.hi - self.lo + 1
        if int(spans.astype(object).sum()) >= 2**62:
            raise OverflowError("the ranges of a step function together pass 62 bits")
        shift = np.concatenate([[0], np.cumsum(spans)[:-1]]) - self.lo
        keys = np.concatenate([s + k for s, k in zip(self.starts, shift, strict=True)])
        return keys, np.concatenate(self.levels), shift

    def between(self, lo: RawArray, hi: RawArray) -> StepFunction:
        """Return the function on a part of its range.

        Args:
            lo: first input of each row, shape ``(rows,)``, no less than ``self.lo``.
            hi: last input of each row, no more than ``self.hi``.
        """
        if (lo == self.lo).all() and (hi == self.hi).all():
            return self
        starts, levels = [], []
        ends = zip(self.starts, self.levels, lo.tolist(), hi.tolist(), strict=True)
        for own, results, first, last in ends:
            a, b = own.searchsorted((first, last), side="right").tolist()
            kept = own[a - 1 : b].copy()
            kept[0] = first
            starts.append(kept)
            levels.append(results[a - 1 : b])
        return StepFunction(tuple(starts), tuple(levels), np.array(hi, np.int64))

    @classmethod
    def of(cls, lo: RawArray, results: Sequence[RawArray]) -> StepFunction:
        """Return the function whose rows take these results from ``lo`` on, one for each input."""
        starts, levels = [], []
        for first, row in zip(lo, results, strict=True):
            changes = np.flatnonzero(np.diff(row)) + 1
            at = np.concatenate([[0], changes]).astype(np.int64)
            starts.append(at + first)
            levels.append(np.asarray(row[at], np.int64))
        lengths = np.array([len(row) for row in results], np.int64)
        return cls(tuple(starts), tuple(levels), np.asarray(lo + lengths - 1, np.int64))
