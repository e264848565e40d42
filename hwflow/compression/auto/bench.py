"""What all trials are judged with: the original, its samples in parts, and the requirements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwflow.compression.auto.requirements import Requirements
from hwflow.compression.judging import outputs_of_design
from hwflow.compression.material import Material, Part, material_of, samples_of
from hwflow.compression.teachers import teachers_of
from hwflow.core.config import Config, read_settings, with_arguments
from hwflow.core.distance import classes_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.front import wilson
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.samples import Samples
from hwflow.frontends.sources import Sources
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

AGREEMENT, ACCURACY = "agreement", "accuracy"


@dataclass(frozen=True, eq=False)
class Bench:
    """The original network and its samples.

    Attributes:
        wanted: the requirements.
        loaded: the original as it was read.
        before: the same, prepared.
        samples: its data, the part that is held out apart.
        material: samples to train with, to choose with, and held out.
    """

    wanted: Requirements
    loaded: QonnxModel
    before: QonnxModel
    samples: Samples
    material: Material

    @classmethod
    def of(cls, wanted: Requirements) -> Bench:
        """Read model and data.

        Raises:
            CompileError: they cannot be read; HW376, accuracy is asked of data without labels.
        """
        sources = Sources(str(wanted.data))
        loaded = sources.model(str(wanted.model))
        before = prepare(loaded)
        samples = samples_of(before, sources, "classification")
        teachers = teachers_of(before, (), temperature=1.0)
        material = material_of(
            teachers, samples, task="classification", drawn=0, seed=wanted.settings.seed
        )
        floors = [limit.name for limit in wanted.floors if limit.figure == ACCURACY]
        if floors and samples.labels is None:
            finding = Diagnostic(
                code="HW376", title="a requirement that cannot be used", where="min",
                found="acc, and the data has no labels y",
                help="ask for agreement with the original: agree=97%",
            )  # fmt: skip
            raise CompileError([finding])
        return cls(wanted, loaded, before, samples, material)

    def shares(self, design: Design, part: Part) -> dict[str, Any]:
        """Return right answers and agreement with the original, with their intervals."""
        classes = classes_of(outputs_of_design(design, part))
        taught = classes_of(next(iter(part.taught.values())))
        found: dict[str, Any] = {"samples": part.size}
        for name, right in ((ACCURACY, part.labels), (AGREEMENT, taught)):
            if classes is not None and right is not None:
                same = int((classes == np.asarray(right).reshape(-1)).sum())
                found[name] = same / part.size
                found[f"{name}_interval"] = list(wilson(same, part.size))
        return found

    def shares_of(self, model: QonnxModel, part: Part) -> dict[str, Any]:
        """Return the same of a network whose hardware nobody would build.

        Raises:
            CompileError: it cannot be compiled.
        """
        return self.shares(compile_model(clone(model), config=self.config()), part)

    def config(self) -> Config:
        """Return settings without those of layers."""
        settings = self.wanted.settings
        target = {"board": settings.board, "io_type": settings.io_type[-1]}
        return with_arguments(read_settings({}), target)

    def missing(self, shares: Mapping[str, Any], margin: float = 0.0) -> float:
        """Return what is missing to the lower limits, as a share.

        Args:
            shares: what ``shares`` gave.
            margin: what is asked beyond them.
        """
        interval = self.wanted.settings.confidence == "interval"
        found = 0.0
        for limit in self.wanted.floors:
            value = shares.get(limit.figure, 0.0)
            if interval:
                value = shares.get(f"{limit.figure}_interval", [0.0])[0]
            found = max(found, min(limit.number + margin, 1.0) - 1e-12 - value)
        return max(found, 0.0)


def products_of(model: QonnxModel) -> int:
    """Return the products of weights in one inference of a prepared network."""
    total = 0
    for layer in layers_of(model):
        result = layer.node.outputs[0]
        shape = () if result.shape is None else tuple(int(d) for d in result.shape.numpy()[1:])
        weights = layer.matrix().size
        outputs = layer.matrix().shape[0] * layer.matrix().shape[1]
        total += weights * int(np.prod(shape, dtype=np.int64)) // max(outputs, 1)
    return total
