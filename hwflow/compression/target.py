"""What a compression is to reach: ``ebops=8000``, ``lut=3000``, ``fits=pynq-z2``."""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.core.board import load_board
from hwflow.core.errors import CompileError, Diagnostic

SHARE = 0.7
"""Part of a device's LUTs that a design takes for ``fits``; placement fails on fuller ones
(AMD UG949, table of utilisation guidelines: LUT 70 %)."""

MEASURES = {"ebops": "ebops", "lut": "lut_synth"}
"""Figures by the words of a goal."""

FORMS = "ebops=8000, lut=3000, fits=BOARD"


@dataclass(frozen=True)
class Goal:
    """A cost, and how much of it there may be.

    Attributes:
        measure: ``ebops``, or ``lut_synth`` for the LUTs that are left after logic synthesis.
        most: the number.
        text: as the user wrote it.
    """

    measure: str
    most: float
    text: str


def read_goal(text: str) -> Goal:
    """Return the goal that a text names.

    Raises:
        CompileError: HW351, it has another form; HW5xx, there is no such board.
    """
    name, _, given = text.strip().partition("=")
    if name == "fits" and given:
        board = load_board(given)
        return Goal("lut_synth", SHARE * board.resources.count("lut"), text)
    try:
        most = float(given)
    except ValueError:
        most = 0.0
    if name not in MEASURES or not 0 < most < 1e15:
        finding = Diagnostic(
            code="HW351", title="not a goal that a network can be trained for",
            where="--target", found=text[:60], supported=FORMS,
        )  # fmt: skip
        raise CompileError([finding])
    return Goal(MEASURES[name], most, text)
