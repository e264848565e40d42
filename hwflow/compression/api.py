"""``train``, ``distill`` and ``fuse`` by plain arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwflow.compression.distill import Distilled, DistillRequest
from hwflow.compression.distill import distill as distill_request
from hwflow.compression.fusing.run import FusedRun, FuseRequest, Kind
from hwflow.compression.fusing.run import fuse as fuse_request
from hwflow.compression.granularity import Granularity
from hwflow.compression.options import check_options
from hwflow.compression.qat import Progress, Say, Trained
from hwflow.compression.qat import train as train_request
from hwflow.compression.request import Request
from hwflow.compression.starts import start_of


def train(
    model: str | Path | None = None,
    data: str | Path | None = None,
    *,
    goal: str,
    run: str | Path,
    from_run: str | Path | None = None,
    point: int | None = None,
    teachers: Sequence[str | Path] = (),
    weights: str = "weight",
    activations: str = "channel",
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
    **options: Any,
) -> Trained:
    """Train a float network with learned bits, until a cost is met.

    Args:
        model: path of a float model, as ``quantize`` takes it, or ``FILE.py:FUNCTION`` for one that
            code gives, such as a torch module.
        data: path of its data, with labels as ``y``, or code in the same way.
        goal: ``ebops=8000``, ``lut=3000`` or ``fits=BOARD``.
        run: folder of the training; one that was ended goes on.
        from_run: instead of model and data, folder of an exploration of them.
        point: id of a point of its front, whose bits the training begins with; the knee unless
            given.
        teachers: paths of other float models whose outputs are learned, on average.
        weights: bits for each ``weight``, ``channel`` or ``layer``.
        activations: bits for each ``channel`` or ``layer``.
        progress: called as stages go on.
        say: called with a line for each epoch.
        options: ``features``, ``task``, ``epochs``, ``batch``, ``draw``, ``temperature``, ``hard``,
            ``seed``, ``board``, ``io_type``, ``tables``; see ``Request``.

    Raises:
        CompileError: the model, the data or the options cannot be used; HW355, the folder is
            another training's; HW354, hardware and training differ.
    """
    given = {**options, "weights": weights, "activations": activations}
    check_options(given)
    start = start_of(model, data, _path(from_run), point)
    request = Request(
        model=start.model, data=start.data, bits=start.bits, goal=goal,
        teachers=tuple(map(str, teachers)), granularity=Granularity(weights, activations),  # type: ignore[arg-type]
        **_tuples(options),
    )  # fmt: skip
    return train_request(request, Path(run), progress=progress, say=say)


def distill(
    model: str | Path | None = None,
    data: str | Path | None = None,
    *,
    run: str | Path,
    from_run: str | Path | None = None,
    teachers: Sequence[str | Path] = (),
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
    **options: Any,
) -> Distilled:
    """Train a float network with the answers of others.

    Args:
        model: the student, as ``train`` takes it.
        data: its data, in the same way.
        run: folder of the distillation; one that was ended goes on.
        from_run: instead of model and data, folder of an exploration of them.
        teachers: what is learned from, on average; the model itself unless given.
        progress: called as stages go on.
        say: called with a line for each epoch.
        options: ``features``, ``shrink``, ``task``, ``epochs``, ``batch``, ``draw``,
            ``temperature``, ``hard``, ``patience``, ``seed``; see ``DistillRequest``.

    Raises:
        CompileError: the models, the data or the options cannot be used; HW355, the folder is
            another run's.
    """
    check_options(options)
    start = start_of(model, data, _path(from_run), None)
    request = DistillRequest(
        model=start.model, data=start.data, teachers=tuple(map(str, teachers)), **_tuples(options)
    )
    return distill_request(request, Path(run), progress=progress, say=say)


def fuse(
    kind: Kind,
    models: Sequence[str | Path],
    *,
    data: str | Path | None = None,
    run: str | Path,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
    **options: Any,
) -> FusedRun:
    """Make one network of several, or one layer of layers that follow each other.

    Args:
        kind: ``ensemble``, ``soup``, ``features`` or ``layers``.
        models: the networks, as ``train`` takes them; one for ``layers``.
        data: samples to judge with, and to train a head with.
        run: folder of what comes of it.
        progress: called as stages go on.
        say: called with a line for each epoch.
        options: ``task``, and ``epochs``, ``batch``, ``draw``, ``temperature``, ``hard``, ``seed``
            of the training of a head; see ``FuseRequest``.

    Raises:
        CompileError: the models, the data or the options cannot be used, or the networks do not
            fit together; HW355, the folder is another run's.
    """
    check_options(options)
    request = FuseRequest(
        kind=kind, models=tuple(map(str, models)), data=str(data or ""), **_tuples(options)
    )
    return fuse_request(request, Path(run), progress=progress, say=say)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _tuples(options: dict[str, Any]) -> dict[str, Any]:
    return {n: tuple(v) if isinstance(v, list) else v for n, v in options.items()}
