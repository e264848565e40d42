"""What the command line prints of what methods hand over: before and after, lineage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.compression.handover.lineage import Link
    from hwflow.compression.handover.page import Story
    from hwflow.compression.handover.sides import BeforeAfter

Plain = dict[str, Any]


def handed_over(story: Story, folder: Path, content: Plain, *, json: bool) -> None:
    """Write what a method hands over into its folder, and print before and after.

    Args:
        story: what is told.
        folder: folder of the run.
        content: what the method prints with ``--json``; before and after and the lineage go in.
        json: print JSON.
    """
    from hwflow.compression.handover.writing import report_of, write_story

    write_story(story, folder)
    if json:
        print_json({"folder": str(folder), **content, "report": report_of(story)})
        return
    print_sides(story.sides)


def print_sides(found: BeforeAfter) -> None:
    """Print networks before and after, side by side."""
    from hwflow.compression.handover.words import heading, rows_of

    shown = table(("before and after", *(f">{escape(side.name)}" for side in found.sides)))
    for row in rows_of(found):
        shown.add_row(row.name, *row.cells)
    console.print(shown)
    console.print(escape(heading(found)), soft_wrap=True)
    for side in found.sides:
        if side.reason:
            console.print(escape(f"{side.name}: {side.reason}"), soft_wrap=True)


def print_lineage(links: list[Link], *, json: bool) -> None:
    """Print a file and what it was made from."""
    if json:
        print_json({"lineage": [link.to_dict() for link in links]})
        return
    shown = table(("part", "file", "made by", "SHA-256"))
    for link in links:
        own = link.lineage
        made = "" if own is None else f"{own.method}, hwflow {own.version}"
        name = link.name or "not found"
        shown.add_row(f"{'  ' * link.depth}{link.part}", escape(name), made, link.sha256)
    console.print(shown)
    if links[0].lineage is None:
        console.print("the model does not say what it was made from")
