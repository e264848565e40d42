"""``hwflow compress fuse``: several networks, or the layers of one, become one float network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hwflow.compression.folder import MODEL, Folder
from hwflow.compression.fusing.head import HEAD, with_one_head
from hwflow.compression.fusing.linear import fuse_layers
from hwflow.compression.fusing.soup import greedy_soup, soup
from hwflow.compression.handover.lineage import lineage_for, save_with
from hwflow.compression.judging import quality_on
from hwflow.compression.material import LABELS, Material, Task, material_of, samples_of
from hwflow.compression.needed import require_torch
from hwflow.compression.skeleton import refuse_quantizers
from hwflow.compression.teachers import Teachers, first_output, teachers_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.conversion import canonical
from hwflow.frontends.ensemble import ensemble
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.sources import Sources
from hwflow.ir.qonnx.lineage import Lineage
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer

Progress = Callable[[str, float], None]
Say = Callable[[str], None]
Kind = Literal["ensemble", "soup", "features", "layers"]


@dataclass(frozen=True, kw_only=True)
class FuseRequest:
    """What is fused.

    Attributes:
        kind: ``ensemble`` averages outputs, ``soup`` weights; ``features`` trains one head;
            ``layers`` makes one of layers that follow each other.
        models: paths, or ``FILE.py:FUNCTION``.
        data: path or code of samples; empty where there are none.
        task: what the outputs are.
        epochs: most passes over the samples of the training of a head.
        batch: samples of a step.
        draw: samples to draw instead of training with the data.
        temperature: what logits are divided by before they are compared.
        hard: weight of the labels, where there are any, beside the mean of the networks.
        seed: what all that is drawn begins with.
    """

    kind: Kind
    models: tuple[str, ...]
    data: str = ""
    task: Task = "classification"
    epochs: int = 30
    batch: int = 64
    draw: int = 0
    temperature: float = 1.0
    hard: float = LABELS
    seed: int = 0

    def to_json(self) -> str:
        """Return the request as text, the same for equal ones."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, eq=False)
class FusedRun:
    """What came of it.

    Attributes:
        folder: where it lies.
        result: what ``front.json`` holds.
        model: one network.
    """

    folder: Path
    result: dict[str, Any]
    model: QonnxModel


def fuse(
    request: FuseRequest,
    folder: Path,
    *,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
) -> FusedRun:
    """Make one network, judge it where there is data, and write it.

    Args:
        request: what is asked.
        folder: folder of the run; a training that it holds goes on.
        progress: called as stages go on.
        say: called with a line for each epoch.

    Raises:
        CompileError: the models or the data cannot be used; HW260 to HW265, networks do not fit
            together; HW355, the folder is another run's; HW357, a soup or a head of quantised
            networks; HW369, a head without data; HW390, a soup of different graphs; HW391, no head
            to replace; HW392, layers that cannot become one.
    """
    progress("read", 0.0)
    place, sources = Folder(folder), Sources(request.data)
    models = [sources.model(path) for path in request.models]
    if request.kind in ("soup", "features"):
        for model in models:
            refuse_quantizers(model)
    if request.kind == "features" and not request.data:
        raise CompileError([_no_data()])
    material = _material(request, models, sources) if request.data else None
    made, said = _MAKERS[request.kind](models, material)
    place.claim(request.to_json(), sources.digests)
    progress("read", 1.0)
    if request.kind == "features" and material is not None:
        made = _trained(made, material, request, place, progress=progress, say=say)
    rows: dict[str, Any] = {}
    if material is not None:
        rows["members"] = [{"name": m.source, **_row(m, material)} for m in models]
        rows["fused"] = _row(made, material)
    result = {**said, **rows, **place.record()}
    save_with(made, place.path / MODEL, _lineage(request, sources.digests))
    place.write_result(result)
    return FusedRun(place.path, result, made)


def _lineage(request: FuseRequest, digests: Mapping[str, str]) -> Lineage:
    """Return what the network is made from; paths are no part of it."""
    asked = asdict(request)
    files = {f"model{n + 1}": path for n, path in enumerate(asked.pop("models"))}
    if data := asked.pop("data"):
        files["data"] = data
    return lineage_for(f"fuse {request.kind}", files, asked, digests)


def _ensemble(models: list[QonnxModel], _: Material | None) -> tuple[QonnxModel, dict[str, Any]]:
    return ensemble(models), {}


def _soup(models: list[QonnxModel], material: Material | None) -> tuple[QonnxModel, dict[str, Any]]:
    part = None if material is None else material.validate
    if material is None or part is None or (part.labels is None and material.task != "autoencoder"):
        return soup(models), {"greedy": False, "chosen": [m.source for m in models]}

    def score(model: QonnxModel) -> float:
        outputs = first_output(canonical(model), dict(part.inputs))
        found = quality_on(outputs, part, material.task)
        names = ("accuracy", "label_squared_error", "mean_squared_error")
        name = next(n for n in names if n in found)
        return float(found[name] if name == "accuracy" else -found[name])

    made, chosen = greedy_soup(models, score)
    return made, {"greedy": True, "chosen": [models[i].source for i in chosen]}


def _features(models: list[QonnxModel], _: Material | None) -> tuple[QonnxModel, dict[str, Any]]:
    return with_one_head(models), {}


def _layers(models: list[QonnxModel], _: Material | None) -> tuple[QonnxModel, dict[str, Any]]:
    (model,) = models
    quantized = any(is_quantizer(node) for node in model.ir.graph)
    norms = [n for n in model.ir.graph if n.op_type == "BatchNormalization"]
    made, found = fuse_layers(model if quantized else prepare(model))
    left = [n for n in made.ir.graph if n.op_type == "BatchNormalization"]
    if not found.merged and len(left) == len(norms):
        raise CompileError([_nothing(model, found.left)])
    return made, {"merged": found.merged, "left": found.left, "norms": len(norms) - len(left)}


_MAKERS = {"ensemble": _ensemble, "soup": _soup, "features": _features, "layers": _layers}


def _material(request: FuseRequest, models: list[QonnxModel], sources: Sources) -> Material:
    """Return samples with the answers of all networks together."""
    first = canonical(models[0])
    samples = samples_of(first, sources, request.task)
    plain = not any(is_quantizer(node) for model in models for node in model.ir.graph)
    if plain:
        teachers = teachers_of(prepare(models[0]), models, temperature=request.temperature)
    else:
        teachers = Teachers(first, tuple(canonical(m) for m in models), request.temperature)
    return material_of(teachers, samples, task=request.task, drawn=request.draw, seed=request.seed)


def _trained(
    made: QonnxModel, material: Material, request: FuseRequest, place: Folder,
    *, progress: Progress, say: Say,
) -> QonnxModel:  # fmt: skip
    """Return the network with its head trained, and nothing else."""
    require_torch()
    from hwflow.compression.training.finetune import Settings, finetune

    settings = Settings(
        epochs=request.epochs, batch=request.batch, seed=request.seed, hard=request.hard,
        temperature=request.temperature,
    )  # fmt: skip
    return finetune(
        made, material, settings, only={f"{HEAD}.weight", f"{HEAD}.bias"}, say=say,
        checkpoint=place.checkpoint, progress=lambda done: progress("train", done),
    ).model  # fmt: skip


def _row(model: QonnxModel, material: Material) -> dict[str, Any]:
    part = material.held_out
    return quality_on(first_output(canonical(model), dict(part.inputs)), part, material.task)


def _no_data() -> Diagnostic:
    return Diagnostic(
        code="HW369", title="it is not clear what to begin with", where="fuse features",
        found="no --data", help="a head is trained: give samples with --data",
    )  # fmt: skip


def _nothing(model: QonnxModel, left: tuple[tuple[str, str], ...]) -> Diagnostic:
    said = "; ".join(f"{name}: {why}" for name, why in left)
    return Diagnostic(
        code="HW392", title="no layers that become one exactly", where=f"in {model.source}",
        found=said or "no layer follows another directly, and no batch norm a layer",
        supported="layers without anything between them, quantised ones with one scale for each",
        help="build the model as it is",
    )  # fmt: skip
