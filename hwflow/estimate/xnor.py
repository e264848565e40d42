"""The cost of a matrix product whose products are XNORs of sign bits and whose sums are counts.

The look-up tables follow from the structure of the kernel (``templates/nnet/xnor.h``): an XNOR with
a constant is a wire or belongs to the table behind it; the count of up to six bits is one 6-input
look-up table for each of its bits (J. Gray, "Quick FPGA Hacks: Population count", fpga.org, 2014);
an adder takes one for each bit.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import numpy.typing as npt

from hwflow.estimate.device import fabric_of
from hwflow.estimate.schedule import adder_levels, cuts_of, registers
from hwflow.estimate.spread import POPCOUNT, make_cost
from hwflow.fixed import RawArray
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target

GROUP = 6
"""Inputs of a look-up table, on 7-series parts and all later ones."""

NOTE = ("XNOR-popcount is calibrated on an open synthesis tool, not on vendor reports",)

Counts = npt.NDArray[np.int64]


def popcount_luts(live: npt.NDArray[np.bool_]) -> int:
    """Return the look-up tables, after synthesis, that count bits.

    With the adder into the result, Yosys 0.70 (``synth_xilinx``, xc7) leaves 0.83 to 1.04 of it for
    eight outputs of 27 to 144 inputs, and less where few inputs let the outputs share tables. Of
    sums of products in full width it leaves 1.9 to 2.8 times as much (bench_popcount.py).

    Args:
        live: shape ``(n_in, n_out)``, where an output's count has the input.
    """
    groups = [live[i : i + GROUP].sum(axis=0) for i in range(0, len(live), GROUP)]
    return int(_tables(groups)[1].sum())


def _tables(groups: list[Counts]) -> tuple[Counts, Counts]:
    """Return the greatest count of some groups, and the tables that add them up, by halves."""
    if len(groups) == 1:
        return groups[0], np.where(groups[0] > 1, _bits(groups[0]), 0)
    half = len(groups) // 2
    (a, a_tables), (b, b_tables) = _tables(groups[:half]), _tables(groups[half:])
    adder = np.where((a > 0) & (b > 0), np.maximum(_bits(a), _bits(b)), 0)
    return a + b, a_tables + b_tables + adder


def _bits(largest: Counts) -> Counts:
    """Return the bits of the numbers up to each of some."""
    return np.asarray(np.ceil(np.log2(largest + 1.0)), np.int64)


def xnor_core(weight: RawArray, accum_bits: int, target: Target) -> Cost:
    """Return the cost of one instance of a matrix product by XNOR and population count.

    Args:
        weight: integer constants of shape ``(n_in, n_out)``; zeros take no part.
        accum_bits: width of the accumulator, to which each count is added once.
        target: backend, io type, part and clock.
    """
    live = weight != 0
    tables = popcount_luts(live) + live.any(axis=0).sum() * accum_bits
    most = int(live.sum(axis=0).max(initial=0))
    levels = 2 + adder_levels(ceil(most / GROUP))
    cuts = cuts_of(fabric_of(target), False, levels)
    ff = registers(
        cuts, 2, input_bits=float(len(weight)), product_bits=0.0, term_bits=float(tables),
        result_bits=float(weight.shape[1] * accum_bits),
    )  # fmt: skip
    return make_cost(
        POPCOUNT, lut=tables / POPCOUNT.synth_lut, ff=ff, cycles=float(len(cuts)), notes=NOTE
    )
