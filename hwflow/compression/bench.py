"""A float network whose structure changes: its samples, its estimates, its training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.compression.folder import Folder
from hwflow.compression.handover.lineage import lineage_for
from hwflow.compression.judging import costs_of, outputs_of_design, quality_of
from hwflow.compression.material import LABELS, Material, Task, material_of, samples_of
from hwflow.compression.needed import require_torch
from hwflow.compression.rough import Hardware, Rough, count_weights
from hwflow.compression.skeleton import refuse_quantizers
from hwflow.compression.teachers import outputs_of, teachers_of
from hwflow.frontends.quantization import quantize_prepared
from hwflow.frontends.quantization.layers import array_of, layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.samples import Samples
from hwflow.frontends.sources import Sources
from hwflow.ir.qonnx.lineage import Lineage
from hwflow.ir.qonnx.model import QonnxModel

if TYPE_CHECKING:
    from hwflow.compression.training.finetune import Finetuned

Progress = Callable[[str, float], None]
Say = Callable[[str], None]
Watch = Callable[[Any, Any], None]


@dataclass(frozen=True, kw_only=True)
class FloatTraining:
    """How a float network is trained after a change.

    Attributes:
        teachers: paths of other float models to learn from; the model itself unless given.
        features: ``STUDENT=TEACHER`` each, names of nodes or values whose values are learned.
        task: what the outputs are.
        epochs: passes over the samples.
        batch: samples of a step.
        draw: samples to draw instead of training with the data.
        temperature: what logits are divided by before they are compared with the teacher's.
        hard: weight of the labels, where there are any, beside the teachers.
        seed: what all that is drawn begins with.
    """

    teachers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    task: Task = "classification"
    epochs: int = 60
    batch: int = 64
    draw: int = 0
    temperature: float = 1.0
    hard: float = LABELS
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a float network is read from, and what it becomes.

    Attributes:
        model: path of a float model, or ``FILE.py:FUNCTION``.
        data: the same for its data.
        training: how it is trained.
        hardware: what is estimated.
    """

    model: str
    data: str
    training: FloatTraining
    hardware: Hardware

    def lineage(self, method: str, record: Mapping[str, Any]) -> Lineage:
        """Return what a network is made from; paths are no part of it.

        Args:
            method: what makes it.
            record: the request and digests, as the folder of the run has them.
        """
        asked = copy.deepcopy(record["request"])
        files = {part: asked["source"].pop(part) for part in ("model", "data")}
        teachers = asked["source"]["training"].pop("teachers")
        files |= {f"teacher{n + 1}": path for n, path in enumerate(teachers)}
        return lineage_for(method, files, asked, record["digests"])


@dataclass(frozen=True, eq=False)
class Bench:
    """A float network with its samples and its estimates.

    Attributes:
        source: where it is from.
        before: the network, prepared.
        samples: its data.
        material: the same with what the teachers say.
        rough: estimates.
    """

    source: Source
    before: QonnxModel
    samples: Samples
    material: Material
    rough: Rough

    def trained(
        self, model: QonnxModel, epochs: int, *, turn: int, checkpoint: Path | None = None,
        watch: Watch | None = None, rate: float | None = None, say: Say = lambda line: None,
    ) -> Finetuned:  # fmt: skip
        """Train a network; weights that are 0 stay 0.

        Args:
            model: the network.
            epochs: passes over the samples.
            turn: number of the training, which decides the order of samples with the seed.
            checkpoint: file that holds the state after each epoch.
            watch: sees weights and gradients at each step.
            rate: learning rate; that of ``finetune`` unless given.
            say: called with a line for each epoch.

        Raises:
            CompileError: HW350, a node cannot be trained; HW352, a damaged checkpoint.
        """
        from hwflow.compression.training.finetune import RATE, Settings, finetune

        asked = self.source.training
        settings = Settings(
            epochs=epochs, batch=asked.batch, rate=RATE if rate is None else rate,
            seed=asked.seed + turn, temperature=asked.temperature, hard=asked.hard,
        )  # fmt: skip
        masks = {layer.weight.name or "": array_of(layer.weight) != 0 for layer in layers_of(model)}
        return finetune(
            model, self.material, settings, masks=masks, watch=watch, checkpoint=checkpoint, say=say
        )

    def row(self, model: QonnxModel) -> dict[str, Any]:
        """Return what a network is worth in floating point, and as hardware by ``quantize``.

        ``constant``: its output is the same for all held-out samples, so nothing is left of it.
        """
        part, hardware = self.material.held_out, self.source.hardware
        found = next(iter(outputs_of(model, part.inputs).values()))
        made = quantize_prepared(prepare(model), self.samples, hardware.settings).model
        design = hardware.compiled(made)
        return {
            "float": quality_of(found, self.material), "weights": count_weights(model),
            "constant": bool((found == found[:1]).all()),
            "ebops": self.rough.figures(model, ("ebops",))["ebops"], **costs_of(design),
            **quality_of(outputs_of_design(design, part), self.material),
        }  # fmt: skip


def open_bench(source: Source, request: str, place: Folder, progress: Progress) -> Bench:
    """Read a network and its data, and claim the folder of the run.

    Args:
        source: what is read.
        request: the whole request as text.
        place: the folder.
        progress: called as it goes on.

    Raises:
        CompileError: the model or the data cannot be used; HW035, torch is not installed; HW355,
            the folder is another run's; HW357, the model is quantised.
    """
    progress("read", 0.0)
    training, sources = source.training, Sources(source.data)
    given = sources.model(source.model)
    refuse_quantizers(given)
    before = prepare(given)
    require_torch()
    samples = samples_of(before, sources, training.task)
    models = [sources.model(path) for path in training.teachers] or [given]
    teachers = teachers_of(
        before, models, temperature=training.temperature, features=training.features
    )
    rough = Rough(source.hardware, samples, before)
    material = material_of(
        teachers, samples, task=training.task, drawn=training.draw, seed=training.seed
    )
    place.claim(request, sources.digests)
    progress("read", 1.0)
    return Bench(source, before, samples, material, rough)
