"""What a network is trained, chosen and judged with: three parts that share no sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hwflow.compression.sampling import drawn_by_kind
from hwflow.compression.teachers import Teachers
from hwflow.core.data import assigned, roles
from hwflow.core.distance import classes_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.samples import Inputs, Samples, split
from hwflow.frontends.sources import Sources
from hwflow.ir.qonnx.model import QonnxModel

Array = npt.NDArray[Any]
Task = Literal["classification", "regression", "autoencoder"]

CLASSES = "classification"
"""The task whose outputs are compared by their greatest."""

VALIDATION = 0.15
"""Part of the samples for training that points of the front are compared with."""

LABELS = 0.5
"""Weight of the labels beside the teacher, where there are both."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some samples.

    Attributes:
        inputs: one array for each input, batch first.
        taught: what the teachers give for them, by output; logits for classes.
        labels: class of each, or values of the output for regression; None where unknown.
        features: values inside the first teacher, by the name of the value that learns them.
    """

    inputs: Inputs
    taught: Mapping[str, Array]
    labels: Array | None
    features: Mapping[str, Array] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of samples."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True, eq=False)
class Material:
    """Three parts of samples.

    Attributes:
        train: gradients come from them.
        validate: points are chosen by them.
        held_out: nothing but the report comes from them.
        task: what the outputs are.
    """

    train: Part
    validate: Part
    held_out: Part
    task: Task


def material_of(
    teachers: Teachers, samples: Samples, *, task: Task, drawn: int, seed: int
) -> Material:
    """Return what to train with.

    Args:
        teachers: float models with the inputs of the one in training.
        samples: data, the part that is held out apart.
        task: what the outputs are.
        drawn: samples to draw from a distribution like that of the data, for each of the
            teachers' classes; the data then trains no weight itself, nor do its labels. 0 to train
            with the data.
        seed: draws samples and parts.
    """
    rng = np.random.default_rng(seed)
    inputs, labels, classes = samples.calibration, samples.calibration_labels, task == CLASSES
    if drawn:
        (answers, *_) = teachers.answers(inputs, classes=classes)[0].values()
        found = classes_of(answers) if classes else None
        kinds = np.zeros(len(answers), np.int64) if found is None else found
        inputs, labels = _drawn(inputs, kinds, drawn, rng), None
    size = len(next(iter(inputs.values())))
    order = rng.permutation(size)
    cut = max(1, round(VALIDATION * size))
    chosen, trained = np.sort(order[:cut]), np.sort(order[cut:])

    def part(some: Inputs, labels: Array | None) -> Part:
        taught, features = teachers.answers(some, classes=classes)
        return Part(some, taught, labels, features)

    return Material(
        part(*_some(inputs, labels, trained)), part(*_some(inputs, labels, chosen)),
        part(samples.held_out, samples.labels), task,
    )  # fmt: skip


def samples_of(model: QonnxModel, sources: Sources, task: Task) -> Samples:
    """Return the data of a training.

    Labels are classes for classification, values of the output for regression, and nothing for
    an autoencoder, which are then left out.

    Args:
        model: shapes known.
        sources: has the data.
        task: what the outputs are.

    Raises:
        CompileError: the data cannot be used; HW368, labels for regression are not like the output.
    """
    arrays, source = sources.arrays, Path(sources.data).name
    names = [v.name or "" for v in model.ir.graph.inputs]
    if task == CLASSES:
        return split(model, assigned(arrays, names, source))
    label = roles(arrays, names).labels
    data = assigned({n: a for n, a in arrays.items() if n != label}, names, source)
    if label is not None and task == "regression":
        data = replace(data, labels=_targets(model, arrays[label], source))
    return split(model, data)


def _targets(model: QonnxModel, labels: Array, source: str) -> Array:
    """Return labels as values of a model's only output."""
    output = model.ir.graph.outputs[0]
    shape = tuple(int(d) for d in output.shape.numpy()[1:]) if output.shape is not None else ()
    fits = labels.ndim > 0 and labels.size == len(labels) * prod(shape) > 0
    if not fits or labels.dtype.kind not in "fiub" or len(model.ir.graph.outputs) > 1:
        finding = Diagnostic(
            code="HW368", title="labels for regression that are not like the output", where=source,
            found=f"shape {labels.shape}, dtype {labels.dtype}",
            supported=f"real numbers of shape (samples, {', '.join(map(str, shape))})",
            help="save them as `y` in this shape, or leave them out to learn from a teacher alone; "
            "for numbers of classes take --task classification",
        )  # fmt: skip
        raise CompileError([finding])
    return labels.reshape(len(labels), *shape).astype(np.float32)


def _some(inputs: Inputs, labels: Array | None, which: Array) -> tuple[Inputs, Array | None]:
    some = {name: array[which] for name, array in inputs.items()}
    return some, None if labels is None else labels[which]


def _drawn(inputs: Inputs, kinds: Array, count: int, rng: np.random.Generator) -> Inputs:
    """Return samples of all inputs together: they may depend on each other.

    Raises:
        CompileError: HW353, an input of integers, of which there is nothing between.
    """
    whole = [name for name, array in inputs.items() if array.dtype.kind != "f"]
    if whole:
        finding = Diagnostic(
            code="HW353", title="samples like these cannot be drawn", where="--draw",
            found=f"input {whole[0]!r} holds {inputs[whole[0]].dtype}", supported="real numbers",
            help="train with the data: leave --draw out",
        )  # fmt: skip
        raise CompileError([finding])
    flat = [array.reshape(len(array), -1) for array in inputs.values()]
    found = drawn_by_kind(np.concatenate(flat, axis=1), kinds, count, rng)
    ends = np.cumsum([part.shape[1] for part in flat])[:-1]
    columns = np.split(found, ends, axis=1)
    return {
        name: part.reshape(count, *array.shape[1:])
        for (name, array), part in zip(inputs.items(), columns, strict=True)
    }
