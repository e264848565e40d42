"""Methods that train: smaller networks that learn from the original, and learned bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwflow import frontends
from hwflow.compression.auto.bench import Bench, products_of
from hwflow.compression.auto.methods import Candidate, Params, Say
from hwflow.compression.auto.networks import can_slim, dense_student, has_student, sparse
from hwflow.compression.auto.untrained import quantized
from hwflow.compression.distill import DistillRequest, distill
from hwflow.compression.exporting import exported
from hwflow.compression.folder import MODEL, Folder
from hwflow.compression.handover.lineage import lineage_for, save_with
from hwflow.compression.qat import train
from hwflow.compression.reductions import prune
from hwflow.compression.request import Request
from hwflow.compression.shrinking import shrunk
from hwflow.compression.skeleton import skeleton_of
from hwflow.core.digests import file_digest
from hwflow.frontends.quantization.preparation import prepare
from hwflow.ir.qonnx.lineage import lineage_of
from hwflow.ir.qonnx.model import QonnxModel

if TYPE_CHECKING:
    import optuna

FLOAT_EPOCHS, EPOCHS, BATCH = 60, 120, 32
"""Epochs of a network in floating point, and with learned bits; samples of a step."""

SKETCH = "w=3,a=4"
"""Bits of a network whose hardware is looked at before it is trained."""

DENSITIES = (2.0, 3.0, 4.0, 6.0)
"""Effective bit operations for each product of weights that are aimed at."""

TRIED = 4
"""Points of a training whose hardware is looked at."""

DRAWN, LEARNED, TRAINING = "drawn.onnx", "float", "qat"
"""What a trial's folder has: a network before training, the folder of its training in floating
point, and that of the training of its bits."""


class _Trained:
    """A float network, which is trained if it is another one than the original, then its bits."""

    name = ""

    def network(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return the float network before training; None for the original."""
        raise NotImplementedError

    def sketch(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return the network with few bits, before it is trained."""
        return quantized(self.network(params, bench) or bench.loaded, bench, SKETCH)

    def work(self, params: Params, bench: Bench) -> float:
        """Return its products."""
        small = self.network(params, bench)
        return float(products_of(bench.before if small is None else prepare(small)))

    def learned(self, params: Params, bench: Bench, folder: Path, say: Say) -> Path:
        """Return the path of the float network whose bits are trained."""
        return bench.wanted.model

    def make(self, params: Params, bench: Bench, folder: Path, say: Say) -> Iterator[Candidate]:
        """Train, and yield the points of the front that promise most.

        Raises:
            CompileError: HW035, torch is not installed; HW350, a node cannot be trained.
        """
        wanted = bench.wanted
        path = self.learned(params, bench, folder, say)
        teachers = () if path == wanted.model else (str(wanted.model),)
        model = frontends.load(path)
        goal = params[f"{self.name}.density"] * products_of(prepare(model))
        request = Request(
            model=str(path), data=str(wanted.data), goal=f"ebops={goal:.0f}", teachers=teachers,
            epochs=EPOCHS, batch=BATCH, seed=wanted.settings.seed, board=wanted.settings.board,
            io_type=wanted.settings.io_type[0],
        )  # fmt: skip
        found = train(request, folder / TRAINING, say=say)
        skeleton = skeleton_of(model, bench.samples.calibration)
        lineage = lineage_of(found.model)
        assert lineage is not None
        on_front = {point["epoch"] for point in found.result["points"]}
        epochs = [e for e in found.result["epochs"] if e["number"] in on_front]
        for epoch in promising(epochs, bench):
            point = Folder(folder / TRAINING).read_point(epoch["number"])
            model = exported(skeleton, point)
            yield Candidate(name=f"epoch {epoch['number'] + 1}", model=model, lineage=lineage)

    def _distilled(self, model: Path, bench: Bench, at: tuple[Path, Say], **how: Any) -> Path:
        """Return the path of a network that was trained on what the original says."""
        folder, say = at
        original = str(bench.wanted.model)
        request = DistillRequest(
            model=str(model), data=str(bench.wanted.data), teachers=(original,),
            epochs=FLOAT_EPOCHS, batch=BATCH, seed=bench.wanted.settings.seed, **how,
        )  # fmt: skip
        distill(request, folder / LEARNED, say=say)
        return folder / LEARNED / MODEL


def promising(epochs: Sequence[Mapping[str, Any]], bench: Bench) -> list[Mapping[str, Any]]:
    """Return epochs of a front to look at, those that agree most first.

    Agreement on the samples for validation stands for what is asked. Of those with enough of it,
    some from the cheapest to the dearest are taken; the best one where none has.
    """
    asked = max((limit.number for limit in bench.wanted.floors), default=0.0)
    enough = sorted((e for e in epochs if _agreement(e) >= asked), key=lambda e: e["cost"])
    if not enough:
        return [max(epochs, key=lambda e: (_agreement(e), -e["cost"]))]
    places = np.linspace(0, len(enough) - 1, min(TRIED, len(enough))).round().astype(int)
    return sorted((enough[i] for i in places), key=lambda e: (-_agreement(e), e["cost"]))


def _agreement(epoch: Mapping[str, Any]) -> float:
    return float(epoch["agreement"] or 0.0)


class Dense(_Trained):
    """A network of dense layers, whatever the original is, that learns what that one says."""

    name = "student"

    def first(self, bench: Bench) -> Sequence[Params]:
        """Return two networks, the smaller one first."""
        if not has_student(bench.before):
            return []
        return [
            {"student.width1": 32, "student.width2": 16, "student.density": 4.0},
            {"student.width1": 48, "student.width2": 16, "student.density": 3.0},
        ]

    def draw(self, trial: optuna.Trial, bench: Bench) -> Params:
        """Return widths and bits."""
        return {
            "student.width1": trial.suggest_int("student.width1", 8, 64, step=8),
            "student.width2": trial.suggest_int("student.width2", 0, 32, step=8),
            "student.density": trial.suggest_categorical("student.density", DENSITIES),
        }

    def network(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return the network with drawn weights."""
        widths = [w for w in (params["student.width1"], params["student.width2"]) if w]
        inputs = next(iter(bench.material.train.inputs.values()))
        scale = float(np.sqrt(np.mean(np.square(inputs, dtype=np.float64)))) or 1.0
        return dense_student(bench.before, widths, scale, bench.wanted.settings.seed)

    def learned(self, params: Params, bench: Bench, folder: Path, say: Say) -> Path:
        """Return the path of the network after training."""
        model = self.network(params, bench)
        assert model is not None
        folder.mkdir(parents=True, exist_ok=True)
        files = {"model": str(bench.wanted.model), "data": str(bench.wanted.data)}
        digests = {name: file_digest(name) for name in files.values()}
        save_with(model, folder / DRAWN, lineage_for(self.name, files, params, digests))
        return self._distilled(folder / DRAWN, bench, (folder, say))


class Slim(_Trained):
    """The original with fewer channels, trained to say the same."""

    name = "slim"

    def first(self, bench: Bench) -> Sequence[Params]:
        """Return a quarter and a half of the channels."""
        if not can_slim(bench.before):
            return []
        return [{"slim.keep": keep, "slim.density": 4.0} for keep in (0.25, 0.5)]

    def draw(self, trial: optuna.Trial, bench: Bench) -> Params:
        """Return the part that stays, and bits."""
        return {
            "slim.keep": trial.suggest_float("slim.keep", 0.1, 0.9, step=0.05),
            "slim.density": trial.suggest_categorical("slim.density", DENSITIES),
        }

    def network(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return the network with what stays of its weights."""
        return shrunk(bench.before, params["slim.keep"])

    def learned(self, params: Params, bench: Bench, folder: Path, say: Say) -> Path:
        """Return the path of the network after training."""
        model, part = bench.wanted.model, params["slim.keep"]
        return self._distilled(model, bench, (folder, say), shrink=part)


class Qat(_Trained):
    """The original with learned bits."""

    name = "qat"

    def first(self, bench: Bench) -> Sequence[Params]:
        """Return many bits, and few."""
        return [{"qat.density": 4.0}, {"qat.density": 2.0}]

    def draw(self, trial: optuna.Trial, bench: Bench) -> Params:
        """Return bits."""
        return {"qat.density": trial.suggest_categorical("qat.density", DENSITIES)}

    def network(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return None: it is the original."""
        return None


class Prune(_Trained):
    """The original without what is not worth its hardware, then its bits; zeros stay zeros."""

    name = "prune"

    def first(self, bench: Bench) -> Sequence[Params]:
        """Return weights that leave one by one, and whole channels."""
        return [
            {"prune.sparsity": 0.7, "prune.pattern": "weight", "prune.density": 2.0},
            {"prune.sparsity": 0.7, "prune.pattern": "channel", "prune.density": 4.0},
        ]

    def draw(self, trial: optuna.Trial, bench: Bench) -> Params:
        """Return how much leaves, what leaves together, and bits."""
        return {
            "prune.sparsity": trial.suggest_float("prune.sparsity", 0.3, 0.95, step=0.05),
            "prune.pattern": trial.suggest_categorical("prune.pattern", ("weight", "channel")),
            "prune.density": trial.suggest_categorical("prune.density", DENSITIES),
        }

    def network(self, params: Params, bench: Bench) -> QonnxModel | None:
        """Return the network with the greatest of its weights, or with some of its channels."""
        if params["prune.pattern"] == "channel":
            return shrunk(bench.before, float(np.sqrt(1 - params["prune.sparsity"])))
        return sparse(bench.before, params["prune.sparsity"])

    def learned(self, params: Params, bench: Bench, folder: Path, say: Say) -> Path:
        """Return the path of the network after pruning."""
        wanted = bench.wanted
        prune(
            wanted.model, wanted.data, goal=f"sparsity={params['prune.sparsity']:.4g}",
            run=folder / LEARNED, pattern=params["prune.pattern"], epochs=FLOAT_EPOCHS,
            batch=BATCH, seed=wanted.settings.seed, board=wanted.settings.board,
            io_type=wanted.settings.io_type[0], say=say,
        )  # fmt: skip
        return folder / LEARNED / MODEL
