"""``prune`` and ``lowrank`` by plain arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hwflow.compression.bench import FloatTraining, Progress, Say, Source
from hwflow.compression.lowrank.lowrank import Factored
from hwflow.compression.lowrank.lowrank import lowrank as lowrank_request
from hwflow.compression.lowrank.request import LowRankRequest
from hwflow.compression.options import check_options
from hwflow.compression.pruning.prune import Pruned
from hwflow.compression.pruning.prune import prune as prune_request
from hwflow.compression.pruning.request import PruneRequest
from hwflow.compression.rough import Hardware
from hwflow.compression.starts import start_of


def prune(
    model: str | Path | None,
    data: str | Path | None,
    *,
    goal: str,
    run: str | Path,
    method: str = "l1",
    pattern: str = "weight",
    steps: int = 5,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
    **options: Any,
) -> Pruned:
    """Leave out what of a float network is not worth its hardware, and train the rest.

    Args:
        model: path of a float model, as ``quantize`` takes it, or ``FILE.py:FUNCTION``.
        data: path of its data, with labels as ``y``, or code in the same way.
        goal: ``lut=3000``, ``dsp=20``, ``ebops=8000``, ``sparsity=0.7`` or ``fits=BOARD``.
        run: folder of the run; one that was ended goes on.
        method: how weights are valued: ``l1``, ``gradient`` or ``movement``.
        pattern: what leaves together: ``weight``, ``channel``, ``dsp`` or ``adder``.
        steps: times that something leaves; after each the rest is trained.
        progress: called as stages go on.
        say: called with a line for each step and epoch.
        options: fields of ``FloatTraining`` and ``Hardware``.

    Raises:
        CompileError: the model, the data or the options cannot be used; HW355, the folder is
            another run's.
    """
    check_options({**options, "pruning": method, "pattern": pattern, "steps": steps})
    request = PruneRequest(
        source=source_of(model, data, options), goal=goal, method=method,  # type: ignore[arg-type]
        pattern=pattern, steps=steps,  # type: ignore[arg-type]
    )  # fmt: skip
    return prune_request(request, Path(run), progress=progress, say=say)


def lowrank(
    model: str | Path | None,
    data: str | Path | None,
    *,
    run: str | Path,
    method: str = "",
    layers: Sequence[str] = (),
    rank: int = 0,
    energy: float = 0.0,
    goal: str = "",
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
    **options: Any,
) -> Factored:
    """Factor layers of a float network where their hardware gets cheaper, and train it.

    Args:
        model: path of a float model, as ``quantize`` takes it, or ``FILE.py:FUNCTION``.
        data: path of its data, with labels as ``y``, or code in the same way.
        run: folder of the run; one that was ended goes on.
        method: ``svd``, ``qr`` or ``tucker2``; SVD and Tucker-2 unless given.
        layers: names of layers; all that the method suits unless given.
        rank: rank of all layers.
        energy: part of the squares of singular values that is kept, instead.
        goal: ``lut=3000``, ``dsp=20``, ``ebops=8000`` or ``fits=BOARD``, instead.
        progress: called as stages go on.
        say: called with a line for each layer and epoch.
        options: fields of ``FloatTraining`` and ``Hardware``.

    Raises:
        CompileError: the model, the data or the options cannot be used; HW355, the folder is
            another run's.
    """
    check_options({**options, "factoring": method})
    request = LowRankRequest(
        source=source_of(model, data, options), method=method,  # type: ignore[arg-type]
        layers=tuple(layers), rank=rank, energy=energy, goal=goal,
    )  # fmt: skip
    return lowrank_request(request, Path(run), progress=progress, say=say)


def source_of(
    model: str | Path | None, data: str | Path | None, options: Mapping[str, Any]
) -> Source:
    """Return what a float network is read from and becomes.

    Args:
        model: path of the model.
        data: path of its data.
        options: fields of ``FloatTraining`` and ``Hardware`` by name.

    Raises:
        CompileError: HW369, model or data are not given.
        TypeError: an option is of neither.
    """
    training, hardware = (
        {f.name: options[f.name] for f in fields(kind) if f.name in options}
        for kind in (FloatTraining, Hardware)
    )
    unknown = sorted(set(options) - set(training) - set(hardware))
    if unknown:
        raise TypeError(f"unknown options: {', '.join(unknown)}")
    start = start_of(model, data, None, None)
    for name in training.keys() & {"teachers", "features"}:
        training[name] = tuple(map(str, training[name]))
    return Source(
        model=start.model, data=start.data, hardware=Hardware(**hardware),
        training=FloatTraining(**training),
    )  # fmt: skip
