"""``hwflow compress qat``: trains until a cost is met, and hands over what is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.compression.exporting import Learned, exported
from hwflow.compression.folder import MODEL, Folder
from hwflow.compression.handover.lineage import lineage_for, save_with
from hwflow.compression.heads import without_softmax
from hwflow.compression.judging import check, float_row, row_of, thinned
from hwflow.compression.material import CLASSES, Material, material_of, samples_of
from hwflow.compression.needed import require_torch
from hwflow.compression.request import Request
from hwflow.compression.skeleton import Skeleton, refuse_quantizers, skeleton_of
from hwflow.compression.tables import tabled
from hwflow.compression.teachers import teachers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.sources import Sources
from hwflow.ir.qonnx.lineage import Lineage
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

if TYPE_CHECKING:
    from hwflow.compression.training.loop import Epoch, Training

Progress = Callable[[str, float], None]
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training.

    Attributes:
        folder: where it lies.
        result: what ``front.json`` holds.
        model: the network that was chosen, at the QONNX level.
    """

    folder: Path
    result: dict[str, Any]
    model: QonnxModel

    @property
    def reached(self) -> bool:
        """Whether the goal was met."""
        return bool(self.result["reached"])

    def __repr__(self) -> str:
        """Return the goal and what came of it, in one line."""
        chosen = self.result["chosen"]
        what = f"{chosen['ebops']:,.0f} EBOPs, {chosen['lut']:,.0f} LUT"
        return f"Trained {self.folder}: {self.result['goal']}, {what}"


def train(
    request: Request,
    folder: Path,
    *,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
) -> Trained:
    """Train, or go on with a training that was ended.

    Args:
        request: what is asked.
        folder: folder of the run; epochs that it holds are not computed again.
        progress: called as stages go on.
        say: called with a line for each epoch.

    Raises:
        CompileError: the model, the data or the goal cannot be used; HW035, torch is not installed;
            HW350, a node cannot be trained; HW352 and HW355, the folder cannot be used; HW354,
            hardware and training differ.
    """
    place, _ = Folder(folder), request.aim
    progress("read", 0.0)
    sources = Sources(request.data)
    model = sources.model(request.model)
    refuse_quantizers(model)
    before = prepare(model)
    if request.task == CLASSES:
        before = without_softmax(before)
    samples = samples_of(before, sources, request.task)
    skeleton = skeleton_of(before, samples.calibration)
    tabled(skeleton.model, request.tables)  # what is refused claims no folder
    teachers = teachers_of(
        before, [sources.model(path) for path in request.teachers],
        temperature=request.temperature, features=request.features,
    )  # fmt: skip
    material = material_of(
        teachers, samples, task=request.task, drawn=request.draw, seed=request.seed
    )
    place.claim(request.to_json(), sources.digests)
    progress("read", 1.0)
    training = training_of(skeleton, material, request)
    _run(training, place, progress, say)
    return _handed_over(training, place, progress)


def training_of(skeleton: Skeleton, material: Material, request: Request) -> Training:
    """Return a training before its first epoch.

    Raises:
        CompileError: HW035, torch is not installed; HW350, a node cannot be trained.
    """
    require_torch()
    from hwflow.compression.training.loop import Training
    from hwflow.compression.training.network import Network

    def measured(learned: Learned) -> float:
        return design_of(skeleton, learned, request).estimate().total.lut_synth.value

    network = Network(skeleton, request.granularity, tabled(skeleton.model, request.tables))
    if request.bits:
        network.begin(request.bits)
    return Training(network, material, request, measured)


def _run(training: Training, place: Folder, progress: Progress, say: Say) -> None:
    """Train what is left; each epoch and each point of the front is on disk before the next."""
    from hwflow.compression.training.checkpoint import load, save

    load(training, place.checkpoint)
    total = training.request.epochs
    for epoch in training.run():
        place.add_point(epoch.number, training.network.learned())
        save(training, place.checkpoint)
        place.keep_points([e.number for e in front_of(training.state.epochs)])
        progress("train", len(training.state.epochs) / total)
        same = "" if epoch.agreement is None else f", same class {epoch.agreement:.1%}"
        say(f"epoch {epoch.number + 1}/{total}: loss {epoch.loss:.4f}{same}, "
            f"{training.goal.measure} {epoch.cost:,.0f}")  # fmt: skip


def front_of(epochs: Sequence[Epoch]) -> list[Epoch]:
    """Return the epochs that no other beats in loss and cost, cheapest first."""
    found: list[Epoch] = []
    for epoch in sorted(epochs, key=lambda e: (e.cost, e.loss, e.number)):
        if not found or epoch.loss < found[-1].loss:
            found.append(epoch)
    return found


def design_of(skeleton: Skeleton, learned: Learned, request: Request) -> Design:
    """Return the design of a network in training."""
    model = exported(skeleton, learned)
    return compile_model(model, board=request.board, io_type=request.io_type)


def _handed_over(training: Training, place: Folder, progress: Progress) -> Trained:
    """Judge the front on held-out samples, choose a point, prove it, and write it.

    Raises:
        CompileError: HW354, hardware and training differ.
    """
    skeleton, request, goal = training.network.skeleton, training.request, training.goal
    shown, rows = thinned(front_of(training.state.epochs), goal.most), []
    for i, epoch in enumerate(shown):
        progress("judge", i / len(shown))
        design = design_of(skeleton, place.read_point(epoch.number), request)
        rows.append(row_of(epoch, design, training.material))
    progress("judge", 1.0)
    meeting = [row for row in rows if row[goal.measure] <= goal.most]
    cheapest = min(rows, key=lambda row: row[goal.measure])
    chosen = min(meeting, key=lambda row: row["loss"]) if meeting else cheapest
    learned = place.read_point(chosen["epoch"])
    training.network.restore(learned)
    compared = check(training, design_of(skeleton, learned, request), training.material)
    model = exported(skeleton, learned)
    save_with(model, place.path / MODEL, _lineage(request, place.record()["digests"]))
    result = {
        "goal": goal.text, "reached": bool(meeting), "chosen": chosen, "points": rows,
        "float": float_row(skeleton.before, training.material), "compared": compared,
        "epochs": [asdict(epoch) for epoch in training.state.epochs],
        **place.record(),
    }  # fmt: skip
    place.write_result(result)
    return Trained(place.path, result, model)


def _lineage(request: Request, digests: Mapping[str, str]) -> Lineage:
    """Return what a training's model is made from; its paths are no part of it."""
    asked = asdict(request)
    files = {part: asked.pop(part) for part in ("model", "data")}
    files |= {f"teacher{n + 1}": path for n, path in enumerate(asked.pop("teachers"))}
    return lineage_for("qat", files, asked, digests)
