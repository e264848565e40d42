"""The check that the back end can build for a design's board."""

from __future__ import annotations

from hwflow.core.board import Board, list_boards
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.project.compiled import Compiled


def require_buildable(design: Compiled) -> None:
    """Refuse to write a project for a part that Vitis and Vivado do not have.

    Raises:
        CompileError: HW504, the board's device is another maker's.
    """
    if not design.board.buildable:
        raise CompileError([_not_buildable(design.board, design.target.backend)])


def _not_buildable(board: Board, backend: str) -> Diagnostic:
    return Diagnostic(
        code="HW504",
        title=f"{backend} cannot build for this board",
        where=f"board {board.name}",
        found=f"{board.part}, {board.family}, of {board.vendor}; no project was written for it",
        supported=", ".join(b.name for b in list_boards() if b.buildable),
        help="give --board one of these (hwflow boards --fits MODEL says which hold it); "
        f'hwflow estimate MODEL --board "{board.name}" still compares with this one',
    )
