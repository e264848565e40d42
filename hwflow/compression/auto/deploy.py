"""The build of a design that meets everything on paper: made from its files, and verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwflow.compression.auto.bench import Bench
from hwflow.compression.auto.hardware import limits_of
from hwflow.project.compiler import compile as compile_model
from hwflow.verify.verification import Verification

BUILD, SETTINGS, NETWORK = "build", "hwflow.toml", "model.onnx"
"""A run's folder has the build, and what it was made from; those of trials have the latter."""


def deployed(bench: Bench, place: Path, folder: Path) -> dict[str, Any]:
    """Build a design as ``hwflow build`` does, and hold the build against the limits.

    Args:
        bench: the data and the requirements.
        place: folder of a trial with its network and its settings.
        folder: folder of the run, where the build is written.

    Returns:
        ``verified``, what verification says in words as ``statements``, and ``unmet``: why the
        build is not handed over.

    Raises:
        CompileError: the design cannot be compiled or written.
        ToolError: g++ is missing, or the C++ does not compile.
    """
    design = compile_model(place / NETWORK, config=place / SETTINGS)
    verification = design.verify(str(bench.wanted.data))
    unmet = [*limits_of(design, bench.wanted), *_broken(verification)]
    design.write(folder / BUILD, verification)
    said = {s.claim.name: str(s.found or "not checked") for s in verification.statements}
    return {"verified": not unmet, "statements": said, "unmet": unmet}


def _broken(found: Verification) -> list[str]:
    """Return which statements on the bits of a build do not hold."""
    broken = [] if found.bit_exact else ["faithful: simulation, golden model and C++ differ"]
    if found.lossless is None or not found.lossless.holds:
        broken.append("lossless: hardware and network differ")
    return broken
