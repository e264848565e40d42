"""Verbs that train: ``compress qat``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hwflow.cli.app import compress_app
from hwflow.cli.groups import with_groups
from hwflow.cli.options import JsonOption, Model
from hwflow.cli.runs import RunOption


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a network is trained."""

    teacher: Annotated[
        list[Path] | None,
        typer.Option("--teacher", help="Float model to learn from, not this one; may be repeated."),
    ] = None
    task: Annotated[
        str, typer.Option("--task", help="classification, regression or autoencoder.")
    ] = "classification"
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the samples.")] = None
    batch: Annotated[int, typer.Option("--batch", help="Samples of a step.")] = 64
    draw: Annotated[
        int, typer.Option("--draw", help="Samples to draw like the data, and train with these.")
    ] = 0
    temperature: Annotated[
        float,
        typer.Option("--temperature", help="What logits are divided by before they are compared."),
    ] = 1.0
    hard: Annotated[
        float, typer.Option("--hard", help="Weight of labels (0 to 1) beside the teacher.")
    ] = 0.5
    seed: Annotated[int, typer.Option("--seed", help="What all that is drawn begins with.")] = 0


@dataclass(frozen=True, kw_only=True)
class CostOptions:
    """What the cost is, and what shares a number of bits."""

    board: Annotated[str, typer.Option("--board", "-b", help="Board to estimate for.")] = "pynq-z2"
    io_type: Annotated[str, typer.Option("--io-type", help="io_parallel or io_stream.")] = (
        "io_parallel"
    )
    weights: Annotated[
        str, typer.Option("--weights", help="Bits for each weight, channel or layer.")
    ] = "weight"
    activations: Annotated[
        str, typer.Option("--activations", help="Bits for each channel or layer.")
    ] = "channel"


@compress_app.command(
    epilog="Example: hwflow compress qat float.onnx --data train.npz --target ebops=8000 "
    "--run runs/qat"
)
@with_groups
def qat(
    model: Model,
    *,
    data: Annotated[Path, typer.Option("--data", "-d", help="Samples (.npz), labels as y.")],
    target: Annotated[str, typer.Option("--target", help="ebops=8000, lut=3000 or fits=BOARD.")],
    run: RunOption,
    training: TrainingOptions,
    cost: CostOptions,
    json: JsonOption = False,
) -> None:
    """Train with learned bits, down to none, until a cost is met; writes a model to build.

    Exit status: 0 when the goal is met, 1 when not, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.compression import print_trained
    from hwflow.cli.show.exploration import say
    from hwflow.compression.api import train
    from hwflow.core.threads import one_thread

    one_thread()
    with terminal.stage_progress(quiet=json) as progress:
        found = train(
            model, data, goal=target, run=run, progress=progress, say=say(quiet=json),
            **_given(training), **_given(cost),
        )  # fmt: skip
    print_trained(found, json=json)
    raise typer.Exit(0 if found.reached else 1)


def _given(options: Any) -> dict[str, Any]:
    given = {name: value for name, value in vars(options).items() if value is not None}
    teachers = given.pop("teacher", None)
    return given if teachers is None else {**given, "teachers": teachers}
