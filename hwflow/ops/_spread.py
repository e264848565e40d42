"""How far real reports stray from the relations, and the step from figures to a ``Cost``.

Each pair is the 5 % and 95 % quantile of real over estimated figures on public reports, every
repository counting once; ``tests/benchmarks/bench_estimate.py`` prints them again from the points.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.ir.cost import Cost, Estimate

Factors = tuple[float, float]


@dataclass(frozen=True)
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
    """

    lut: Factors
    ff: Factors
    dsp: Factors
    bram: Factors
    cycles: Factors
    ii: Factors
    synth_lut: float


UNROLLED = Spread(
    (0.6, 1.6), (0.3, 2.0), (0.85, 1.1), (1.0, 1.0), (0.5, 2.0), (1.0, 1.0), 0.54
)
REUSED = Spread(
    (0.6, 1.6), (0.4, 2.5), (0.6, 1.3), (1.0, 1.0), (0.5, 2.0), (0.5, 1.5), 0.54
)
RESOURCE = Spread(
    (0.2, 2.0), (0.4, 3.0), (0.9, 1.2), (0.7, 1.3), (0.9, 1.1), (0.95, 1.05), 0.25
)
SIMPLE = Spread(
    (0.4, 2.0), (0.0, 2.0), (0.9, 1.1), (0.5, 1.5), (0.5, 2.0), (0.9, 1.3), 0.54
)

SOFTMAX = Spread(
    (0.3, 6.0), (0.3, 3.0), (0.9, 1.1), (0.6, 1.3), (0.5, 2.0), (1.0, 1.0), 0.54
)
POOL = Spread(
    (0.3, 2.0), (0.3, 2.0), (1.0, 1.0), (1.0, 1.0), (0.9, 1.2), (0.9, 1.2), 0.54
)

FF_SYNTH = 0.7
"""Post-synthesis over csynth flip-flops; seven designs with both reports give 0.23 to 1.9."""

SYNTH_SPREAD: Factors = (0.8, 1.25)
"""Further spread that logic synthesis adds to the look-up tables."""


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
    further = SYNTH_SPREAD
    lut_synth = Estimate(luts.value, luts.low * further[0], luts.high * further[1])
    return Cost(
        lut=luts,
        ff=ffs,
        dsp=Estimate.spread(dsp, spread.dsp),
        bram_18k=Estimate.spread(bram, spread.bram),
        lut_synth=lut_synth.scaled(spread.synth_lut),
        ff_synth=ffs.scaled(FF_SYNTH),
        latency_cycles=Estimate.spread(cycles, spread.cycles, 1.0),
        ii=Estimate.spread(max(ii, 1.0), spread.ii),
        notes=notes,
    )
