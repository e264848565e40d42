"""Verbs on a run of an exploration: ``hwflow explore VERB --run DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import explore_app
from hwflow.cli.options import BoardOption, JsonOption

RunOption = Annotated[Path, typer.Option("--run", "-r", help="Folder of the run.")]


@explore_app.command(epilog="Example: hwflow explore front --run runs/digits --board pynq-z2")
def front(run: RunOption, board: BoardOption = None, json: JsonOption = False) -> None:
    """Show the fronts that were found."""
    from hwflow.cli.show.exploration import print_run
    from hwflow.exploration.run import open_run

    print_run(open_run(run)[1], board=board, json=json)


@explore_app.command(epilog="Example: hwflow explore export --run runs/digits -o front.html")
def export(
    *,
    run: RunOption,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File; its suffix says the format.")
    ] = None,
    format: Annotated[  # noqa: A002 - the word of the command line
        str | None,
        typer.Option("--format", help="csv, json, html, svg or png, whatever the suffix is."),
    ] = None,
    board: BoardOption = None,
    json: JsonOption = False,
) -> None:
    """Write the fronts for other programs, or pictures of them; to standard output without -o."""
    from hwflow.cli.show.exploration import print_exported
    from hwflow.exploration.export import export_run

    print_exported(export_run(run, out, kind=format, board=board), out, json=json)
