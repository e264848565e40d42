"""Which values the options of trainings may have, whatever the method."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, get_args

from hwflow.compression.material import Task
from hwflow.core.errors import CompileError, Diagnostic

CHOICES = {
    "task": get_args(Task),
    "io_type": ("io_parallel", "io_stream"),
    "weights": ("weight", "channel", "layer"),
    "activations": ("channel", "layer"),
    "factoring": ("", "svd", "qr", "tucker2"),
    "pruning": ("l1", "gradient", "movement"),
    "pattern": ("weight", "channel", "dsp", "adder"),
    "strategy": ("latency", "resource", "distributed_arithmetic"),
}
"""What the options that are words may be."""

OPTIONS = {"pruning": "method", "factoring": "method"}
"""Options by name, where another method has one of the same."""

BOUNDS = {
    "epochs": (1, inf), "batch": (1, inf), "draw": (0, inf), "temperature": (1e-3, inf),
    "hard": (0, 1), "seed": (0, inf), "patience": (0, inf), "shrink": (1e-3, 1),
    "steps": (1, inf), "reuse_factor": (1, inf),
}  # fmt: skip
"""The least and the greatest value of the options that are numbers."""


def check_options(given: Mapping[str, Any]) -> None:
    """Make sure that options can be used.

    Args:
        given: values by name.

    Raises:
        CompileError: HW356, one cannot.
    """
    findings = [_refused(n, v) for n, v in given.items() if not _usable(n, v)]
    if findings:
        raise CompileError(findings)


def _usable(name: str, value: Any) -> bool:
    if name in CHOICES:
        return value in CHOICES[name]
    least, most = BOUNDS.get(name, (None, None))
    return least is None or most is None or bool(least <= value <= most)


def _refused(name: str, value: Any) -> Diagnostic:
    if name in CHOICES:
        words = ", ".join(CHOICES[name])
    else:
        least, most = BOUNDS[name]
        words = f"{least} or more" if most == inf else f"{least} to {most}"
    return Diagnostic(
        code="HW356", title="an option of a training cannot be used",
        where=f"--{OPTIONS.get(name, name).replace('_', '-')}", found=str(value), supported=words,
    )  # fmt: skip
