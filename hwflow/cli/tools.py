"""Verbs on what there is: boards, operators, tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app, op_app
from hwflow.cli.groups import with_groups
from hwflow.cli.options import (
    ConfigOption,
    JsonOption,
    PluginOption,
    ReadingOptions,
    TargetOptions,
    TypeDataOption,
    board_names,
)


@app.command(epilog="Example: hwflow boards --fits model.onnx --io-type io_stream")
@with_groups
def boards(
    name: Annotated[
        str | None, typer.Argument(help="One board, with its sources; several with commas.")
    ] = None,
    *,
    fits: Annotated[
        Path | None,
        typer.Option(
            "--fits",
            metavar="MODEL",
            help="List what holds a model or a written project, cheapest first, and what breaks "
            "first on the others. All options below are about it.",
        ),
    ] = None,
    data: TypeDataOption = None,
    config: ConfigOption = None,
    target: TargetOptions,
    reading: ReadingOptions,
    json: JsonOption = False,
) -> None:
    """List the boards, show one, or find those that hold a design."""
    from hwflow.cli import terminal
    from hwflow.cli.show.boards import print_boards, print_on_boards

    names = board_names(name)
    if fits is None:
        if any([data, config, reading != ReadingOptions(), target != TargetOptions()]):
            raise typer.BadParameter("is needed by the other options", param_hint="'--fits'")
        print_boards(names, json=json)
        return
    from hwflow.project.candidates import boards_for

    with terminal.stage_progress(quiet=json) as progress:
        design, found = boards_for(
            fits, names, plugins=reading.plugins, trust=reading.trust, progress=progress,
            config=config, weights=reading.weights, data=data, **target.settings,
        )  # fmt: skip
    print_on_boards(design, found, json=json)


@app.command(epilog="Example: hwflow ops --plugin my_operator.py")
def ops(plugin: PluginOption = None, json: JsonOption = False) -> None:
    """List the operators, the ONNX operators they take, and their settings."""
    from hwflow.cli.show.catalog import print_operators
    from hwflow.custom.plugins import load_plugins

    print_operators(load_plugins(plugin or (), installed=False), json=json)


@app.command(epilog="Example: hwflow doctor")
def doctor(json: JsonOption = False) -> None:
    """Show what is installed, which tools are found, and their versions."""
    from hwflow.cli.show.catalog import print_environment

    raise typer.Exit(print_environment(json=json))


@op_app.command("new", epilog="Example: hwflow op new HalfWave --out my_operators")
def new(
    name: Annotated[str, typer.Argument(help="Name of the operator's class.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder.")] = Path(),
    json: JsonOption = False,
) -> None:
    """Write an operator to start from: Python, template and test."""
    from hwflow.cli.show.operator import print_skeleton
    from hwflow.testing.operators.skeleton import write_skeleton

    print_skeleton(name, write_skeleton(name, out), json=json)


@op_app.command(epilog="Example: hwflow op check HalfWave --plugin half_wave.py")
def check(
    name: Annotated[str, typer.Argument(help="Operator.", show_default=False)],
    *,
    plugin: PluginOption = None,
    io_type: Annotated[str | None, typer.Option("--io-type", help="One instead of both.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", help="One instead of both.")] = None,
    samples: Annotated[int, typer.Option(min=3, max=100_000, help="Inputs per example.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of the random inputs.")] = 0,
    json: JsonOption = False,
) -> None:
    """Compare an operator's Python with its ONNX function and with compiled C++.

    Exit status: 0 when every bit agrees, 1 when not, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.operator import print_check
    from hwflow.custom.plugins import load_plugins
    from hwflow.testing.operators.check import check_operator

    with terminal.stage_progress(quiet=json) as progress:
        found = check_operator(
            name,
            load_plugins(plugin or ()),
            io_type=io_type,
            backend=backend,
            samples=samples,
            seed=seed,
            progress=progress,
        )
    print_check(found, json=json)
    raise typer.Exit(0 if found.holds else 1)
