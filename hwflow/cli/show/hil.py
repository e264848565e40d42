"""What ``hwflow hil`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwflow.cli.show.verification import print_check_table
from hwflow.cli.terminal import console, print_json
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.package.hil.run import BoardRun


def print_board_run(found: BoardRun, *, json: bool) -> None:
    """Print every check, and how long the block took."""
    if json:
        print_json(found.to_dict())
        return
    print_check_table(found.checks)
    if found.hardware_s > 0:
        rate = found.frames / found.hardware_s
        line = f"block     {found.frames:,} frames in {found.hardware_s:.6f} s"
        line += f", {rate:,.0f} a second, transfers included"
        console.print(escape(line), soft_wrap=True)
