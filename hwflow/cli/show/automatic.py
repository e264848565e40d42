"""What the command line prints of a search for a design that meets requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwflow.cli.show.handover import handed_over
from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.compression.auto.api import Found


def print_found(found: Found, *, json: bool) -> None:
    """Print the decisions, before and after, and what was built or what cannot be met."""
    if not json:
        shown = table(found.table.heads, title="decisions")
        for row in found.table.rows:
            shown.add_row(*map(escape, row))
        console.print(shown)
    if found.story is not None:
        handed_over(found.story, found.folder, found.to_dict(), json=json)
    elif json:
        print_json({"folder": str(found.folder), **found.to_dict()})
    if json:
        return
    lines = [found.searched.why, *(f"not met: {text}" for text in found.unmet)]
    best = found.searched.best
    if found.met:
        lines.append(f"verified build: {found.folder / 'build'}")
    elif best is not None:
        lines.append(f"nearest design, trial {best['trial'] + 1}: {found.folder / 'model.onnx'}")
    for line in lines:
        console.print(escape(line), soft_wrap=True)
