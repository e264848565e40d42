"""``train``: learned bits by plain arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from hwflow.compression.granularity import Granularity
from hwflow.compression.material import Task
from hwflow.compression.qat import Progress, Say, Trained
from hwflow.compression.qat import train as train_request
from hwflow.compression.request import Request
from hwflow.core.errors import CompileError, Diagnostic

CHOICES = {
    "task": get_args(Task),
    "io_type": ("io_parallel", "io_stream"),
    "weights": ("weight", "channel", "layer"),
    "activations": ("channel", "layer"),
}
"""What the options that are words may be."""

LEAST = {"epochs": 1, "batch": 1, "draw": 0, "temperature": 1e-3, "seed": 0}
"""What the options that are numbers are at least."""


def train(
    model: str | Path,
    data: str | Path,
    *,
    goal: str,
    run: str | Path,
    teacher: str | Path = "",
    weights: str = "weight",
    activations: str = "channel",
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
    **options: Any,
) -> Trained:
    """Train a float network with learned bits, until a cost is met.

    Args:
        model: path of a float model, as ``quantize`` takes it.
        data: path of its data, with labels as ``y``.
        goal: ``ebops=8000``, ``lut=3000`` or ``fits=BOARD``.
        run: folder of the training; one that was ended goes on.
        teacher: path of another float model whose outputs are learned.
        weights: bits for each ``weight``, ``channel`` or ``layer``.
        activations: bits for each ``channel`` or ``layer``.
        progress: called as stages go on.
        say: called with a line for each epoch.
        options: ``task``, ``epochs``, ``batch``, ``draw``, ``temperature``, ``seed``, ``board``,
            ``io_type``; see ``Request``.

    Raises:
        CompileError: the model, the data or the options cannot be used; HW355, the folder is
            another training's; HW354, hardware and training differ.
    """
    given = {**options, "weights": weights, "activations": activations}
    findings = [_refused(n, v) for n, v in given.items() if not _usable(n, v)]
    if findings:
        raise CompileError(findings)
    request = Request(
        model=str(model), data=str(data), goal=goal, teacher=str(teacher or ""),
        granularity=Granularity(weights, activations), **options,  # type: ignore[arg-type]
    )  # fmt: skip
    return train_request(request, Path(run), progress=progress, say=say)


def _usable(name: str, value: Any) -> bool:
    if name in CHOICES:
        return value in CHOICES[name]
    return name not in LEAST or value >= LEAST[name]


def _refused(name: str, value: Any) -> Diagnostic:
    words = ", ".join(CHOICES[name]) if name in CHOICES else f"{LEAST[name]} or more"
    return Diagnostic(
        code="HW356", title="an option of a training cannot be used",
        where=f"--{name.replace('_', '-')}", found=str(value), supported=words,
    )  # fmt: skip
