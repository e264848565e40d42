"""Figures of a whole design from those of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwflow.estimate.calibration import correction_for
from hwflow.estimate.capacity import beyond_device
from hwflow.estimate.device import fabric_of
from hwflow.estimate.spread import AREA, TOTAL, widened
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.op import Target

MODULE_CYCLES = {"Vivado": 0.5, "Vitis": 2.0}
"""Cycles that a submodule adds to its own latency in a pipeline (19 designs in io_parallel)."""

TIGHT_CYCLES, STREAM_CYCLES = 1.2, 0.5
"""The same with Vivado HLS where a stage has no more than two adders (four designs), and in
streams, which Vitis HLS starts a cycle later each."""


def module_cycles(target: Target) -> float:
    """Return the cycles that a submodule adds to its own latency."""
    parts = fabric_of(target)
    if target.streams:
        return STREAM_CYCLES + (target.backend == "Vitis") / 2
    tight = target.backend == "Vivado" and parts.usable_ns < 3 * parts.adder_ns
    return TIGHT_CYCLES if tight else MODULE_CYCLES[target.backend]


def total_cost(
    nodes: Sequence[tuple[str, Sequence[str]]],
    costs: Mapping[str, Cost],
    target: Target,
    one_shot: Mapping[str, int] | None = None,
) -> Cost:
    """Return the cost of a whole design.

    io_parallel: one pipeline; latency is the longest path, ``MODULE_CYCLES`` more for every
    submodule that has logic. io_stream: layers that work pixel by pixel overlap (dataflow): the
    slowest of them counts in full, the others with what they add before their first output; layers
    that need their whole input at once count in full, less the beats in which it comes. II is the
    largest in both.

    Args:
        nodes: names and inputs, in topological order.
        costs: cost by name.
        target: backend, io type, part and clock.
        one_shot: in how many beats the layers get their input that wait for all of it.
    """
    area = {f: total_area([getattr(c, f) for c in costs.values()], f in COMMON) for f in AREA}
    ii = slowest([c.ii for c in costs.values()])
    value, low, high = (_path(nodes, costs, target, one_shot or {}, end) for end in _ENDS)
    notes = tuple(dict.fromkeys(note for c in costs.values() for note in c.notes))
    basis = resting_on([c.latency_cycles for c in costs.values()])
    latency = Estimate(value, min(low, value), max(high, value), basis)
    area["lut_synth"] += beyond_device(area["dsp_synth"], target.part)
    return Cost(**area, ii=ii, latency_cycles=latency, notes=notes)


def of_reports(total: Cost) -> Cost:
    """Return the cost of a whole design with the intervals that reports of designs fall into."""
    wide = {f: widened(f, getattr(total, f)) for f in TOTAL}
    return Cost(**wide, notes=total.notes)


COMMON = ("ff", "ff_synth")
"""Figures whose errors are common to all layers: how deep the tool pipelines decides flip-flops."""


def total_area(figures: Sequence[Estimate], common: bool) -> Estimate:
    """Return the sum of a figure over layers.

    Margins add end to end where the errors are common, else as independent errors do, by the root
    of the sum of their squares; ``docs/estimates.md`` has the share of designs that this holds.
    """
    total = sum(figures, Estimate.exact(0)).on(resting_on(figures))
    if common:
        return total
    below = sum((f.value - f.low) ** 2 for f in figures) ** 0.5
    above = sum((f.high - f.value) ** 2 for f in figures) ** 0.5
    return Estimate(total.value, max(0.0, total.value - below), total.value + above, total.basis)


FEW = 0.1
"""Part of a total up to which extrapolated layers do not make it extrapolated: the interval of what
is fitted is wider than what they add."""


def resting_on(figures: Sequence[Estimate]) -> Basis:
    """Return what a total over layers rests on."""
    doubtful = sum(e.value for e in figures if e.basis is Basis.EXTRAPOLATED)
    if doubtful > FEW * sum(e.value for e in figures):
        return Basis.EXTRAPOLATED
    return Basis.FITTED if any(e.basis is not Basis.RULE for e in figures) else Basis.RULE


def slowest(intervals: Sequence[Estimate]) -> Estimate:
    """Return the largest of some figures; it rests on whatever could be the largest."""
    value, low, high = (max((getattr(e, end) for e in intervals), default=1.0) for end in _ENDS)
    return Estimate(value, low, high, Basis.worst(e.basis for e in intervals if e.high >= value))


_ENDS = ("value", "low", "high")


def _path(
    nodes: Sequence[tuple[str, Sequence[str]]],
    costs: Mapping[str, Cost],
    target: Target,
    one_shot: Mapping[str, int],
    end: str,
) -> float:
    """Return the length of the longest path for one end of the interval."""
    done: dict[str, float] = {}
    slowest = 0.0
    for name, inputs in nodes:
        step, interval = step_of(costs[name], target, one_shot.get(name), end)
        slowest = max(slowest, interval)
        done[name] = max((done[i] for i in inputs), default=0.0) + step
    return max(done.values(), default=0.0) + slowest


def step_of(
    cost: Cost, target: Target, waits: int | None = None, end: str = "value"
) -> tuple[float, float]:
    """Return what a layer adds to a path, and what of its time overlaps with other layers', cycles.

    The latency of a design is its longest path, and the largest of what overlaps (io_stream).

    Args:
        cost: the layer's cost.
        target: backend, io type, part and clock.
        waits: in how many beats it gets its input, where it waits for all of it.
        end: which figure of the interval: ``value``, ``low`` or ``high``.
    """
    step, interval = float(getattr(cost.latency_cycles, end)), 0.0
    if target.streams:
        interval = float(getattr(cost.ii, end)) if waits is None else waits - 1.0
        step = max(0.0, step - interval)
    if cost.lut.value + cost.dsp.value > 0:
        correction = correction_for(target)
        factor = correction.of("latency_cycles") if correction else 1.0
        step += module_cycles(target) * factor
    return step, interval
