"""Standard output and standard error: rich text for people, JSON for programs."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.core.errors import Diagnostic

UNLIMITED = 100_000
"""Columns where there is no terminal: files and pipes take whole lines."""


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(stderr=stderr, highlight=False)
    # without a height rich asks the environment for both
    return Console(stderr=stderr, highlight=False, width=UNLIMITED, height=25)


console = _console(stderr=False)
errors = _console(stderr=True)


def print_json(content: Any) -> None:
    """Print plain data as JSON on standard output; what is not finite becomes null."""
    print(json_module.dumps(_finite(content), indent=2))  # noqa: T201


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(k): _finite(v) for k, v in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(v) for v in content]
    if isinstance(content, float) and not isfinite(content):
        return None
    return content


def warnings(findings: Iterable[Diagnostic]) -> None:
    """Print findings that stop nothing."""
    for finding in findings:
        errors.print(escape(str(finding)), style="yellow", soft_wrap=True)


def table(columns: Sequence[str], *, title: str = "") -> Table:
    """Return an empty table whose cells are folded on a narrow terminal, never cut.

    Args:
        columns: headings; those that begin with ``>`` are of figures, which stand to the right.
        title: printed at once, as one line: rich would wrap it at the width of the table.
    """
    if title:
        console.print(escape(title), style="italic", soft_wrap=True)
    empty = Table()
    for column in columns:
        right = column.startswith(">")
        name = column.removeprefix(">")
        empty.add_column(name, justify="right" if right else "left", overflow="fold")
    return empty
