"""Small HTML tables for notebooks; the full report is ``hwflow.report``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = {"good": "#1a7f37", "bad": "#cf222e", "unsure": "#9a6700"}
"""Colours of text, by what it says; each has a contrast of 4.5 on white at least."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it says.
        says: one of ``COLOURS``, or empty.
        share: number from 0 to 1, drawn as a bar behind the text; None for no bar.
    """

    text: object
    says: str = ""
    share: float | None = None

    def style(self) -> str:
        """Return the style attribute of the cell, if it has one."""
        parts = []
        if self.says:
            parts.append(f"color:{COLOURS[self.says]};font-weight:bold")
        if self.share is not None:
            at = f"{100 * min(max(self.share, 0.0), 1.0):.0f}%"
            bar = f"rgba(9,105,218,.25) {at},transparent {at}"
            parts.append(f"background:linear-gradient(to right,{bar});text-align:right")
        return f' style="{";".join(parts)}"' if parts else ""


def html_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table; every cell is escaped, since names come from strangers.

    Args:
        caption: text above the table.
        head: titles of the columns, with units.
        rows: the cells of each row, ``Cell`` or anything that has a text.
    """

    def line(cells: Sequence[object], tag: str) -> str:
        whole = (cell if isinstance(cell, Cell) else Cell(cell) for cell in cells)
        texts = (f"<{tag}{cell.style()}>{escape(str(cell.text))}</{tag}>" for cell in whole)
        return "<tr>" + "".join(texts) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><caption>{escape(caption)}</caption>{line(head, 'th')}{body}</table>"
