"""``hwflow compress lowrank``: factors layers where their hardware gets cheaper, and trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.compression.bench import Bench, Progress, Say, open_bench
from hwflow.compression.folder import MODEL, Folder
from hwflow.compression.handover.lineage import save_with
from hwflow.compression.lowrank.options import layers_to_factor, products_of
from hwflow.compression.lowrank.refusal import refuse_several
from hwflow.compression.lowrank.request import LowRankRequest
from hwflow.compression.lowrank.surgery import factored
from hwflow.compression.lowrank.trial import Judge, Trial
from hwflow.compression.target import LUT, read_limits
from hwflow.fitting.program import Program
from hwflow.frontends.quantization.layers import Layer
from hwflow.ir.qonnx.model import QonnxModel

MARGIN = 0.97
"""Part of a limit that is aimed at: training changes numbers, and so their digits."""

ROUNDS = 3
"""Times that limits are set tighter."""


@dataclass(frozen=True, eq=False)
class Factored:
    """A finished factorisation.

    Attributes:
        folder: where it lies.
        result: what ``front.json`` holds.
        model: the float network.
    """

    folder: Path
    result: dict[str, Any]
    model: QonnxModel

    @property
    def reached(self) -> bool:
        """Whether the goal was met, or without a goal whether any layer was factored."""
        return bool(self.result["reached"])

    def __repr__(self) -> str:
        """Return what was factored, in one line."""
        names = [row["layer"] for row in self.result["layers"] if row["taken"]]
        return f"Factored {self.folder}: {', '.join(names) or 'nothing'}"


def lowrank(
    request: LowRankRequest,
    folder: Path,
    *,
    progress: Progress = lambda stage, done: None,
    say: Say = lambda line: None,
) -> Factored:
    """Factor layers, or go on with a run that was ended.

    Args:
        request: what is asked.
        folder: folder of the run; epochs that it holds are not computed again.
        progress: called as stages go on.
        say: called with a line for each layer and epoch.

    Raises:
        CompileError: the model, the data or the goal cannot be used; HW035, torch is not installed;
            HW350, a node cannot be trained; HW355, the folder is another run's; HW362, a layer
            cannot be factored; HW363, more than one thing says the ranks; HW364, a rank is too
            high.
    """
    refuse_several(request)
    limits = read_limits(request.goal, 1) if request.goal else {}
    place = Folder(folder)
    bench = open_bench(request.source, request.to_json(), place, progress)
    layers = layers_to_factor(bench.before, request)
    judge = Judge.of(bench.before, bench.rough, tuple(limits))
    trials: list[list[Trial]] = []
    for i, layer in enumerate(layers):
        trials.append([judge.trial(layer, f) for f in products_of(layer, request)])
        progress("factor", (i + 1) / len(layers))
    chosen = [own[0] if own[0].pays else None for own in trials]
    if limits:
        chosen = _within(judge, trials, limits)
    rows = []
    for layer, own, taken in zip(layers, trials, chosen, strict=True):
        row = _row(judge, layer, own, taken)
        rows.append(row)
        say(f"{row['layer']}: rank {row['rank']}, error {row['error']:.1%}, LUT "
            f"{row['before'][LUT]:,.0f} to {row['after'][LUT]:,.0f}: {row['why']}")  # fmt: skip
    model = _applied(bench.before, chosen)
    return _handed_over(request, bench, place, (model, rows, limits), progress=progress, say=say)


def _row(judge: Judge, layer: Layer, own: Sequence[Trial], taken: Trial | None) -> dict[str, Any]:
    """Return what is told of a layer."""
    if taken is not None:
        return judge.row(layer, taken, taken=True, why="taken")
    best = max(own, key=lambda t: t.saved[LUT])
    why = "not taken: the factors cost more"
    if best.pays:
        why = "not taken: the goal is met without it"
    return judge.row(layer, best, taken=False, why=why)


def _applied(model: QonnxModel, chosen: Sequence[Trial | None]) -> QonnxModel:
    """Return a network with what was chosen for its layers."""
    for trial in chosen:
        model = model if trial is None else factored(model, trial.layer, trial.factors)
    return model


def _within(
    judge: Judge, trials: Sequence[Sequence[Trial]], limits: dict[str, float]
) -> list[Trial | None]:
    """Return a choice whose whole network meets the limits by its estimate, where there is one.

    What layers save does not quite add up, so limits are set tighter where they were missed.
    """
    aims = {measure: MARGIN * most for measure, most in limits.items()}
    chosen = _by_goal(judge, trials, aims)
    for _ in range(ROUNDS):
        found = judge.rough.figures(_applied(judge.model, chosen), tuple(limits))
        over = {m: f for m, f in found.items() if f > MARGIN * limits[m]}
        if not over:
            break
        for measure, figure in over.items():
            aims[measure] -= figure - MARGIN * limits[measure]
        chosen = _by_goal(judge, trials, aims)
    return chosen


def _by_goal(
    judge: Judge, trials: Sequence[Sequence[Trial]], limits: dict[str, float]
) -> list[Trial | None]:
    """Return the products of least error whose savings meet the limits, exactly.

    Each layer stays or becomes one of its products: a multiple-choice knapsack. What layers save
    is taken to add up. Where nothing meets the limits, each layer saves as much as it can.
    """
    options = [[None, *(t for t in own if t.pays)] for own in trials]
    program = Program([len(own) for own in options])
    for measure, most in limits.items():
        saved = [np.array([-t.saved[measure] if t else 0.0 for t in own]) for own in options]
        left = program.constant(most - judge.figures[measure])
        program.at_most(program.sum_of(saved), left)
    errors = [np.array([t.factors.error**2 if t else 0.0 for t in own]) for own in options]
    found = program.minimum(program.sum_of(errors))
    if found is None:
        return [max(own, key=lambda t: t.saved[LUT] if t else 0.0) for own in options]
    return [own[i] for own, i in zip(options, found.options, strict=True)]


def _handed_over(
    request: LowRankRequest, bench: Bench, place: Folder,
    made: tuple[QonnxModel, list[dict[str, Any]], dict[str, float]], *, progress: Progress,
    say: Say,
) -> Factored:  # fmt: skip
    """Train what was made, judge it, and write it."""
    model, rows, limits = made
    taken = any(row["taken"] for row in rows)
    if taken:
        found = bench.trained(
            model, request.source.training.epochs, turn=0, checkpoint=place.checkpoint, say=say
        )
        model = found.model
    progress("judge", 0.0)
    before, after = bench.row(bench.before), bench.row(model)
    progress("judge", 1.0)
    met = all(after[m] <= most for m, most in limits.items()) if limits else taken
    record = place.record()
    save_with(model, place.path / MODEL, request.source.lineage("lowrank", record))
    result = {
        "method": "lowrank", "goal": request.goal, "limits": limits, "reached": met,
        "before": before, "after": after, "layers": rows, **record,
    }  # fmt: skip
    place.write_result(result)
    return Factored(place.path, result, model)
