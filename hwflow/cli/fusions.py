"""Verbs that make one network of several: ``compress fuse KIND``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwflow.cli.app import fuse_app
from hwflow.cli.compressions import DataOrCode
from hwflow.cli.groups import with_groups
from hwflow.cli.options import JsonOption
from hwflow.cli.runs import RunOption

if TYPE_CHECKING:
    from hwflow.compression.fusing.run import Kind

Networks = Annotated[
    list[Path],
    typer.Argument(help="Models: ONNX, Keras, or FILE.py:FUNCTION.", show_default=False),
]
TaskOption = Annotated[
    str, typer.Option("--task", help="classification, regression or autoencoder.")
]


@fuse_app.command(
    epilog="Example: hwflow compress fuse ensemble one.onnx two.onnx --run runs/ensemble"
)
def ensemble(
    models: Networks, *, data: DataOrCode = None, task: TaskOption = "classification",
    run: RunOption, json: JsonOption = False,
) -> None:  # fmt: skip
    """Average the outputs of networks, float or quantised, behind a shared input."""
    _fuse("ensemble", models, data=data, task=task, run=run, json=json)


@fuse_app.command(
    epilog="Example: hwflow compress fuse soup one.onnx two.onnx --data train.npz --run runs/soup"
)
def soup(
    models: Networks, *, data: DataOrCode = None, task: TaskOption = "classification",
    run: RunOption, json: JsonOption = False,
) -> None:  # fmt: skip
    """Average the weights of float networks of one graph; with labels, of those that gain by it."""
    _fuse("soup", models, data=data, task=task, run=run, json=json)


@fuse_app.command(
    epilog="Example: hwflow compress fuse features one.onnx two.onnx --data train.npz "
    "--run runs/features"
)
@with_groups
def features(
    models: Networks,
    *,
    data: DataOrCode = None,
    task: TaskOption = "classification",
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the samples.")] = 30,
    batch: Annotated[int, typer.Option("--batch", help="Samples of a step.")] = 64,
    draw: Annotated[
        int, typer.Option("--draw", help="Samples to draw like the data, and train with these.")
    ] = 0,
    hard: Annotated[
        float, typer.Option("--hard", help="Weight of labels (0 to 1) beside the networks' mean.")
    ] = 0.5,
    seed: Annotated[int, typer.Option("--seed", help="What all that is drawn begins with.")] = 0,
    run: RunOption,
    json: JsonOption = False,
) -> None:
    """Join what the last layers of float networks take, and train one layer in their place."""
    options = {"epochs": epochs, "batch": batch, "draw": draw, "hard": hard, "seed": seed}
    _fuse("features", models, data=data, task=task, run=run, json=json, **options)


@fuse_app.command(epilog="Example: hwflow compress fuse layers model.onnx --run runs/fused")
def layers(
    model: Annotated[Path, typer.Argument(help="Model, float or quantised.", show_default=False)],
    *, data: DataOrCode = None, task: TaskOption = "classification",
    run: RunOption, json: JsonOption = False,
) -> None:  # fmt: skip
    """Make one layer of layers that follow each other, where that is exact; name the others."""
    _fuse("layers", [model], data=data, task=task, run=run, json=json)


def _fuse(kind: Kind, models: list[Path], *, json: bool, **options: Any) -> None:
    from hwflow.cli import terminal
    from hwflow.cli.show.compression import print_fused
    from hwflow.cli.show.exploration import say
    from hwflow.compression.api import fuse
    from hwflow.core.threads import one_thread

    one_thread()
    with terminal.stage_progress(quiet=json) as progress:
        found = fuse(kind, models, progress=progress, say=say(quiet=json), **options)
    print_fused(found, json=json)
