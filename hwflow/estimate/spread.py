"""How far real reports stray from the relations, and the step from figures to a ``Cost``.

Pairs of single layers are about the 5 % and 95 % quantile of real over estimated figures on public
C synthesis reports, every repository weighing the square root of its layers, and wider where few
repositories are at hand. ``TOTAL`` has those of whole designs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from hwflow.ir.cost import Basis, Cost, Estimate
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
    dsp: Factors = (0.95, 1.1)
    bram: Factors = (0.9, 2.0)
    cycles: Factors = (0.5, 2.1)
    ii: Factors = (1.0, 1.0)
    synth_lut: float = 0.54
    synth: Factors = (0.9, 1.15)


UNROLLED = Spread(lut=(0.8, 1.6), ff=(0.5, 1.9), ii=(0.9, 1.3))
"""Latency strategy, RF = 1: 72 layers of 13 repositories."""

POPCOUNT = Spread(lut=(0.5, 2.0), ff=(0.25, 2.2))
"""XNOR and population count: the look-up tables after synthesis are known from the structure, those
of C synthesis by the ratio of other unrolled products; no vendor report was at hand."""

REUSED = Spread(
    lut=(0.7, 1.7), ff=(0.5, 1.7), dsp=(0.9, 1.3), cycles=(0.7, 1.3), ii=(0.7, 1.2)
)  # fmt: skip
"""Latency strategy, RF > 1: 30 layers of 2 repositories."""

RESOURCE = Spread(
    lut=(0.5, 2.0), ff=(0.6, 1.7), dsp=(0.95, 1.2), bram=(0.7, 1.7), cycles=(0.95, 1.1),
    ii=(0.95, 1.05), synth_lut=0.42, synth=(0.5, 1.8),
)  # fmt: skip
"""Resource strategy, RF > inputs in io_parallel: 871 layers of wa-hls4ml-search; logic synthesis of
24 networks in three sweeps of the reuse factor left 0.14 to 1.0 of the look-up tables, that of nine
designs 0.24 to 0.46."""

SELECTED = replace(RESOURCE, lut=(0.55, 3.0), cycles=(0.9, 1.7), ii=(0.9, 1.7))
"""Other resource-strategy layers: 71 of 8 repositories; those of one with an old hls4ml take up to
seven times the look-up tables."""

SIMPLE = Spread(lut=(0.5, 1.7), ff=(0.2, 1.5), cycles=(0.6, 1.3), ii=(0.95, 1.2))
"""Activations, padding, tables, batch norms: 170 layers of 15 repositories."""

SOFTMAX = Spread(
    lut=(0.25, 1.6), ff=(0.5, 2.5), dsp=(0.1, 1.0), bram=(0.35, 1.3), cycles=(0.7, 3.0),
    ii=(0.8, 4.0),
)  # fmt: skip
"""Softmax: 37 layers of 11 repositories; in 20 of them hls4ml shares the multipliers."""

POOL = Spread(lut=(0.6, 1.7), ff=(0.25, 2.5), cycles=(0.8, 1.9), ii=(0.8, 1.9))
"""Pooling: 60 layers of 7 repositories."""

SELECTION = Spread(lut=(0.1, 3.0), ff=(0.3, 2.0), cycles=(0.3, 2.0), ii=(0.3, 1.1))
"""What stands around the products of io_parallel convolutions: six layers of two repositories."""

FF_SYNTH = 0.8
"""Post-synthesis over csynth flip-flops that are not in DSP blocks; 27 designs of six repositories
give 0.19 to 1.23, half of them 0.64 to 0.87."""


def make_cost(
    spread: Spread,
    *,
    lut: float,
    ff: float,
    cycles: float,
    dsp: float = 0.0,
    bram: float = 0.0,
    ii: float = 1.0,
    absorbed_ff: float = 0.0,
    notes: tuple[str, ...] = (),
    rules: Sequence[str] | None = None,
    bram_synth: float | None = None,
) -> Cost:
    """Return the figures with the intervals of their family, post-synthesis ones derived.

    ``absorbed_ff`` of the flip-flops are registers that logic synthesis moves into DSP blocks.
    ``rules`` names what follows from a rule and is exact; by default no DSP, no BRAM and an II of 1
    do. ``bram_synth`` block RAMs are left by logic synthesis, all by default.
    """
    left = bram if bram_synth is None else bram_synth
    if rules is None:
        rules = [n for n, v in (("dsp", dsp), ("bram", bram), ("ii", ii - 1.0)) if v == 0.0]
    luts, ffs = (
        Estimate.spread(lut, spread.lut, 20.0),
        Estimate.spread(ff, spread.ff, 40.0),
    )
    lut_synth = Estimate(luts.value, luts.low * spread.synth[0], luts.high * spread.synth[1])
    return Cost(
        lut=luts,
        ff=ffs,
        dsp=_counted("dsp", dsp, spread.dsp, rules),
        dsp_synth=_counted("dsp", dsp, spread.dsp, rules),
        bram_18k_synth=_counted("bram", left, spread.bram, rules),
        bram_18k=_counted("bram", bram, spread.bram, rules),
        lut_synth=lut_synth.scaled(spread.synth_lut),
        ff_synth=ffs.scaled(FF_SYNTH * (1.0 - absorbed_ff / ff) if ff else FF_SYNTH),
        latency_cycles=Estimate.spread(cycles, spread.cycles, 1.0),
        ii=Estimate.exact(ii) if "ii" in rules else Estimate.spread(max(ii, 1.0), spread.ii),
        notes=notes,
    )


def _counted(name: str, number: float, factors: Factors, rules: Sequence[str]) -> Estimate:
    """Return a number of blocks: exact by a rule, else with one more or less."""
    if name in rules:
        return Estimate.exact(number)
    return Estimate.spread(number, factors, 1.0 if number else 0.0)


AREA = (
    "lut", "ff", "dsp", "bram_18k", "lut_synth", "ff_synth", "dsp_synth", "bram_18k_synth",
)  # fmt: skip
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
    wait, (low, high) = cost.ii.scaled(positions - 1), SIMPLE.ii
    busy = cost.ii.scaled(positions)
    busy = Estimate(busy.value, busy.low * low, busy.high * high)
    return replace(cost, ii=busy, latency_cycles=cost.latency_cycles + wait)


def per_position(cost: Cost, value: TensorType, target: Target) -> Cost:
    """Return the cost of hardware for one position, over all positions of a value.

    Streams reuse it; io_parallel has a copy for each position.
    """
    positions = prod(value.shape[:-1])
    return repeated(cost, positions) if target.streams else copied(cost, positions)


TOTAL: dict[str, Factors] = {
    "dsp": (0.95, 1.1), "ii": (0.9, 1.8), "latency_cycles": (0.75, 1.85), "bram_18k": (0.9, 2.0),
    "lut": (0.6, 1.4), "ff": (0.55, 1.6), "lut_synth": (0.45, 1.95), "ff_synth": (0.4, 1.7),
    "dsp_synth": (0.9, 1.1), "bram_18k_synth": (0.85, 1.05),
}  # fmt: skip
"""Ratio of real to estimated figures of whole designs that the interval lies between.

Learned on 58 designs of 18 repositories (27 of 6 after logic synthesis) by
``tests/benchmarks/learned_intervals.py``, so that it holds about 90 % of the designs of
repositories that were left out; ``docs/estimation-accuracy.md`` has the shares.
"""

WIDER = (0.5, 2.0)
"""How much lower and higher the ends of an interval are beyond the reports. Nothing says how wrong
a relation is there: this is a choice, not a measurement."""

PLUS = {
    "dsp": 1.0, "ii": 1.0, "latency_cycles": 1.0, "bram_18k": 1.0, "lut": 50.0, "ff": 100.0,
    "lut_synth": 50.0, "ff_synth": 100.0, "dsp_synth": 1.0, "bram_18k_synth": 1.0,
}  # fmt: skip
"""What is added to real and estimated figures before one is divided by the other."""


def widened(figure: str, found: Estimate) -> Estimate:
    """Return a figure of a whole design with the interval that reports of designs fall into.

    What follows from a rule is exact. Where nothing similar was among the reports, the interval is
    the wider one of that, and of what its layers' intervals add up to. DSP blocks and RAMs may be
    as few as those of its layers: a streamed softmax shares them where hls4ml has a reuse factor
    for the whole model, which a graph does not always say.
    """
    if found.basis is Basis.RULE:
        return found
    (low, high), plus = TOTAL[figure], PLUS[figure]
    low, high = ((found.value + plus) * factor - plus for factor in (low, high))
    if figure in BLOCKS:
        low = min(low, found.low)
    if found.basis is Basis.EXTRAPOLATED:
        low, high = min(low * WIDER[0], found.low), max(high * WIDER[1], found.high)
    return Estimate(found.value, max(low, LEAST.get(figure, 0.0)), high, found.basis)


BLOCKS = ("dsp", "dsp_synth", "bram_18k", "bram_18k_synth")
"""Figures of which a streamed softmax may take a part only."""

LEAST = {"ii": 1.0}
"""Least that a figure can be, where that is not 0."""
