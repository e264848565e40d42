"""``hwflow compress prune``: leaves out what is not worth its hardware, and trains the rest."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwflow import frontends
from hwflow.compression.bench import Bench, Progress, Say, open_bench
from hwflow.compression.folder import MODEL, Folder
from hwflow.compression.handover.lineage import save_with
from hwflow.compression.pruning.choice import Chosen, Floats, choose
from hwflow.compression.pruning.refusal import refuse_pattern
from hwflow.compression.pruning.request import PruneRequest
from hwflow.compression.pruning.saliency import Watched, magnitudes
from hwflow.compression.rough import count_weights
from hwflow.compression.target import read_limits
from hwflow.core.files import write_file
from hwflow.frontends.ensemble import save_model
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.ir.qonnx.model import QonnxModel

ROUNDS = 4
"""Times that a little more leaves where training or ``quantize`` made a network dearer again."""

MARGIN = 0.995
"""Part of a limit that is aimed at then."""


@dataclass(frozen=True, eq=False)
class Pruned:
    """A finished pruning.

    Attributes:
        folder: where it lies.
        result: what ``front.json`` holds.
        model: the float network that is left.
    """

    folder: Path
    result: dict[str, Any]
    model: QonnxModel

    @property
    def reached(self) -> bool:
        """Whether the goal was met."""
        return bool(self.result["reached"])

    def __repr__(self) -> str:
        """Return the goal and what is left, in one line."""
        before, after = self.result["before"]["weights"], self.result["after"]["weights"]
        return f"Pruned {self.folder}: {self.result['goal']}, {after:,} of {before:,} weights"


def prune(
    request: PruneRequest,
    folder: Path,
    *,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
) -> Pruned:
    """Prune, or go on with a pruning that was ended.

    Args:
        request: what is asked.
        folder: folder of the run; steps that it holds are not computed again.
        progress: called as stages go on.
        say: called with a line for each step and epoch.

    Raises:
        CompileError: the model, the data or the goal cannot be used; HW035, torch is not installed;
            HW350, a node cannot be trained; HW355, the folder is another run's; HW361, weights
            that share a multiplier do not leave the hardware with it.
    """
    refuse_pattern(request)
    read_limits(request.goal, 1)
    bench = open_bench(request.source, request.to_json(), Folder(folder), progress)
    return _Run(request, bench, Folder(folder), progress, say).finished()


class _Run:
    """A pruning with its folder."""

    def __init__(
        self, request: PruneRequest, bench: Bench, place: Folder, progress: Progress, say: Say
    ) -> None:
        self.request, self.bench, self.place = request, bench, place
        self.progress, self.say = progress, say
        self.limits = read_limits(request.goal, count_weights(bench.before))
        self.rows: list[dict[str, Any]] = []

    def finished(self) -> Pruned:
        """Return what is left after all steps, judged."""
        model, start = (
            self.bench.before,
            self.bench.rough.figures(self.bench.before, (*self.limits,)),
        )
        scores = self.warmed() if self.request.method == "movement" else {}
        for step in range(1, self.request.steps + 1):
            share = self.request.share(step)
            aims = {m: start[m] + share * (most - start[m]) if start[m] > most else most
                    for m, most in self.limits.items()}  # fmt: skip
            model, scores = self.step(step, model, aims, scores)
            self.progress("prune", step / self.request.steps)
        before = self.bench.row(self.bench.before)
        self.progress("judge", 0.5)
        model, after, reached = self.met(model)
        self.progress("judge", 1.0)
        record = self.place.record()
        lineage = self.bench.source.lineage("prune", record)
        save_with(model, self.place.path / MODEL, lineage)
        result = {
            "method": "prune", "goal": self.request.goal, "limits": dict(self.limits),
            "reached": reached, "before": before, "after": after, "steps": self.rows,
            "layers": _layers(self.bench.before, model), **record,
        }  # fmt: skip
        self.place.write_result(result)
        return Pruned(self.place.path, result, model)

    def step(
        self, number: int, model: QonnxModel, aims: Mapping[str, float],
        scores: Mapping[str, Floats],
    ) -> tuple[QonnxModel, dict[str, Floats]]:  # fmt: skip
        """Return the network after a step, and the movement of its weights."""
        path = self.place.path / "steps" / f"{number:02d}.onnx"
        kept, movement = path.with_suffix(".json"), path.with_suffix(".npz")
        if path.is_file():
            self.rows.append(json.loads(kept.read_text()))
            return _loaded(path), _read(movement) if movement.is_file() else {}
        chosen = self.chosen(model, aims, scores)
        moving = self.request.method == "movement"
        watched = Watched(chosen.model, "movement")
        found = self.bench.trained(
            chosen.model, self.request.epochs_of(number), turn=number, say=self.say,
            checkpoint=None if moving else path.with_suffix(".pt"),
            watch=watched.see if moving else None,
        )  # fmt: skip
        row = _row(number, aims, chosen, found.best.loss, found.best.agreement)
        self.rows.append(row)
        if moving:
            _write(movement, watched.scores())
        write_file(kept, json.dumps(row).encode(), parents=True)
        save_model(found.model, path)
        path.with_suffix(".pt").unlink(missing_ok=True)
        figures = ", ".join(f"{m} {row['figures'][m]:,.0f}" for m in aims)
        stay = f"{row['kept']:,} of {row['groups']:,} groups" if row["groups"] else "all"
        self.say(f"step {number}/{self.request.steps}: {stay} stay, {figures}; loss after training "
                 f"{row['loss']:.4f}")  # fmt: skip
        return _loaded(path), watched.scores() if moving else {}

    def chosen(
        self, model: QonnxModel, aims: Mapping[str, float], scores: Mapping[str, Floats]
    ) -> Chosen:
        """Return what stays of a network."""
        values = scores
        if self.request.method == "l1" or (self.request.method == "movement" and not scores):
            values = magnitudes(model)
        elif self.request.method == "gradient":
            watched = Watched(model, "gradient")
            self.bench.trained(model, 1, turn=0, watch=watched.see, rate=0.0)
            values = watched.scores()
        return choose(model, self.bench.rough, aims, pattern=self.request.pattern, values=values)

    def warmed(self) -> dict[str, Floats]:
        """Return the movement of all weights in a training of the whole network."""
        watched = Watched(self.bench.before, "movement")
        self.bench.trained(
            self.bench.before, self.request.epochs_of(1), turn=0, watch=watched.see, say=self.say
        )
        return watched.scores()

    def met(self, model: QonnxModel) -> tuple[QonnxModel, dict[str, Any], bool]:
        """Return a network whose estimate behind ``quantize`` meets the limits, where it can.

        What leaves now leaves by magnitude unless the method is ``gradient``.
        """
        aims, row = dict(self.limits), self.bench.row(model)
        for _ in range(ROUNDS):
            over = {m: row[m] for m, most in self.limits.items() if row[m] > most}
            if not over or row["constant"]:
                return model, row, not over and not row["constant"]
            rough = self.bench.rough.figures(model, (*self.limits,))
            for measure, figure in over.items():
                most = self.limits[measure]
                aims[measure] = MARGIN * min(aims[measure], most * rough[measure] / figure)
            model = self.chosen(model, aims, {}).model
            row = self.bench.row(model)
        met = all(row[m] <= most for m, most in self.limits.items())
        return model, row, met and not row["constant"]


def _loaded(path: Path) -> QonnxModel:
    """Return the network of a step, always from its file: a run that goes on has the same one."""
    return prepare(frontends.load(path))


def _row(
    number: int, aims: Mapping[str, float], chosen: Chosen, loss: float, same: float | None
) -> dict[str, Any]:
    return {
        "step": number, "aims": dict(aims), "figures": dict(chosen.figures),
        "groups": chosen.groups, "kept": chosen.kept, "proven": chosen.proven, "met": chosen.met,
        "loss": loss, "agreement": same,
    }  # fmt: skip


def _layers(before: QonnxModel, after: QonnxModel) -> list[dict[str, Any]]:
    """Return what is left of each layer."""
    left = {layer.name: layer.matrix() for layer in layers_of(after)}
    rows = []
    for layer in layers_of(before):
        matrix = layer.matrix()
        found = left.get(layer.name, np.zeros((0, 0, 0)))
        rows.append({
            "layer": layer.name, "outputs": [int(np.prod(m.shape[:2])) for m in (matrix, found)],
            "inputs": [matrix.shape[2], found.shape[2]],
            "weights": [int(np.count_nonzero(m)) for m in (matrix, found)],
        })  # fmt: skip
    return rows


def _write(path: Path, scores: Mapping[str, Floats]) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **scores)
    write_file(path, content.getvalue(), parents=True)


def _read(path: Path) -> dict[str, Floats]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
