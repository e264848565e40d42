"""Puts what a method hands over into its folder: as data, as Markdown, and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hwflow.compression.handover.page import Story, to_html
from hwflow.compression.handover.words import to_markdown
from hwflow.core.files import write_file
from hwflow.exploration.pictures.page import finite

JSON, MARKDOWN, PAGE = "report.json", "report.md", "report.html"
"""Files in the folder of a run. They hold times, so they are not the same every time."""


def report_of(story: Story) -> dict[str, Any]:
    """Return before and after, and the lineage, as plain data for JSON."""
    content: dict[str, Any] = finite(
        {
            "method": story.method,
            "reached": story.reached,
            "before_after": story.sides.to_dict(),
            "lineage": [link.to_dict() for link in story.links],
        }
    )
    return content


def write_story(story: Story, folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html``, each whole or not at all.

    Raises:
        CompileError: HW552, a file cannot be written.
    """
    text = json.dumps(report_of(story), indent=1, sort_keys=True, allow_nan=False)
    write_file(folder / JSON, f"{text}\n".encode())
    write_file(folder / MARKDOWN, _markdown(story).encode())
    write_file(folder / PAGE, to_html(story).encode())


def _markdown(story: Story) -> str:
    lines = [f"# {story.model}: {story.method}", "", story.verdict, "", to_markdown(story.sides)]
    for table in story.tables:
        lines += [f"## {table.title}", "", table.lead, "", f"| {' | '.join(table.heads)} |"]
        lines.append(f"|{'---|' * len(table.heads)}")
        lines += [f"| {' | '.join(row)} |" for row in table.rows]
        lines.append("")
    lines += ["## Lineage", ""]
    lines += [
        f"{'  ' * link.depth}- {link.part}: {link.name or 'not found'} `{link.sha256}`"
        for link in story.links
    ]
    return "\n".join(lines) + "\n"
