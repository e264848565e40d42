"""Tables that are added up: which channels each of them reads, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, FixedType, RawArray
from hwflow.ir.tensor import TensorType

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Addends:
    """Tables, each a term of the sum that is one output.

    A table is read at the bits of its sources, the first one's on top. The bits of channel ``c``
    are the last ``bits[c]`` of ``floor(x_c 2**fractional[c])``.

    Attributes:
        source: channels that each table reads, ``(tables, members)``.
        target: output that it is a term of, ascending, ``(tables,)``.
        fractional: bits right of the binary point at which each channel is read, ``(channels,)``.
        bits: how many of its bits are read, ``(channels,)``.
        entries: those of all tables, one behind the other.
    """

    source: RawArray
    target: RawArray
    fractional: RawArray
    bits: RawArray
    entries: FixedArray

    @cached_property
    def shifts(self) -> RawArray:
        """Places by which the bits of each member lie in the index, ``(tables, members)``."""
        widths = self.bits[self.source]
        return np.asarray(widths[:, ::-1].cumsum(axis=1)[:, ::-1] - widths)

    @cached_property
    def sizes(self) -> RawArray:
        """Entries of each table."""
        return np.asarray(1 << self.bits[self.source].sum(axis=1), np.int64)

    @cached_property
    def starts(self) -> RawArray:
        """First entry of each table."""
        return np.asarray(np.cumsum(self.sizes) - self.sizes, np.int64)

    @cached_property
    def used(self) -> RawArray:
        """Channels that any table reads, ascending."""
        return np.unique(self.source)

    def tables(self) -> list[RawArray]:
        """Return the entries of each table."""
        return np.split(self.entries.raw, self.starts[1:]) if len(self.starts) else []

    def places(self, raw: RawArray, dtype: FixedType) -> RawArray:
        """Return the bits that are read of each channel (last axis) as whole numbers."""
        drop = dtype.fractional - self.fractional
        moved = (raw >> np.maximum(drop, 0)) << np.maximum(-drop, 0)
        return np.asarray(moved & ((1 << self.bits) - 1))

    def indices(self, raw: RawArray, dtype: FixedType) -> RawArray:
        """Return the entry that each table gives, ``(..., tables)``."""
        members = self.places(raw, dtype)[..., self.source] << self.shifts
        return np.asarray(members.sum(axis=-1) + self.starts)

    def grid(self, outputs: int) -> RawArray:
        """Return the numbers of the tables of each output, -1 behind the last one."""
        counts = np.bincount(self.target, minlength=outputs)
        found = np.full((outputs, max(int(counts.max(initial=0)), 1)), -1, np.int64)
        found[np.arange(found.shape[1]) < counts[:, None]] = np.arange(len(self.target))
        return found

    def reached(self, x: TensorType) -> Flags:
        """Return which entries the proven ranges of the channels let be read."""
        return _reached(self, x)

    def ends(self, x: TensorType) -> tuple[RawArray, RawArray]:
        """Return the least and the greatest entry of each table that can be read."""
        if not len(self.starts):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        met, raw = self.reached(x), self.entries.raw
        least = np.where(met, raw, np.iinfo(np.int64).max)
        most = np.where(met, raw, np.iinfo(np.int64).min)
        return np.minimum.reduceat(least, self.starts), np.maximum.reduceat(most, self.starts)

    def __repr__(self) -> str:
        """Return how many tables there are, of how many entries, of what type."""
        return f"{len(self.target)} tables, {len(self.entries.raw)} entries {self.entries.dtype}"


@lru_cache(maxsize=64)
def _reached(addends: Addends, x: TensorType) -> Flags:
    widest = int(addends.bits.max(initial=0))
    met = np.zeros((len(addends.bits), 1 << widest), bool)
    for c in addends.used.tolist():
        drop = x.dtype.fractional - int(addends.fractional[c])
        lo, hi = (int(end) >> max(drop, 0) << max(-drop, 0) for end in (x.lo[c], x.hi[c]))
        count = (hi - lo >> max(-drop, 0)) + 1
        places = lo + (np.arange(min(count, 1 << widest)) << max(-drop, 0))
        met[c, places & ((1 << int(addends.bits[c])) - 1)] = True
    place = np.arange(len(addends.entries.raw)) - np.repeat(addends.starts, addends.sizes)
    found = np.ones(len(place), bool)
    for member in range(addends.source.shape[1]):
        channel = np.repeat(addends.source[:, member], addends.sizes)
        shift = np.repeat(addends.shifts[:, member], addends.sizes)
        found &= met[channel, (place >> shift) & ((1 << addends.bits[channel]) - 1)]
    return found
