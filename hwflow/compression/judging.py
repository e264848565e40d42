"""What is said of a trained network: on samples that nothing was chosen with, and of its design."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hwflow.compression.material import Material, Part, Task
from hwflow.compression.teachers import first_output
from hwflow.core.distance import classes_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.front import wilson
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.design import Design

if TYPE_CHECKING:
    from hwflow.compression.training.loop import Epoch, Training

Array = npt.NDArray[Any]

SHOWN = 24
"""Most points of a front that are compiled and judged; the others are between two of them."""

FIGURES = ("lut", "ff", "dsp", "bram_18k", "lut_synth", "ii", "latency_cycles")


def thinned(front: Sequence[Epoch], goal: float) -> list[Epoch]:
    """Return points of a front, evenly spread; the last ones that meet the goal are all among them.

    Args:
        front: cheapest first.
        goal: cost to meet.
    """
    places = set(
        np.linspace(0, len(front) - 1, min(SHOWN, len(front))).round().astype(int).tolist()
    )
    below = [i for i, epoch in enumerate(front) if epoch.cost <= goal]
    places |= set(below[-3:])
    return [front[i] for i in sorted(places)]


def row_of(epoch: Epoch, design: Design, material: Material) -> dict[str, Any]:
    """Return a point of the front: its cost, and how good it is on held-out samples."""
    found = {"epoch": epoch.number, "ebops": epoch.ebops, "loss": epoch.loss}
    return {
        **found,
        **costs_of(design),
        **quality_of(outputs_of_design(design, material.held_out), material),
    }


def costs_of(design: Design) -> dict[str, Any]:
    """Return the best values of a design's estimate, and the intervals of its LUTs."""
    report = design.estimate()
    found: dict[str, Any] = {name: getattr(report.total, name).value for name in FIGURES}
    lut = report.total.lut_synth
    return {
        **found, "lut_synth_interval": [lut.low, lut.high], "latency_ns": report.latency_ns.value,
        "fits": report.fits,
    }  # fmt: skip


def quality_of(scores: Array, material: Material) -> dict[str, Any]:
    """Return how good outputs are on held-out samples, as ``quality_on`` does."""
    return quality_on(scores, material.held_out, material.task)


def quality_on(scores: Array, part: Part, task: Task) -> dict[str, Any]:
    """Return shares of samples with their 95 % intervals, or mean squared errors.

    ``mean_squared_error`` is that from the teacher, or the input of an autoencoder, and
    ``label_squared_error`` that from the labels of a regression.
    """
    if task != "classification":
        distance = _distance(scores, _wanted(part, task))
        error: dict[str, Any] = {"samples": part.size, "mean_squared_error": distance}
        if part.labels is None:
            return error
        return {**error, "label_squared_error": _distance(scores, part.labels)}
    found: dict[str, Any] = {"samples": part.size}
    classes, taught = classes_of(scores), classes_of(next(iter(part.taught.values())))
    for name, right in (("agreement", taught), ("accuracy", part.labels)):
        if classes is not None and right is not None:
            same = int((classes == right).sum())
            found[name] = same / part.size
            found[f"{name}_interval"] = list(wilson(same, part.size))
    return found


def _distance(scores: Array, wanted: Array) -> float:
    error = np.asarray(scores, np.float64).reshape(wanted.shape) - wanted
    return float(np.mean(error**2))


def _wanted(part: Part, task: str) -> Array:
    if task == "autoencoder":
        return next(iter(part.inputs.values()))
    return next(iter(part.taught.values()))


def float_row(model: QonnxModel, material: Material) -> dict[str, Any]:
    """Return how good a float network is on held-out samples."""
    return quality_of(first_output(model, material.held_out.inputs), material)


def check(training: Training, design: Design, material: Material) -> int:
    """Compare a design with the network in training, on every held-out sample.

    Args:
        training: holds the network as it was trained.
        design: made of what was exported.
        material: has the samples.

    Returns:
        samples compared.

    Raises:
        CompileError: HW354, an output differs.
    """
    theirs = outputs_of_design(design, material.held_out)
    ours = training.exact(material.held_out.inputs).reshape(theirs.shape)
    differ = int((ours != theirs).any(axis=tuple(range(1, ours.ndim))).sum())
    if differ:
        finding = Diagnostic(
            code="HW354", title="a design that differs from the trained network",
            found=f"{differ} of {len(ours)} held-out samples",
            help="this is an error of hwflow, please report it; nothing of this run can be trusted",
        )  # fmt: skip
        raise CompileError([finding])
    return len(ours)


def outputs_of_design(design: Design, part: Part) -> Array:
    """Return the first output of a design's golden model for some samples."""
    name = design.graph.outputs[0].name
    found = [batch.outputs[name] for batch in design.stream(dict(part.inputs), threads=1)]
    return np.concatenate(found)
