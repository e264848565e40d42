"""The command line: one short function per verb, no logic."""

from __future__ import annotations

import sys
from typing import Any

from hwflow.cli import (
    automatic,
    compressions,
    designs,
    explorations,
    fitting,
    fusions,
    lineages,
    models,
    packages,
    projects,
    reductions,
    runs,
    tools,
)
from hwflow.cli.app import app
from hwflow.cli.ending import ended_as_usual

BUG = 70
"""Exit status of an error that is hwflow's own: ``EX_SOFTWARE`` of BSD's ``sysexits.h``."""

__all__ = [
    "BUG",
    "app",
    "automatic",
    "compressions",
    "designs",
    "explorations",
    "fusions",
    "fitting",
    "lineages",
    "main",
    "models",
    "packages",
    "projects",
    "reductions",
    "runs",
    "tools",
]


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; user errors end with 2 and no traceback, bugs of hwflow with 70."""
    with ended_as_usual():
        _run(arguments)


def _run(arguments: list[str] | None) -> None:
    try:
        app(arguments)
    except Exception as error:
        from hwflow.core.errors import HwflowError

        if not isinstance(error, HwflowError):
            sys.excepthook(type(error), error, error.__traceback__)
            sys.exit(BUG)
        from hwflow.cli.show.design import print_error

        print_error(error, json="--json" in (arguments or sys.argv))
        sys.exit(2)
