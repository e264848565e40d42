"""Finds the boards that hold a model or a written project: what ``hwflow boards --fits`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hwflow.core.board import Board, list_boards, load_board
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.project.advice.boards import OnBoard, on_boards
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.project.stored import is_project, open_project, refuse_options

Progress = Callable[[str, float], None]


def boards_for(
    path: Path,
    names: Sequence[str] = (),
    *,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    progress: Progress = lambda stage, done: None,
    **options: Any,
) -> tuple[Design, tuple[OnBoard, ...]]:
    """Return a design, and it on boards: those that hold it, cheapest first, then the others.

    Args:
        path: a model file, or a folder that ``Design.write`` wrote.
        names: boards to look at; all shipped ones where there are none.
        plugins: see ``compile``.
        trust: see ``compile`` and ``open_project``.
        progress: called as stages go on.
        options: options of ``compile``; a project has its own.

    Raises:
        CompileError: what ``compile``, ``open_project`` and ``load_board`` find; HW556, options are
            given for a project.
    """
    boards = load_boards(names) if names else list_boards()
    progress("compile", 0.0)
    if is_project(path):
        refuse_options(path, options, "--plugin and --trust")
        design = open_project(path, plugins, trust=trust).design
    else:
        design = compile_model(path, plugins=plugins, trust=trust, **options)
    progress("compile", 1.0)
    found = on_boards(design, boards, progress)
    return design, tuple(sorted(found, key=lambda each: each.rank))


def load_boards(names: Sequence[str]) -> tuple[Board, ...]:
    """Return boards by their names or paths, as ``load_board`` does for one.

    Raises:
        CompileError: carries the findings about all of them.
    """
    boards: list[Board] = []
    findings: list[Diagnostic] = []
    for name in names:
        try:
            boards.append(load_board(name))
        except CompileError as error:
            findings += error.diagnostics
    if findings:
        raise CompileError(findings)
    return tuple(boards)
