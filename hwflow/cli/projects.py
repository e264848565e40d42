"""Verbs on written projects: diff."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.options import JsonOption

_HELP = "Folder that build wrote, or its manifest.json."


@app.command(epilog="Example: hwflow diff build/before build/after")
def diff(
    before: Annotated[Path, typer.Argument(help=_HELP, show_default=False)],
    after: Annotated[Path, typer.Argument(help="Another, held against it.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Show what differs between two builds: model, settings, layers, costs, bits, accuracy.

    Exit status: 0 when they are identical, 1 when not, 2 on errors in the input.
    """
    from hwflow.cli.show.diff import print_comparison
    from hwflow.report.manifest.comparison import compare_paths

    found = compare_paths(before, after)
    print_comparison(found, json=json)
    raise typer.Exit(0 if found.identical else 1)
