"""What cannot be pruned, said before any work."""

from __future__ import annotations

from hwflow.compression.pruning.request import PruneRequest
from hwflow.core.errors import CompileError, Diagnostic


def refuse_pattern(request: PruneRequest) -> None:
    """Make sure that what a pattern leaves out leaves the hardware.

    Raises:
        CompileError: HW361, multipliers of the resource strategy stay whatever their weights are.
    """
    hardware = request.source.hardware
    if request.pattern not in ("dsp", "adder") or hardware.strategy != "resource":
        return
    finding = Diagnostic(
        code="HW361", title="hardware that does not leave with its weights",
        where=f"--pattern {request.pattern}", found="--strategy resource",
        supported="--strategy latency",
        help="multipliers of the resource strategy read their weights from memory, zeros as well: "
        "give --strategy latency with this --reuse-factor, or --pattern channel",
    )  # fmt: skip
    raise CompileError([finding])
