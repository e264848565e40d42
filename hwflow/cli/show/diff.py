"""What the command line prints about two builds: a table of what differs, or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape
from hwflow.estimate.stages import COLUMNS

if TYPE_CHECKING:
    from hwflow.report.manifest.comparison import Change, Comparison

MOST = 8
"""Files, templates and the like that are named of each kind; the JSON form has all."""

DIGITS = 12
"""Hexadecimal digits of a digest that are printed."""

TITLES = {
    "result_t": "type",
    "accum_t": "accumulator",
    **COLUMNS,
    "observed.sha256": "bits",
    "observed.saturated": "saturated",
    "observed.wrapped": "wrapped",
    "faithful_mismatches": "not faithful",
    "lossless_mismatches": "not lossless",
    "sha256": "digest",
    "file_sha256": "digest of the file",
    "board_sha256": "digest of the board",
    "graph_sha256": "digest",
}
"""What fields are called."""

LABELS = {"graph_sha256": "graph"}
"""What sections are called."""

IMPLIED = ("sha256", "observed.low", "observed.high", "observed.elements")
"""Fields of layers that say nothing that others do not say better."""

_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def print_comparison(found: Comparison, *, json: bool) -> None:
    """Print what differs between two builds."""
    if json:
        print_json(found.to_dict())
        return
    paths = f"before    {found.before}\nafter     {found.after}"
    console.print(escape(paths), soft_wrap=True)
    if found.identical:
        console.print("[green]identical[/]: model, settings, versions, layers, results and files")
        return
    console.print(_table(found))
    layers = f"{len(found.changed_layers)} layers" if found.changed_layers else "no layer"
    console.print(f"[red]different[/]: {len(found.changes):,} fields, {layers} of {found.layers}")
    console.print(escape(_bits(found)), soft_wrap=True)


def _table(found: Comparison) -> Table:
    shown = table(("", "what", "before", "after", ">change"))
    for section, changes in groupby(found.changes, key=lambda change: change.section):
        shown.add_section()
        for row in _rows(section, list(changes), found):
            shown.add_row(*map(escape, row))
    return shown


def _rows(section: str, changes: Sequence[Change], found: Comparison) -> Iterator[Sequence[str]]:
    """Yield the rows of a section; a name stands in the first of its rows only."""
    shown = list(_shown(changes, found)) if section == "layers" else changes
    limit = MOST if section in ("files", "templates", "edited") else len(shown)
    last = ""
    for change in shown[:limit]:
        label = change.name if section == "layers" else LABELS.get(section, section)
        percent = "" if change.percent is None else f"{change.percent:+.1f} %"
        ends = (_text(change.before), _text(change.after))
        yield ("" if label == last else label, _what(change), *ends, percent)
        last = label
    if len(shown) > limit:
        yield ("", f"and {len(shown) - limit:,} more", "", "", "")


def _what(change: Change) -> str:
    """Return what changed, with the name of the part where a section has several."""
    key = change.what.removeprefix("cost.")
    title = TITLES.get(key, key)
    if change.section == "layers" or not change.name:
        return title
    return change.name if change.section in ("files", "edited") else f"{change.name}: {title}"


def _shown(changes: Iterable[Change], found: Comparison) -> Iterator[Change]:
    """Yield the changes of layers that tell something; bits only where they differ first."""
    for change in changes:
        later = change.what == "observed.sha256" and change.name not in found.other_bits[:1]
        if not later and change.what not in IMPLIED:
            yield change


def _text(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    return _DIGEST.sub(lambda match: match[0][:DIGITS], str(value))


def _bits(found: Comparison) -> str:
    """Return whether the hardware computes the same values."""
    if not found.same_data:
        return f"bits      not compared: {found.data}"
    if not found.other_bits:
        return f"bits      the same in every layer that both have ({found.data})"
    return (
        f"bits      differ in {len(found.other_bits)} layers on the same data ({found.data}), "
        f"first in {found.other_bits[0]}"
    )
