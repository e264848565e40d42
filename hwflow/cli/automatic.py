"""``compress auto``: from requirements to a verified build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import compress_app
from hwflow.cli.options import JsonOption
from hwflow.cli.runs import RunOption


@compress_app.command(
    "auto", epilog="Example: hwflow compress auto examples/auto.toml --run runs/auto"
)
def automatic(
    requirements: Annotated[
        Path, typer.Argument(help="TOML file: model, data, board, min, max, time, ...")
    ],
    *,
    run: RunOption,
    json: JsonOption = False,
) -> None:
    """Search for a design that meets requirements, by all methods, and build it.

    Exit status: 0 when a verified build meets all of them, 1 when not; the nearest design is kept.
    2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.automatic import print_found
    from hwflow.cli.show.exploration import say
    from hwflow.compression.auto.api import auto
    from hwflow.core.threads import one_thread

    one_thread()
    with terminal.stage_progress(quiet=json) as progress:
        found = auto(requirements, run, progress=progress, say=say(quiet=json))
    print_found(found, json=json)
    raise typer.Exit(0 if found.met else 1)
