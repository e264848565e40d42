"""One entry for every input of each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from hwflow.fixed import FixedType, RawArray
from hwflow.ir.op import Target
from hwflow.ops.requantization import cost
from hwflow.ops.requantization.cost import Lanes
from hwflow.ops.requantization.plan import Plan, Proof
from hwflow.ops.requantization.problem import Problem

NAME = "table"

LARGEST = 2**12
"""Most entries of a row."""

MOST_ENTRIES = 2**16
"""Most entries over all rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table(Plan):
    """``y = table[n - least]``.

    Attributes:
        entries: shape ``(rows, size)``; beyond a row's own inputs its nearest result.
        least: the input that the first entry of each row is for.
    """

    kernel: ClassVar[str] = "table"

    implementation: str = NAME
    entries: RawArray
    least: int

    def levels(self, n: RawArray, row: RawArray) -> RawArray:
        return np.asarray(self.entries[row, n - self.least])

    def constants(self) -> Mapping[str, RawArray]:
        return {"table": self.entries}

    def numbers(self) -> Mapping[str, int]:
        return {"least": self.least, "size": self.entries.shape[1]}

    def types(self) -> Mapping[str, FixedType]:
        return {"address": FixedType.covering(0, self.entries.shape[1] - 1, 0)}

    def lanes(self, target: Target) -> Lanes:
        rows, size = self.entries.shape
        return cost.table_lanes(rows, size, self._entry_bits)

    def shared_lane(self, target: Target) -> Lanes:
        return cost.table_lanes(1, self.entries.size, self._entry_bits)

    @property
    def _entry_bits(self) -> int:
        return FixedType.covering(int(self.entries.min()), int(self.entries.max()), 0).width

    @property
    def detail(self) -> str:
        rows, size = self.entries.shape
        return f"{size} entries" if rows == 1 else f"{rows} x {size} entries"

    def proven(self, problem: Problem) -> Self | None:
        """Return the plan with its proof: every input of every row was compared."""
        lengths = problem.last - problem.first + 1
        begin = np.cumsum(lengths) - lengths
        place = np.arange(int(lengths.sum())) - np.repeat(begin, lengths)
        n, row = np.repeat(problem.first, lengths) + place, np.repeat(problem.row, lengths)
        if not np.array_equal(self.levels(n, row), np.repeat(problem.level, lengths)):
            return None
        return replace(self, proof=Proof("every input", n.size, problem.range))


def find(problem: Problem) -> Plan | None:
    """Return the table, proven, or None where it would be too large."""
    least, most = problem.range
    size = most - least + 1
    if size > LARGEST or problem.rows * size > MOST_ENTRIES:
        return None
    ends = np.append(problem.begin[1:], len(problem.row))
    places = np.arange(least, most + 1)
    entries = [
        problem.level[a:b][np.maximum(np.searchsorted(problem.first[a:b], places, "right") - 1, 0)]
        for a, b in zip(problem.begin, ends, strict=True)
    ]
    return Table(**problem.parts, entries=np.stack(entries), least=least).proven(problem)
