"""The cost of a matrix product whose multipliers take turns over stored weights (resource).

hls4ml's kernel (``nnet_dense_resource.h``) reads one input for every ``n_in / RF`` of its
multipliers, and each multiplier adds to one of ``RF / n_in`` sums. So there are selections of
inputs, accumulators, and what tells the sums apart. Constants in this module were fitted on 63
streamed layers of eight repositories (least absolute logarithm, each repository weighing the square
root of its layers): 36 % off on LUTs, 49 % on repositories left out; 24 and 26 % on flip-flops.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from hwflow.estimate import products as products
from hwflow.estimate.device import Fabric
from hwflow.estimate.fabric import (
    LUT_PER_PRODUCT_BIT,
    WIDE_LUT_PER_BIT,
    ff_resource,
    lut_resource,
)
from hwflow.estimate.memories import rom_brams_left, weight_brams
from hwflow.estimate.spread import RESOURCE, SELECTED, make_cost
from hwflow.fixed import FixedType
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target

CONTROL_LUT = 1000.0
"""LUTs of the loop and of the handshake."""

LUT_PER_RESULT_BIT = 3.2
"""LUTs per bit of the results: their accumulators are set, added to and read."""

LUT_PER_SUM_BIT = 1.45
"""LUTs per multiplier and bit of the accumulator that it adds to."""

LUT_PER_CHOICE = 0.42
"""Part of ``LUT_PER_SUM_BIT`` for every further accumulator that a multiplier serves."""

LUT_PER_SELECTED_BIT = 0.29
"""LUTs per bit of all inputs, for every selection of one of them."""

LUT_PER_GATHERED_BIT = 1.84
"""LUTs per bit of an input that comes in beats and is kept until all have come (dense)."""

WINDOW_SHARE = 0.3
"""Part of ``LUT_PER_GATHERED_BIT`` that a convolution's window takes, which shifts."""

CONTROL_FF, FF_PER_RESULT_BIT, FF_PER_GATHERED_BIT, FF_PER_MULTIPLIER_BIT = 180.0, 2.34, 2.97, 1.2
"""Flip-flops of the loop, per result bit, per input bit and per bit of a multiplier's operands."""


@dataclass(frozen=True, kw_only=True)
class Turns:
    """A product whose multipliers take turns.

    Attributes:
        n_in: inputs.
        n_out: results.
        stored: stored weights.
        x: type of the inputs.
        weight: type of the weights.
        accum: type of the accumulators.
        reuse_factor: products of each multiplier.
        gathers: part of the inputs' bits that are gathered from a stream.
    """

    n_in: int
    n_out: int
    stored: int
    x: FixedType
    weight: FixedType
    accum: FixedType
    reuse_factor: int
    gathers: float

    @property
    def multipliers(self) -> int:
        """Multipliers side by side."""
        return ceil(self.stored / self.reuse_factor)

    @property
    def served(self) -> int:
        """Accumulators that each multiplier adds to."""
        return min(max(self.reuse_factor // max(self.n_in, 1), 1), self.n_out)

    @property
    def narrow(self) -> bool:
        """Return whether a multiplier is so narrow that it may be built without a DSP block.

        Of 16 x 6 bits, the narrowest that take one, 36 of 39 layers of wa-hls4ml-search have one
        block less than multipliers.
        """
        if self.weight.width <= products.TERNARY_BITS:
            return False
        return self.x.width + self.weight.width <= products.MIN_RUNTIME_PRODUCT_BITS

    @property
    def exact(self) -> bool:
        """Whether the accumulators keep every bit of a product."""
        return self.accum.fractional >= self.x.fractional + self.weight.fractional


def resource_cost(turns: Turns, target: Target, fabric: Fabric) -> Cost:
    """Return the cost of a resource-strategy product with RF > 1.

    II = RF (871 of 871 layers of wa-hls4ml-search), latency RF + 1 or RF + 2 (95 %).
    """
    blocks, lone = multiplier_blocks(turns, fabric)
    area = turns.x.width * turns.weight.width
    reuse = turns.reuse_factor
    wa_search = not target.streams and turns.served > 1 and turns.multipliers > 1
    if wa_search:
        luts = lut_resource(turns.n_in, turns.n_out, turns.stored, reuse)
        ff = ff_resource(turns.n_in, turns.n_out, turns.stored, reuse)
    else:
        luts, ff = lut_turns(turns), ff_turns(turns, target)
    luts += lone * LUT_PER_PRODUCT_BIT * area
    if target.backend == "Vivado" and max(turns.x.width, turns.weight.width) > products.DSP_WIDTH:
        luts += WIDE_LUT_PER_BIT * area * turns.multipliers
    memory = weight_brams(turns.n_in, turns.stored, turns.weight.width, reuse, target.backend)
    return make_cost(
        RESOURCE if wa_search else SELECTED,
        lut=luts,
        ff=ff,
        dsp=float(blocks),
        bram=float(memory),
        bram_synth=float(rom_brams_left(memory, reuse)),
        cycles=reuse + 1.5,
        ii=float(reuse),
        rules=("ii", *(("dsp",) if lone == 0 and not turns.narrow else ())),
    )


def multiplier_blocks(turns: Turns, fabric: Fabric) -> tuple[int, int]:
    """Return the DSP blocks of all multipliers, and the multipliers that take none."""
    number = turns.multipliers
    if turns.weight.width <= products.TERNARY_BITS:
        return 0, 0
    each = products.dsp_per_multiplier(turns.x.width, turns.weight.width, fabric.ports)
    if each:
        return number * each, 0
    fused = 0
    if turns.exact and turns.x.width > 1:
        fused = products.fused_multipliers(number, turns.n_in, turns.n_out, turns.reuse_factor)
    return fused, number - fused


def lut_turns(turns: Turns) -> float:
    """Return the LUTs of selections, accumulators and control."""
    inputs = turns.n_in * turns.x.width
    sums = LUT_PER_SUM_BIT * turns.accum.width * (1 + LUT_PER_CHOICE * (turns.served - 1))
    selections = ceil(turns.n_in / turns.reuse_factor)
    return (
        CONTROL_LUT
        + LUT_PER_RESULT_BIT * turns.n_out * turns.accum.width
        + turns.multipliers * sums
        + LUT_PER_SELECTED_BIT * selections * inputs
        + LUT_PER_GATHERED_BIT * turns.gathers * inputs
    )


def ff_turns(turns: Turns, target: Target) -> float:
    """Return the flip-flops of operands, accumulators and gathered inputs.

    7-series parts keep the input of a multiplier for one more cycle.
    """
    operands = turns.x.width + turns.weight.width
    operands += turns.x.width if target.part.lower().startswith("xc7") else 0
    held = turns.n_in * turns.x.width if turns.gathers else 0
    return (
        CONTROL_FF
        + FF_PER_RESULT_BIT * turns.n_out * turns.accum.width
        + FF_PER_GATHERED_BIT * held
        + FF_PER_MULTIPLIER_BIT * turns.multipliers * operands
    )
