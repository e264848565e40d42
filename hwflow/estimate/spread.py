"""How far real reports stray from the relations, and the step from figures to a ``Cost``.

Pairs are the 5 % and 95 % quantile of real over estimated figures on public reports, every
repository counting once, rounded, and wider where few repositories are at hand;
``tests/benchmarks/bench_estimate.py`` prints the quantiles from the points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType

Factors = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Ratio of real to estimated figures, 5 % and 95 % quantile, for one family of layers.

    Attributes:
        lut: csynth look-up tables.
        ff: csynth flip-flops.
        dsp: DSP blocks.
        bram: block RAM.
        cycles: latency.
        ii: initiation interval.
        synth_lut: post-synthesis over csynth look-up tables, best value.
        synth: what logic synthesis adds to the spread of look-up tables.
    """

    lut: Factors
    ff: Factors
    dsp: Factors = (0.9, 1.1)
    bram: Factors = (0.5, 1.5)
    cycles: Factors = (0.5, 2.1)
    ii: Factors = (1.0, 1.0)
    synth_lut: float = 0.54
    synth: Factors = (0.9, 1.15)


UNROLLED = Spread(lut=(0.8, 1.6), ff=(0.25, 2.2))
"""Latency strategy, RF = 1: 19 layers of 9 repositories; logic synthesis of five designs."""

POPCOUNT = Spread(lut=(0.5, 2.0), ff=(0.25, 2.2))
"""XNOR and population count: the look-up tables after synthesis are known from the structure, those
of C synthesis by the ratio of other unrolled products; no vendor report was at hand."""

REUSED = Spread(
    lut=(0.5, 1.5), ff=(0.4, 2.5), dsp=(0.7, 1.7), cycles=(0.4, 2.5), ii=(0.5, 2.0)
)  # fmt: skip
"""Latency strategy, RF > 1: 8 layers of 2 repositories."""

RESOURCE = Spread(
    lut=(0.35, 2.1), ff=(0.7, 3.0), dsp=(0.95, 1.2), bram=(0.7, 1.7), cycles=(0.95, 1.1),
    ii=(0.95, 1.05), synth_lut=0.5, synth=(0.5, 1.8),
)  # fmt: skip
"""Resource strategy: 882 layers of 5 repositories; logic synthesis of 24 networks in three sweeps
of the reuse factor left 0.14 to 1.0 of the look-up tables."""

SELECTED = replace(RESOURCE, lut=(0.35, 3.5))
"""Resource strategy with RF <= inputs: eleven layers of 2 repositories are within 0.7 to 1.2 of the
estimate, sweeps over networks of 100 x 100 layers (Vivado HLS 2018.3) 2 to 3.2 times higher."""

SIMPLE = Spread(lut=(0.45, 2.2), ff=(0.0, 2.0), cycles=(0.9, 1.2), ii=(0.95, 1.1))
"""Activations, padding, tables: 51 layers of 12 repositories."""

SOFTMAX = Spread(
    lut=(0.12, 2.2), ff=(0.35, 2.5), bram=(0.35, 1.2), cycles=(0.45, 3.0), ii=(1.0, 4.0)
)  # fmt: skip
"""Softmax: 13 layers of 8 repositories."""

POOL = Spread(lut=(0.8, 2.2), ff=(0.5, 1.7), cycles=(0.7, 1.1), ii=(0.7, 1.1))
"""Pooling: 11 layers of 3 repositories."""

SELECTION = Spread(lut=(0.3, 10.0), ff=(0.3, 10.0), cycles=(0.3, 2.0), ii=(0.3, 1.1))
"""Selection of pixels in io_parallel convolutions: not calibrated."""

FF_SYNTH = 0.7
"""Post-synthesis over csynth flip-flops; nine designs and 24 networks give 0.2 to 1.25."""


def make_cost(
    spread: Spread,
    *,
    lut: float,
    ff: float,
    cycles: float,
    dsp: float = 0.0,
    bram: float = 0.0,
    ii: float = 1.0,
    notes: tuple[str, ...] = (),
) -> Cost:
    """Return the figures with the intervals of their family, post-synthesis ones derived."""
    luts, ffs = (
        Estimate.spread(lut, spread.lut, 20.0),
        Estimate.spread(ff, spread.ff, 40.0),
    )
    lut_synth = Estimate(luts.value, luts.low * spread.synth[0], luts.high * spread.synth[1])
    return Cost(
        lut=luts,
        ff=ffs,
        dsp=Estimate.spread(dsp, spread.dsp, 1.0 if dsp else 0.0),
        bram_18k=Estimate.spread(bram, spread.bram, 1.0 if bram else 0.0),
        lut_synth=lut_synth.scaled(spread.synth_lut),
        ff_synth=ffs.scaled(FF_SYNTH),
        latency_cycles=Estimate.spread(cycles, spread.cycles, 1.0),
        ii=Estimate.spread(max(ii, 1.0), spread.ii),
        notes=notes,
    )


AREA = ("lut", "ff", "dsp", "bram_18k", "lut_synth", "ff_synth")
"""Figures of a cost that add up when hardware stands side by side."""


def with_luts(cost: Cost, luts: float) -> Cost:
    """Return the cost with more csynth LUTs, in the same proportion after synthesis."""
    share = cost.lut_synth.value / cost.lut.value if cost.lut.value else SIMPLE.synth_lut
    more = Estimate.spread(luts, SIMPLE.lut)
    return replace(cost, lut=cost.lut + more, lut_synth=cost.lut_synth + more.scaled(share))


def side_by_side(a: Cost, b: Cost) -> Cost:
    """Return the areas of both, with the timing of the first."""
    return replace(a, **{f: getattr(a, f) + getattr(b, f) for f in AREA})


def copied(cost: Cost, copies: int) -> Cost:
    """Return the areas of several copies that work at once, with the timing of one."""
    return replace(cost, **{f: getattr(cost, f).scaled(copies) for f in AREA})


def repeated(cost: Cost, positions: int) -> Cost:
    """Return the cost when one instance works through several positions, one per II."""
    if positions <= 1:
        return cost
    wait = cost.ii.scaled(positions - 1)
    return replace(cost, ii=cost.ii.scaled(positions), latency_cycles=cost.latency_cycles + wait)


def per_position(cost: Cost, value: TensorType, target: Target) -> Cost:
    """Return the cost of hardware for one position, over all positions of a value.

    Streams reuse it; io_parallel has a copy for each position.
    """
    positions = prod(value.shape[:-1])
    return repeated(cost, positions) if target.streams else copied(cost, positions)
