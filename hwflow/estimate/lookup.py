"""The cost of sums of tables (``LookupDense``): packed tables, trees of adders, block RAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hwflow.estimate.device import fabric_of
from hwflow.estimate.memories import LUT_MEMORY_BITS, bram_blocks
from hwflow.estimate.packing import packed_luts
from hwflow.estimate.schedule import adder_levels, stages_of
from hwflow.estimate.spread import Spread, make_cost
from hwflow.fixed import RawArray
from hwflow.ir.cost import Basis, Cost
from hwflow.ir.op import Target

DISTRIBUTED = 256
"""Most entries of a table that is logic; larger ones are memories."""

TABLES = Spread(lut=(0.4, 2.5), ff=(0.3, 2.0), synth_lut=0.6, synth=(0.7, 1.2))
"""Sums of tables: the look-up tables after synthesis follow from the structure, those of C
synthesis are taken in the ratio of other unrolled sums; no vendor report was at hand."""

NOTE = ("tables are counted by their structure, not calibrated on vendor reports",)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Terms:
    """What is added up.

    Attributes:
        tables: entries of each, at one binary point.
        grid: numbers of the tables of each output, ``(outputs, terms)``; -1 for none.
        low: least entry that each can give.
        high: greatest entry that each can give.
        narrowing: look-up tables that the cast of all results takes.
    """

    tables: Sequence[RawArray]
    grid: RawArray
    low: RawArray
    high: RawArray
    narrowing: float


def lookup_cost(terms: Terms, index_bits: int, target: Target) -> Cost:
    """Return the cost of one instance of a layer of sums of tables.

    Args:
        terms: the tables and sums.
        index_bits: bits of all inputs that are read.
        target: backend, io type, part and clock.
    """
    logic = [t for t in terms.tables if not in_memory(t)]
    stored = [t for t in terms.tables if in_memory(t)]
    adders, levels = adder_bits(terms.grid, terms.low, terms.high, terms.tables)
    parts = fabric_of(target)
    delays = [parts.table_ns] + [parts.adder_ns] * levels
    cycles = stages_of(delays, parts.usable_ns)
    left = packed_luts(logic) + adders + terms.narrowing
    widths = _widths(terms.low, terms.high)
    bram = sum(bram_blocks(_width(t), len(t)) for t in stored)
    cost = make_cost(
        TABLES, lut=left / TABLES.synth_lut, ff=index_bits + cycles * float(widths.sum()) / 2,
        cycles=float(cycles), bram=float(bram), notes=NOTE,
    )  # fmt: skip
    return replace(
        cost, lut=cost.lut.on(Basis.EXTRAPOLATED), lut_synth=cost.lut_synth.on(Basis.EXTRAPOLATED)
    )


def in_memory(table: RawArray) -> bool:
    """Return whether a table is a block RAM: too long for logic, and more than LUTs are taken for.

    Tables of up to ``DISTRIBUTED`` entries are partitioned into constants by the kernel; HLS makes
    block RAM of other memories of more than ``LUT_MEMORY_BITS``.
    """
    return len(table) > DISTRIBUTED and len(table) * _width(table) > LUT_MEMORY_BITS


def adder_bits(
    grid: RawArray, low: RawArray, high: RawArray, tables: Sequence[RawArray]
) -> tuple[int, int]:
    """Return the bits of all adders of balanced trees, and the levels of the deepest one.

    An adder takes a LUT for each bit in which both operands may have ones: below the last bit of
    the coarser one are wires (AMD UG474, "Carry Logic").
    """
    zeros = np.array([_trailing(t) for t in tables], np.int64)
    live = grid >= 0
    at = np.where(live, grid, 0)
    if not len(tables):
        return 0, 0
    parts: list[Part] = [
        (live[:, k], low[at[:, k]], high[at[:, k]], zeros[at[:, k]]) for k in range(grid.shape[1])
    ]
    return _tree(parts)[1], adder_levels(int(live.sum(axis=1).max(initial=0)))


Part = tuple[npt.NDArray[np.bool_], Ints, Ints, Ints]


def _tree(parts: Sequence[Part]) -> tuple[Part, int]:
    """Return the sum of some terms of every output, and the bits of its adders."""
    if len(parts) == 1:
        return parts[0], 0
    half = (len(parts) + 1) // 2
    (a, a_bits), (b, b_bits) = _tree(parts[:half]), _tree(parts[half:])
    both = a[0] & b[0]
    widest = np.maximum(_widths(a[1], a[2]), _widths(b[1], b[2]))
    bits = np.where(both, np.maximum(widest - np.maximum(a[3], b[3]), 1), 0)
    low, high = (_added(a, b, end) for end in (1, 2))
    zeros = np.where(both, np.minimum(a[3], b[3]), np.where(a[0], a[3], b[3]))
    return (a[0] | b[0], low, high, zeros), a_bits + b_bits + int(bits.sum())


def _added(a: Part, b: Part, end: int) -> Ints:
    return np.asarray(np.where(a[0], a[end], 0) + np.where(b[0], b[end], 0), np.int64)


def _widths(low: Ints, high: Ints) -> Ints:
    """Return the bits of numbers within ranges, with a sign where there are negative ones."""
    most = np.maximum(high, -1 - low)
    return np.asarray(np.ceil(np.log2(np.maximum(most, 0) + 1.0)) + (low < 0), np.int64)


def _width(table: RawArray) -> int:
    return int(_widths(np.asarray(table.min()), np.asarray(table.max())))


def _trailing(table: RawArray) -> int:
    joined = int(np.bitwise_or.reduce(table))
    return (joined & -joined).bit_length() - 1 if joined else 0
