"""Figures of a whole design from those of its layers."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from hwflow.estimate.spread import AREA
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target

MODULE_CYCLES = {"Vivado": 0.5, "Vitis": 2.0}
"""Cycles that a submodule adds to its own latency (13 designs in io_parallel)."""


def total_cost(
    nodes: Sequence[tuple[str, Sequence[str]]],
    costs: Mapping[str, Cost],
    target: Target,
    one_shot: Container[str] = (),
) -> Cost:
    """Return the cost of a whole design.

    io_parallel: one pipeline; latency is the longest path, ``MODULE_CYCLES`` more for every
    submodule that has logic. io_stream: layers that work pixel by pixel overlap (dataflow): the
    slowest of them counts in full, the others with what they add before their first output; layers
    that need their whole input at once count in full. II is the largest in both.

    Args:
        nodes: names and inputs, in topological order.
        costs: cost by name.
        target: backend, io type, part and clock.
        one_shot: names of the layers that take their input in one step.
    """
    area = {f: total_area([getattr(c, f) for c in costs.values()], f in COMMON) for f in AREA}
    ii = Estimate(*(max((getattr(c.ii, e) for c in costs.values()), default=1.0) for e in _ENDS))
    value, low, high = (_path(nodes, costs, target, one_shot, end) for end in _ENDS)
    notes = tuple(dict.fromkeys(note for c in costs.values() for note in c.notes))
    latency = Estimate(value, min(low, value), max(high, value))
    return Cost(**area, ii=ii, latency_cycles=latency, notes=notes)


COMMON = ("ff", "ff_synth")
"""Figures whose errors are common to all layers: how deep the tool pipelines decides flip-flops."""


def total_area(figures: Sequence[Estimate], common: bool) -> Estimate:
    """Return the sum of a figure over layers.

    Margins add end to end where the errors are common, else as independent errors do, by the root
    of the sum of their squares; ``docs/estimates.md`` has the share of designs that this holds.
    """
    total = sum(figures, Estimate())
    if common:
        return total
    below = sum((f.value - f.low) ** 2 for f in figures) ** 0.5
    above = sum((f.high - f.value) ** 2 for f in figures) ** 0.5
    return Estimate(total.value, max(0.0, total.value - below), total.value + above)


_ENDS = ("value", "low", "high")


def _path(
    nodes: Sequence[tuple[str, Sequence[str]]],
    costs: Mapping[str, Cost],
    target: Target,
    one_shot: Container[str],
    end: str,
) -> float:
    """Return the length of the longest path for one end of the interval."""
    done: dict[str, float] = {}
    slowest = 0.0
    for name, inputs in nodes:
        cost = costs[name]
        step = float(getattr(cost.latency_cycles, end))
        if target.streams and name not in one_shot:
            interval = float(getattr(cost.ii, end))
            step = max(0.0, step - interval)
            slowest = max(slowest, interval)
        if cost.lut.value + cost.dsp.value > 0:
            step += MODULE_CYCLES[target.backend]
        done[name] = max((done[i] for i in inputs), default=0.0) + step
    return max(done.values(), default=0.0) + slowest
