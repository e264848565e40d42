"""Verbs that train: ``compress qat``, ``compress tables``, ``compress distill``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hwflow.cli.app import compress_app
from hwflow.cli.groups import with_groups
from hwflow.cli.options import JsonOption
from hwflow.cli.runs import RunOption

ModelOrCode = Annotated[
    Path | None,
    typer.Argument(
        help="Float model: ONNX, Keras, or FILE.py:FUNCTION that gives one, such as a torch "
        "module; its code runs.",
        show_default=False,
    ),
]
DataOrCode = Annotated[
    Path | None,
    typer.Option(
        "--data", "-d",
        help="Samples (.npz, .npy), labels as y; or FILE.py:FUNCTION that gives arrays by name, a "
        "torch Dataset or an iterable of (x, y); its code runs.",
    ),
]  # fmt: skip
FromRun = Annotated[
    Path | None,
    typer.Option("--from-run", help="Model and data of this exploration, instead of both."),
]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a network is trained."""

    teacher: Annotated[
        list[Path] | None,
        typer.Option("--teacher", help="Float model to learn from, not this one; may be repeated."),
    ] = None
    features: Annotated[
        list[str] | None,
        typer.Option("--features", help="S=T: S learns the teacher's value T; may be repeated."),
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
    model: ModelOrCode = None,
    *,
    data: DataOrCode = None,
    target: Annotated[str, typer.Option("--target", help="ebops=8000, lut=3000 or fits=BOARD.")],
    run: RunOption,
    from_run: FromRun = None,
    id: Annotated[  # noqa: A002 - the word of the command line
        int | None, typer.Option("--id", help="Its point to begin with; the knee unless given.")
    ] = None,
    training: TrainingOptions,
    cost: CostOptions,
    json: JsonOption = False,
) -> None:
    """Train with learned bits, down to none, until a cost is met; writes a model to build.

    Exit status: 0 when the goal is met, 1 when not, 2 on errors in the input.
    """
    options = {"from_run": from_run, "point": id, **given(training), **given(cost)}
    _train(model, data, goal=target, run=run, json=json, options=options)


@compress_app.command(
    epilog="Example: hwflow compress tables float.onnx --data train.npz --target lut=2000 "
    "--run runs/tables"
)
@with_groups
def tables(
    model: ModelOrCode = None,
    *,
    data: DataOrCode = None,
    target: Annotated[str, typer.Option("--target", help="ebops=8000, lut=3000 or fits=BOARD.")],
    run: RunOption,
    layers: Annotated[
        list[str] | None,
        typer.Option("--layers", help="Dense layer to replace, all unless given; repeatable."),
    ] = None,
    training: TrainingOptions,
    cost: CostOptions,
    json: JsonOption = False,
) -> None:
    """Train with sums of look-up tables in the place of dense layers, until a cost is met.

    Exit status: 0 when the goal is met, 1 when not, 2 on errors in the input.
    """
    options = {"tables": tuple(layers or ()), **given(training), **given(cost)}
    _train(model, data, goal=target, run=run, json=json, options=options)


def _train(
    model: Path | None, data: Path | None, *, goal: str, run: Path, json: bool,
    options: dict[str, Any],
) -> None:  # fmt: skip
    """Train to a goal, compare before and after, print both, and exit by whether it is met."""
    from hwflow.cli import terminal
    from hwflow.cli.show.compression import print_trained
    from hwflow.cli.show.exploration import say
    from hwflow.compression.api import train
    from hwflow.compression.handover.stories import story_of
    from hwflow.core.threads import one_thread

    one_thread()
    with terminal.stage_progress(quiet=json) as progress:
        found = train(
            model, data, goal=goal, run=run, progress=progress, say=say(quiet=json), **options
        )
        progress("compare", 0.0)
        story = story_of(found)
        progress("compare", 1.0)
    print_trained(found, story, json=json)
    raise typer.Exit(0 if found.reached else 1)


@compress_app.command(
    epilog="Example: hwflow compress distill float.onnx --shrink 0.5 --data train.npz "
    "--run runs/small"
)
@with_groups
def distill(
    model: ModelOrCode = None,
    *,
    data: DataOrCode = None,
    run: RunOption,
    from_run: FromRun = None,
    shrink: Annotated[
        float, typer.Option("--shrink", help="Part of the channels that the student keeps.")
    ] = 1.0,
    patience: Annotated[
        int, typer.Option("--patience", help="Epochs without gain that end the training; 0: none.")
    ] = 0,
    training: TrainingOptions,
    json: JsonOption = False,
) -> None:
    """Train a float model with answers of teachers, labels and features; writes a float model.

    The teacher is the model as it is given unless --teacher names others.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.compression import print_distilled
    from hwflow.cli.show.exploration import say
    from hwflow.compression.api import distill as distilled
    from hwflow.compression.handover.stories import story_of_distilled
    from hwflow.core.threads import one_thread

    one_thread()
    with terminal.stage_progress(quiet=json) as progress:
        found = distilled(
            model, data, run=run, from_run=from_run, progress=progress, say=say(quiet=json),
            shrink=shrink, patience=patience, **given(training),
        )  # fmt: skip
        story = story_of_distilled(found)
    print_distilled(found, story, json=json)


def given(options: Any) -> dict[str, Any]:
    """Return the options of a group that were given, by the names that Python functions take."""
    found = {name: value for name, value in vars(options).items() if value is not None}
    teachers = found.pop("teacher", None)
    return found if teachers is None else {**found, "teachers": teachers}
