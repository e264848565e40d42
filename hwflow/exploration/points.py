"""Points and fronts of a run, found by what users call them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.exploration.run import Run


def on_board(run: Run, board: str | None) -> Run:
    """Return a run with the front of one board alone, or as it is.

    Raises:
        CompileError: HW331, it has no such front.
    """
    if board is None:
        return run
    return replace(run, result={**run.result, "fronts": [front_of_board(run, board)]})


def front_of_board(run: Run, board: str | None) -> dict[str, Any]:
    """Return the front of a board, the first unless given.

    Raises:
        CompileError: HW331, the run has no such front.
    """
    fronts: list[dict[str, Any]] = run.result["fronts"]
    names = [front["board"] for front in fronts]
    if board is not None and board not in names:
        raise CompileError([no_such("board", board, names)])
    return fronts[names.index(board)] if board else fronts[0]


def no_such(what: str, found: str, known: Sequence[str]) -> Diagnostic:
    """Return what is said of a board, a point or a limit that is not there."""
    return Diagnostic(
        code="HW331", title=f"no such {what}", found=found, supported=", ".join(known),
        help=did_you_mean(found, known),
    )  # fmt: skip
