"""What a design is compiled for, from the settings: board, target, and the calibration of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hwflow.core.board import Board, load_board
from hwflow.core.calibration import load_profile
from hwflow.core.config import Config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.settings import TargetSettings
from hwflow.estimate.calibration import correction_of, family_of
from hwflow.ir.op import Target


def board_of(settings: Config, findings: list[Diagnostic]) -> Board:
    """Return the board, or the default one where there is none of that name.

    Args:
        settings: the settings.
        findings: gets what is wrong with it.
    """
    try:
        return load_board(settings.target.board)
    except CompileError as error:
        place = settings.place_of("board")
        findings += [replace(d, where=d.where or place) for d in error.diagnostics]
        return load_board(TargetSettings().board)


def target_of(
    settings: Config, board: Board, findings: list[Diagnostic]
) -> tuple[Target, tuple[Diagnostic, ...]]:
    """Return what hardware is generated for, and warnings about its calibration.

    Args:
        settings: the settings.
        board: the board that they name.
        findings: gets what is wrong with a calibration profile.
    """
    given = settings.target
    target = Target(
        given.backend,
        given.io_type,
        board.part,
        given.clock_period_ns or board.clock_period_ns,
        given.tool or "",
    )
    if given.calibration is None:
        return target, ()
    path = Path(given.calibration)
    try:
        profile = load_profile(path)
    except CompileError as error:
        findings += error.diagnostics
        return target, ()
    correction = correction_of(profile, target, path.name)
    if correction is None:
        known = [f"{tool} on {f}" for tool, fs in profile.correction.items() for f in fs]
        return target, (_unfitting(settings, target, known),)
    return replace(target, correction=correction), ()


def _unfitting(settings: Config, target: Target, known: list[str]) -> Diagnostic:
    tool = target.tool or f"{target.backend} HLS"
    return Diagnostic(
        code="HW597",
        severity="warning",
        title="the calibration is of other tools or devices",
        where=f"{settings.target.calibration}, {settings.place_of('calibration')}",
        found=f"nothing for {tool} on {family_of(target.part)}; estimates stay as they are",
        supported=", ".join(known) or "an empty profile",
        help="calibrate with reports of this tool: hwflow calibrate REPORT_DIR --profile FILE",
    )
