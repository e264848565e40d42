"""Sentences and rows below the report's tables: what a sum is, where time went."""

from __future__ import annotations

from collections.abc import Sequence

from hwflow.estimate.total import module_cycles
from hwflow.ir.op import Target
from hwflow.report.parts import Stage, TargetData

PASS = "pass "
"""What the names of the compiler's passes start with."""


def latency_note(target: TargetData) -> str:
    """Return why the latency of the whole design is not the sum of its layers'."""
    machine = Target(target.backend, target.io_type, target.part, target.clock_period_ns)
    more = f"{module_cycles(machine):g} cycles"
    calls = f"and {more} for each layer on it that has logic"
    if target.io_type == "io_stream":
        return (
            "The latency of the whole design is that of the longest path through the layers, not "
            "the sum of the column: layers that work pixel by pixel overlap, so that the largest "
            f"II counts once and each of them with its latency beyond its own II, {calls}. "
            "II is the largest of all layers."
        )
    return (
        "The latency of the whole design is that of the longest path through the layers, not the "
        f"sum of the column: the latencies on it {calls}. II is the largest of all layers."
    )


def stage_rows(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """Return name and time of every stage, the passes of the compiler added up."""
    passes = [stage.seconds for stage in stages if stage.name.startswith(PASS)]
    rows = [(stage.name, stage.seconds) for stage in stages if not stage.name.startswith(PASS)]
    if passes:
        rows.insert(min(1, len(rows)), (f"{len(passes)} passes", sum(passes)))
    return [(name, _time(seconds)) for name, seconds in rows]


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"
