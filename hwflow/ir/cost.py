"""Resources and timing of one layer, each figure with an interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Basis(StrEnum):
    """What a figure rests on, the surest first.

    ``RULE`` follows from the tool's documented behaviour and is exact, ``FITTED`` has constants
    learned from reports, and for ``EXTRAPOLATED`` nothing similar was among the reports.
    """

    RULE = "rule"
    FITTED = "fitted"
    EXTRAPOLATED = "extrapolated"

    @staticmethod
    def worst(bases: Iterable[Basis]) -> Basis:
        """Return the least sure of some; a rule where there is none."""
        return max(bases, key=list(Basis).index, default=Basis.RULE)


@dataclass(frozen=True)
class Estimate:
    """A figure with the interval that real synthesis reports fall into about nine times in ten.

    Attributes:
        value: best single figure.
        low: lower end of the interval.
        high: upper end of the interval.
        basis: what the figure rests on.
    """

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    basis: Basis = Basis.FITTED

    def __str__(self) -> str:
        """Return the figure with its interval."""
        return f"{self.value:,.0f} ({self.low:,.0f}-{self.high:,.0f})"

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """Return a figure that follows from a rule."""
        return cls(value, value, value, Basis.RULE)

    @classmethod
    def spread(cls, value: float, factors: tuple[float, float], absolute: float = 0.0) -> Estimate:
        """Return ``value`` between two multiples of it, ``absolute`` wider; never below 0.

        Ratios of real figures to estimated ones are skewed, so the two sides have their own.
        """
        low, high = factors
        return cls(value, max(0.0, value * low - absolute), value * high + absolute)

    def scaled(self, factor: float) -> Estimate:
        """Return the figure and both ends times ``factor``."""
        value, low, high = self.value * factor, self.low * factor, self.high * factor
        return Estimate(value, low, high, self.basis)

    def on(self, basis: Basis) -> Estimate:
        """Return the same figure with another basis."""
        return replace(self, basis=basis)

    def __add__(self, other: Estimate) -> Estimate:
        """Add figures; intervals add end to end, since one tool's errors go the same way.

        The sum rests on the less sure of the two. A 0 counts, too: that nothing is needed may have
        been learned.
        """
        basis = self.basis
        if other.basis is not basis:
            basis = Basis.worst((basis, other.basis))
        value, low = self.value + other.value, self.low + other.low
        return Estimate(value, low, self.high + other.high, basis)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one layer takes.

    Attributes:
        lut: look-up tables as the HLS tool's C synthesis reports them (csynth).
        ff: flip-flops as csynth reports them.
        dsp: DSP blocks as csynth reports them.
        bram_18k: 18 kbit block RAM halves as csynth reports them.
        lut_synth: look-up tables after logic synthesis.
        ff_synth: flip-flops after logic synthesis.
        dsp_synth: DSP blocks after logic synthesis.
        bram_18k_synth: 18 kbit block RAM halves after logic synthesis.
        latency_cycles: clock cycles from first input to last output.
        ii: initiation interval, cycles between two inferences.
        notes: what the figures rest on, for the report.
    """

    lut: Estimate = field(default_factory=lambda: Estimate.exact(0))
    ff: Estimate = field(default_factory=lambda: Estimate.exact(0))
    dsp: Estimate = field(default_factory=lambda: Estimate.exact(0))
    bram_18k: Estimate = field(default_factory=lambda: Estimate.exact(0))
    lut_synth: Estimate = field(default_factory=lambda: Estimate.exact(0))
    ff_synth: Estimate = field(default_factory=lambda: Estimate.exact(0))
    dsp_synth: Estimate = field(default_factory=lambda: Estimate.exact(0))
    bram_18k_synth: Estimate = field(default_factory=lambda: Estimate.exact(0))
    latency_cycles: Estimate = field(default_factory=lambda: Estimate.exact(0))
    ii: Estimate = field(default_factory=lambda: Estimate.exact(1))
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Correction:
    """Factors that estimates are multiplied with, learnt from reports of one tool and family.

    Attributes:
        factors: name of each figure that has one, and the factor; in a lasting order.
        family: family of devices that it was learnt on, and is for.
        basis: where they come from, for the reader of an estimate.
    """

    factors: tuple[tuple[str, float], ...]
    family: str
    basis: str

    def of(self, figure: str) -> float:
        """Return the factor of a figure; 1 where there is none."""
        return dict(self.factors).get(figure, 1.0)

    def applied(self, cost: Cost) -> Cost:
        """Return a cost with its figures multiplied; nothing is started before the last one."""
        scaled: dict[str, Any] = {
            name: _learned(getattr(cost, name), factor) for name, factor in self.factors
        }
        if "ii" in scaled:
            ii = scaled["ii"]
            value, low, high = (max(1.0, end) for end in (ii.value, ii.low, ii.high))
            scaled["ii"] = Estimate(value, low, high, ii.basis)
        return replace(cost, **scaled)


def _learned(figure: Estimate, factor: float) -> Estimate:
    """Return a figure times a factor from reports, on which a rule then rests, too."""
    found = figure.scaled(factor)
    return found.on(Basis.FITTED) if figure.basis is Basis.RULE and factor != 1.0 else found
