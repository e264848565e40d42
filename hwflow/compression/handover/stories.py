"""What is told of a training with learned bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwflow.compression.distill import Distilled
from hwflow.compression.folder import MODEL
from hwflow.compression.handover.figures import Curve, Mark
from hwflow.compression.handover.lineage import chain
from hwflow.compression.handover.page import Front, Story
from hwflow.compression.handover.sides import before_after
from hwflow.compression.qat import Trained
from hwflow.compression.target import read_goal
from hwflow.core.config import Config, read_settings, with_arguments

MEASURES = {"ebops": "EBOPs", "lut_synth": "LUT, after synthesis"}


def target_settings(**target: Any) -> Config:
    """Return settings with entries of ``[target]``.

    Raises:
        CompileError: HW5xx, they cannot be used.
    """
    return with_arguments(read_settings({}), target)


def story_of(found: Trained) -> Story:
    """Return what is told of a finished training; networks are judged and timed for it.

    Raises:
        CompileError: the original or its data cannot be read any more.
    """
    result, request = found.result, found.result["request"]
    goal = read_goal(result["goal"])
    config = target_settings(board=request["board"], io_type=request["io_type"])
    sides = before_after(
        request["model"], request["data"], found.model, config, task=request["task"]
    )
    met = "met" if found.reached else "not met: the cheapest point was taken"
    return Story(
        model=Path(request["model"]).name, reached=found.reached,
        method="qat" if request.get("tables") is None else "tables",
        verdict=f"The goal {result['goal']} is {met}.",
        facts={"Goal": result["goal"], "Epochs": str(request["epochs"]),
               "Compared": f"{result['compared']:,} samples, design and training, bit for bit"},
        sides=sides, links=chain(found.folder / MODEL),
        curves=epoch_curves(result["epochs"], goal.measure, goal.most),
        front=front_of_points(result["points"], result["chosen"], goal.measure, goal.most),
    )  # fmt: skip


def story_of_distilled(found: Distilled) -> Story:
    """Return what is told of a finished distillation; hardware is estimated for a PYNQ-Z2.

    Raises:
        CompileError: the original or its data cannot be read any more.
    """
    result, request = found.result, found.result["request"]
    sides = before_after(
        request["model"], request["data"], found.model, target_settings(), task=request["task"]
    )
    return Story(
        model=Path(request["model"]).name, method="distill", reached=True,
        verdict=f"Epoch {result['chosen']['epoch'] + 1} of {request['epochs']} has the least loss.",
        facts={"Channels kept": f"{request['shrink']:g}"}, sides=sides,
        links=chain(found.folder / MODEL), curves=epoch_curves(result["epochs"], "", None),
    )  # fmt: skip


def epoch_curves(
    epochs: Sequence[Mapping[str, Any]], measure: str, most: float | None
) -> tuple[Curve, ...]:
    """Return the curves of a training: loss, cost, bits, and agreement where there are classes.

    Args:
        epochs: ``number``, ``loss``, ``cost`` and what else an ``Epoch`` has.
        measure: what ``cost`` is.
        most: how much of it is wanted.
    """

    def line(name: str, factor: float = 1.0) -> list[float | None]:
        values = [epoch.get(name) for epoch in epochs]
        return [None if v is None else factor * float(v) for v in values]

    named = MEASURES.get(measure, measure)
    bits = {"weights": line("weight_bits"), "activations": line("activation_bits")}
    found = [
        Curve(title="Loss, validation", lines={"loss": line("loss")}),
        Curve(title=f"Cost: {named}", lines={named: line("cost")}, goal=most),
        Curve(title="Mean bits without sign", lines=bits),
        Curve(title="Same class as the teacher, %", lines={"agreement": line("agreement", 100.0)}),
    ]
    return tuple(c for c in found if any(v is not None for vs in c.lines.values() for v in vs))


def front_of_points(
    points: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any], measure: str, goal: float | None
) -> Front | None:
    """Return the judged points as marks; None where outputs are no classes."""
    kind = next((k for k in ("accuracy", "agreement") if k in chosen), None)
    if kind is None:
        return None
    marks = [
        Mark(
            cost=point[measure], value=100 * point[kind],
            ends=(100 * point[f"{kind}_interval"][0], 100 * point[f"{kind}_interval"][1]),
            chosen=point["epoch"] == chosen["epoch"], name=f"epoch {point['epoch'] + 1}",
        )
        for point in points
    ]  # fmt: skip
    return Front(marks=tuple(marks), cost=MEASURES.get(measure, measure), kind=kind, goal=goal)
