"""Resources and timing of one layer, each figure with an interval."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Estimate:
    """A figure with the interval that real synthesis reports fall into about nine times in ten.

    Attributes:
        value: best single figure.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def __str__(self) -> str:
        """Return the figure with its interval."""
        return f"{self.value:,.0f} ({self.low:,.0f}-{self.high:,.0f})"

    @classmethod
    def spread(cls, value: float, factors: tuple[float, float], absolute: float = 0.0) -> Estimate:
        """Return ``value`` between two multiples of it, ``absolute`` wider; never below 0.

        Ratios of real figures to estimated ones are skewed, so the two sides have their own.
        """
        low, high = factors
        return cls(value, max(0.0, value * low - absolute), value * high + absolute)

    def scaled(self, factor: float) -> Estimate:
        """Return the figure and both ends times ``factor``."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def __add__(self, other: Estimate) -> Estimate:
        """Add figures; intervals add end to end, since one tool's errors go the same way."""
        return Estimate(self.value + other.value, self.low + other.low, self.high + other.high)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one layer takes.

    Attributes:
        lut: look-up tables as the HLS tool's C synthesis reports them (csynth).
        ff: flip-flops as csynth reports them.
        dsp: DSP blocks.
        bram_18k: 18 kbit block RAM halves.
        lut_synth: look-up tables after logic synthesis.
        ff_synth: flip-flops after logic synthesis.
        latency_cycles: clock cycles from first input to last output.
        ii: initiation interval, cycles between two inferences.
        notes: what the figures rest on, for the report.
    """

    lut: Estimate = field(default_factory=Estimate)
    ff: Estimate = field(default_factory=Estimate)
    dsp: Estimate = field(default_factory=Estimate)
    bram_18k: Estimate = field(default_factory=Estimate)
    lut_synth: Estimate = field(default_factory=Estimate)
    ff_synth: Estimate = field(default_factory=Estimate)
    latency_cycles: Estimate = field(default_factory=Estimate)
    ii: Estimate = field(default_factory=lambda: Estimate(1, 1, 1))
    notes: tuple[str, ...] = ()
