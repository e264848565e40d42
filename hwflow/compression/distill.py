"""``hwflow compress distill``: a float network learns from teachers, labels and features."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.compression.folder import MODEL, Folder
from hwflow.compression.handover.lineage import lineage_for, save_with
from hwflow.compression.judging import float_row, quality_of
from hwflow.compression.material import LABELS, Material, Task, material_of, samples_of
from hwflow.compression.needed import require_torch
from hwflow.compression.shrinking import shrunk
from hwflow.compression.skeleton import refuse_quantizers
from hwflow.compression.teachers import Teachers, teachers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.sources import Sources
from hwflow.ir.qonnx.lineage import Lineage
from hwflow.ir.qonnx.model import QonnxModel

if TYPE_CHECKING:
    from hwflow.compression.training.finetune import Finetuned

Progress = Callable[[str, float], None]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class DistillRequest:
    """A distillation.

    Attributes:
        model: float model that learns: a path, or ``FILE.py:FUNCTION``.
        data: its data, in the same way.
        teachers: float models to learn from; the model itself, as given, unless there are any.
        features: ``STUDENT=TEACHER`` each, names of nodes or values whose values are learned.
        shrink: part of the channels of each layer that the student keeps; 1 for all.
        task: what the outputs are.
        epochs: most passes over the samples.
        batch: samples of a step.
        draw: samples to draw instead of training with the data.
        temperature: what logits are divided by before they are compared with the teachers'.
        hard: weight of the labels, where there are any, beside the teachers.
        patience: epochs without a better validation loss that end the training; 0 for no end.
        seed: what all that is drawn begins with.
    """

    model: str
    data: str
    teachers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    shrink: float = 1.0
    task: Task = "classification"
    epochs: int = 60
    batch: int = 64
    draw: int = 0
    temperature: float = 1.0
    hard: float = LABELS
    patience: int = 0
    seed: int = 0

    def to_json(self) -> str:
        """Return the request as text, the same for equal ones."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, eq=False)
class Distilled:
    """A finished distillation.

    Attributes:
        folder: where it lies.
        result: what ``front.json`` holds.
        model: the student, a float model.
    """

    folder: Path
    result: dict[str, Any]
    model: QonnxModel

    def __repr__(self) -> str:
        """Return what came of it, in one line."""
        best = self.result["chosen"]
        return f"Distilled {self.folder}: epoch {best['epoch'] + 1}, loss {best['loss']:.4f}"


def distill(
    request: DistillRequest,
    folder: Path,
    *,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
) -> Distilled:
    """Train a student, or go on with a training that was ended.

    Args:
        request: what is asked.
        folder: folder of the run; epochs that it holds are not computed again.
        progress: called as stages go on.
        say: called with a line for each epoch.

    Raises:
        CompileError: the models or the data cannot be used; HW035, torch is not installed; HW350,
            a node cannot be trained; HW352, the checkpoint is damaged; HW355, the folder is
            another run's; HW357, a network is quantised; HW365, a teacher does not fit; HW366,
            there is no such feature.
    """
    require_torch()
    from hwflow.compression.training.finetune import Settings, finetune

    progress("read", 0.0)
    place, sources = Folder(folder), Sources(request.data)
    given = sources.model(request.model)
    refuse_quantizers(given)
    whole = prepare(given)
    student = shrunk(whole, request.shrink)
    models = [sources.model(path) for path in request.teachers] or [given]
    teachers = teachers_of(
        student, models, temperature=request.temperature, features=request.features
    )
    samples = samples_of(whole, sources, request.task)
    material = material_of(
        teachers, samples, task=request.task, drawn=request.draw, seed=request.seed
    )
    place.claim(request.to_json(), sources.digests)
    progress("read", 1.0)
    settings = Settings(
        epochs=request.epochs, batch=request.batch, seed=request.seed, hard=request.hard,
        temperature=request.temperature, patience=request.patience,
    )  # fmt: skip
    found = finetune(
        student, material, settings, checkpoint=place.checkpoint, say=say,
        progress=lambda done: progress("train", done),
    )  # fmt: skip
    result = {**_result(student, found, teachers, material), **place.record()}
    save_with(found.model, place.path / MODEL, _lineage(request, sources.digests))
    place.write_result(result)
    return Distilled(place.path, result, found.model)


def _lineage(request: DistillRequest, digests: Mapping[str, str]) -> Lineage:
    """Return what a student is made from; its paths are no part of it."""
    asked = asdict(request)
    files = {part: asked.pop(part) for part in ("model", "data")}
    files |= {f"teacher{n + 1}": path for n, path in enumerate(asked.pop("teachers"))}
    return lineage_for("distill", files, asked, digests)


def _result(
    student: QonnxModel, found: Finetuned, teachers: Teachers, material: Material
) -> dict[str, Any]:
    """Return how good student and teachers are on held-out samples, and all epochs."""
    best = found.best
    each = [{"name": model.source, **float_row(model, material)} for model in teachers.models]
    together = quality_of(next(iter(material.held_out.taught.values())), material)
    chosen = float_row(found.model, material)
    return {
        "before": float_row(student, material),
        "chosen": {"epoch": best.number, "loss": best.loss, **chosen},
        "teachers": each, "taught": together, "epochs": [asdict(e) for e in found.epochs],
    }  # fmt: skip
