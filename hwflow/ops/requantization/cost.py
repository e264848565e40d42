"""What implementations cost, lane by lane, and the single figure that they are chosen by.

A lane is the hardware for one row. Relations and intervals are those of the other operators
(``products``, ``fabric`` and ``spread`` in ``hwflow.estimate``); ``docs/requantize.md`` shows
them on examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hwflow.estimate import fabric as fabric
from hwflow.estimate import products as products
from hwflow.estimate.memories import LUT_MEMORY_BITS, bram_blocks
from hwflow.fixed import FixedType, RawArray
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target

if TYPE_CHECKING:
    from hwflow.ops.requantization.line_plan import LinePlan

F64 = npt.NDArray[np.float64]

LUT_PER_COMPARISON_BIT = 0.75
"""LUTs per bit to compare with one constant: the input's share of ``fabric.lut_cast``, relus."""

LUT_PER_CLAMP_BIT = 1.5
"""LUTs per bit of what is clamped: the part of ``fabric.lut_cast`` that saturates."""

ROM_BITS_PER_LUT = 64
"""A 6-input LUT holds 64 bits (UG474)."""

LUT_PER_LOOK_UP = 30.0
"""LUTs around a table, as in ``_cost.table_cost``."""

LUT_PER_DSP = fabric.LUT_PER_PRODUCT_BIT * products.DSP_WIDTH**2
"""LUTs that one DSP block is worth: those of a product of two 18-bit numbers."""

LUT_PER_BRAM = 18 * 1024 / ROM_BITS_PER_LUT
"""LUTs that one 18 kbit block RAM is worth: those that hold as many bits."""

DSP_LONG = 25
"""Bits of the wider DSP port (A of DSP48E1, UG479; 27 in DSP48E2)."""


def figure(cost: Cost) -> float:
    """Return what a cost is worth in LUTs; the cheapest implementation has the least."""
    return (
        cost.lut.value + LUT_PER_DSP * cost.dsp.value + LUT_PER_BRAM * cost.bram_18k.value
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lanes:
    """What the hardware of each row takes.

    Attributes:
        lut: look-up tables of each row.
        dsp: DSP blocks of each row.
        bram: 18 kbit block RAMs of each row.
        levels: adders and comparisons one after the other.
        bits: width of what is registered where it takes several cycles.
    """

    lut: F64
    dsp: F64
    bram: F64
    levels: float = 0.0
    bits: float = 0.0

    def __add__(self, other: Lanes) -> Lanes:
        """Return both, one behind the other."""
        return Lanes(
            self.lut + other.lut,
            self.dsp + other.dsp,
            self.bram + other.bram,
            self.levels + other.levels,
            max(self.bits, other.bits),
        )

    def of_rows(self, rows: RawArray) -> Lanes:
        """Return lanes that each compute one row, some of them the same."""
        areas = (self.lut[rows], self.dsp[rows], self.bram[rows])
        return Lanes(*areas, self.levels, self.bits)

    @classmethod
    def of(
        cls, lut: F64, *, dsp: F64 | None = None, bram: F64 | None = None, levels: float = 0.0,
        bits: float = 0.0,
    ) -> Lanes:  # fmt: skip
        """Return lanes of LUTs and what else is given."""
        none = np.zeros(lut.shape)
        return cls(lut, none if dsp is None else dsp, none if bram is None else bram, levels, bits)


def width(lo: RawArray, hi: RawArray) -> RawArray:
    """Return the bits of two's complement that hold ``lo .. hi``, a sign only where needed."""
    signed = lo < 0
    largest = np.maximum(np.maximum(hi, -(lo + 1)), 0).astype(np.float64)
    bits = np.ceil(np.log2(largest + 1.0)).astype(np.int64) + signed
    return np.where(lo == hi, 0, bits)


def product_lanes(multiplier: RawArray, lo: RawArray, hi: RawArray, target: Target) -> Lanes:
    """Return one product by a constant per row: adders for its digits, or a DSP."""
    bits, digits = width(lo, hi), products.csd_digits(multiplier)
    lowest = np.where(multiplier == 0, 1, multiplier & -multiplier)
    constant = products.constant_bits(multiplier // lowest)  # a shift is wires
    in_dsp = products.goes_to_dsp(digits, constant + bits, target.backend) & (bits > 0)
    adders = fabric.SHIFT_ADD_WEIGHT * np.maximum(digits - 1, 0) * (constant + bits) * (bits > 0)
    lut = np.where(in_dsp, 0.0, fabric.LUT_PER_ADDER_BIT * adders)
    levels = 1.0 if (digits > 1).any() else 0.0
    return Lanes.of(
        lut, dsp=np.where(in_dsp, dsp_blocks(bits, constant), 0.0), levels=levels,
        bits=float((constant + bits).max()),
    )  # fmt: skip


def varying_lanes(multiplier: RawArray, lo: RawArray, hi: RawArray) -> Lanes:
    """Return one product per row by a factor chosen at run time.

    Args:
        multiplier: the factors, shape ``(rows, choices)``.
        lo: least input of each row.
        hi: greatest input of each row.
    """
    bits, constant = width(lo, hi), products.constant_bits(multiplier).max(axis=1)
    in_dsp = bits + constant >= products.MIN_RUNTIME_PRODUCT_BITS
    choice = constant * fabric.lut_select(multiplier.shape[1])
    lut = choice + np.where(in_dsp, 0.0, fabric.LUT_PER_PRODUCT_BIT * bits * constant)
    return Lanes.of(
        lut, dsp=np.where(in_dsp, dsp_blocks(bits, constant), 0.0), levels=2.0,
        bits=float((constant + bits).max()),
    )  # fmt: skip


def dsp_blocks(a: RawArray, b: RawArray) -> F64:
    """Return the DSP blocks that tile a product: 18 bits one way, 25 the other."""
    narrow, wide = np.minimum(a, b), np.maximum(a, b)
    return np.ceil(narrow / products.DSP_WIDTH) * np.ceil(wide / DSP_LONG)


def adder_lanes(multiplier: RawArray, offset: RawArray, lo: RawArray, hi: RawArray) -> Lanes:
    """Return one addition of a constant per row; bits below its last one are wires."""
    ends = np.stack([multiplier * e + offset for e in (lo, hi)])
    bits = width(ends.min(axis=0), ends.max(axis=0))
    free = np.log2((offset & -offset).astype(np.float64), where=offset != 0, out=np.zeros(len(lo)))
    lut = np.where(offset == 0, 0.0, fabric.LUT_PER_ADDER_BIT * np.maximum(bits - free, 1))
    return Lanes.of(lut, levels=1.0, bits=float(bits.max()))


def chosen_lane(bits: int, rows: int) -> Lanes:
    """Return one lane's constants of the row that it computes now, as a memory of all rows."""
    return Lanes.of(np.full(1, float(bits * ceil(rows / ROM_BITS_PER_LUT))))


def shared_line(plan: LinePlan, choices: int) -> Lanes:
    """Return one product and sum with the factor and the offset chosen among those of all rows."""
    lo, hi = plan.lo.min(keepdims=True), plan.hi.max(keepdims=True)
    widest = np.abs(plan.multiplier).max(keepdims=True).reshape(1, 1)
    offset_bits = int(products.constant_bits(plan.offset).max())
    lanes = chosen_lane(int(products.constant_bits(widest).max()) + offset_bits, choices)
    return lanes + varying_lanes(widest, lo, hi) + varying_adder_lanes(1, 1, plan.sums)


def varying_adder_lanes(rows: int, choices: int, sums: tuple[int, int]) -> Lanes:
    """Return one addition per row of an offset chosen at run time."""
    bits = FixedType.covering(*sums, 0, signed=True).width
    lut = (fabric.LUT_PER_ADDER_BIT + fabric.lut_select(choices)) * bits
    return Lanes.of(np.full(rows, lut), levels=1.0, bits=float(bits))


def clamp_lanes(rows: int, sums: tuple[int, int], drop: int, *, clamps: bool) -> Lanes:
    """Return the saturation of each row's sum."""
    bits = FixedType.covering(*sums, 0, signed=True).width - drop
    lut = LUT_PER_CLAMP_BIT * max(bits, 1) if clamps else 0.0
    return Lanes.of(np.full(rows, lut), levels=1.0 if clamps else 0.0)


def comparison_lanes(count: int, lo: RawArray, hi: RawArray) -> Lanes:
    """Return ``count`` comparisons with constants side by side."""
    return Lanes.of(LUT_PER_COMPARISON_BIT * count * width(lo, hi).astype(np.float64), levels=1.0)


def search_lanes(stages: int, result_bits: int, lo: RawArray, hi: RawArray, rows: int = 1) -> Lanes:
    """Return a binary search: a comparison per stage, and the memory of its thresholds.

    Args:
        stages: comparisons one after the other.
        result_bits: width of a listed result; 0 where results follow from the count.
        lo: least input of each row.
        hi: greatest input of each row.
        rows: rows whose thresholds a lane holds.
    """
    bits = width(lo, hi).astype(np.float64)
    first = 1 if rows == 1 else 0  # the first threshold is a constant where there is one row
    memory = sum(2**s for s in range(first, stages)) * bits + 2**stages * result_bits
    memory = memory * rows
    lut = stages * LUT_PER_COMPARISON_BIT * bits + memory / ROM_BITS_PER_LUT
    return Lanes.of(lut, levels=float(2 * stages), bits=float(bits.max()))


def table_lanes(rows: int, size: int, result_bits: int) -> Lanes:
    """Return a table look-up per row; two rows share the ports of a block RAM."""
    bits = size * result_bits
    in_bram = bits > LUT_MEMORY_BITS
    lut = LUT_PER_LOOK_UP + (0.0 if in_bram else bits / ROM_BITS_PER_LUT)
    blocks = bram_blocks(result_bits, size) if in_bram else 0
    share = 0.5 if rows == 1 else 1.0  # two lanes read one table, where it is theirs alike
    return Lanes.of(
        np.full(rows, lut), bram=np.full(rows, share * blocks), levels=2.0, bits=float(result_bits)
    )
