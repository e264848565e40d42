"""Verbs on hardware: hil."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.options import JsonOption


@app.command(epilog="Example: hwflow hil ip/net --board tcp://192.168.2.99:7000 --junit board.xml")
def hil(
    block: Annotated[Path, typer.Argument(help="Folder that package wrote.", show_default=False)],
    *,
    board: Annotated[
        str, typer.Option(help="Where it is: tcp://HOST:PORT, or serial://DEVICE?BAUD.")
    ],
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds that an answer may take.")
    ] = 10.0,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    json: JsonOption = False,
) -> None:
    """Send a block's test vectors to a board and compare every bit with the golden outputs.

    The board runs `python3 -m hwflow_ip.server` of the block's drivers. Exit status: 0 when all
    bits agree, 1 when not, or when the line failed, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.hil import print_board_run
    from hwflow.package.hil.run import run_on_board

    with terminal.stage_progress(quiet=json) as progress:
        found = run_on_board(block, board, timeout=timeout, junit=junit, progress=progress)
    print_board_run(found, json=json)
    raise typer.Exit(0 if found.passed else 1)
