"""``train``: learned bits by plain arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwflow.compression.granularity import Granularity
from hwflow.compression.options import check_options
from hwflow.compression.qat import Progress, Say, Trained
from hwflow.compression.qat import train as train_request
from hwflow.compression.request import Request


def train(
    model: str | Path,
    data: str | Path,
    *,
    goal: str,
    run: str | Path,
    teachers: Sequence[str | Path] = (),
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
        teachers: paths of other float models whose outputs are learned, on average.
        weights: bits for each ``weight``, ``channel`` or ``layer``.
        activations: bits for each ``channel`` or ``layer``.
        progress: called as stages go on.
        say: called with a line for each epoch.
        options: ``task``, ``epochs``, ``batch``, ``draw``, ``temperature``, ``hard``, ``seed``,
            ``board``, ``io_type``; see ``Request``.

    Raises:
        CompileError: the model, the data or the options cannot be used; HW355, the folder is
            another training's; HW354, hardware and training differ.
    """
    given = {**options, "weights": weights, "activations": activations}
    check_options(given)
    request = Request(
        model=str(model), data=str(data), goal=goal, teachers=tuple(map(str, teachers)),
        granularity=Granularity(weights, activations), **options,  # type: ignore[arg-type]
    )  # fmt: skip
    return train_request(request, Path(run), progress=progress, say=say)
