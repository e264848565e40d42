"""What says the ranks of a factorisation: one thing alone."""

from __future__ import annotations

from hwflow.compression.lowrank.request import LowRankRequest
from hwflow.core.errors import CompileError, Diagnostic


def refuse_several(request: LowRankRequest) -> None:
    """Make sure that at most one of rank, energy and goal is given, and that it can be used.

    Raises:
        CompileError: HW363.
    """
    given = {"--rank": request.rank, "--energy": request.energy, "--target": request.goal}
    asked = [f"{name} {value}" for name, value in given.items() if value]
    legal = request.rank >= 0 and 0 <= request.energy < 1
    if len(asked) < 2 and legal and not request.goal.startswith("sparsity"):
        return
    finding = Diagnostic(
        code="HW363", title="it is not clear what rank layers are to have", found=", ".join(asked),
        supported="--rank 4, --energy 0.95 (0 to 1), or --target lut=3000, dsp=20, ebops=8000, "
        "fits=BOARD",
        help="give one of them, or none for an energy of 0.95",
    )  # fmt: skip
    raise CompileError([finding])
