"""What a compression is to reach: ``ebops=8000``, ``lut=3000``, ``fits=pynq-z2``."""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.core.board import load_board
from hwflow.core.errors import CompileError, Diagnostic

SHARE = 0.7
"""Part of a device's LUTs that a design takes for ``fits``; placement fails on fuller ones
(AMD UG949, table of utilisation guidelines: LUT 70 %)."""

EBOPS, LUT, DSP, WEIGHTS = "ebops", "lut_synth", "dsp", "weights"

MEASURES = {"ebops": EBOPS, "lut": LUT}
"""Figures by the words of a goal."""

DSP_SHARE = 0.8
"""The same of DSP blocks (UG949: 80 %)."""

LIMITS = "lut=3000, dsp=20, ebops=8000, sparsity=0.7, fits=BOARD"

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
    most = _number(given)
    if name not in MEASURES or most <= 0:
        raise _unknown(text, FORMS)
    return Goal(MEASURES[name], most, text)


def read_limits(text: str, weights: int) -> dict[str, float]:
    """Return the most that a network may cost, by measure, for a goal that a text names.

    Args:
        text: one of the forms in ``LIMITS``.
        weights: those of the network that are not 0, of which a part is to go.

    Raises:
        CompileError: HW351, it has another form; HW5xx, there is no such board.
    """
    name, _, given = text.strip().partition("=")
    if name == "fits" and given:
        resources = load_board(given).resources
        return {LUT: SHARE * resources.count("lut"), DSP: DSP_SHARE * resources.count("dsp")}
    most = _number(given)
    if name == "sparsity" and 0 < most < 1:
        return {WEIGHTS: (1 - most) * weights}
    measures = {**MEASURES, "dsp": DSP}
    if name not in measures or most <= 0:
        raise _unknown(text, LIMITS)
    return {measures[name]: most}


def _number(text: str) -> float:
    """Return a number from a goal, 0 for what is none or far too large."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 < found < 1e15 else 0.0


def _unknown(text: str, forms: str) -> CompileError:
    finding = Diagnostic(
        code="HW351", title="not a goal that a network can be trained for",
        where="--target", found=text[:60], supported=forms,
    )  # fmt: skip
    return CompileError([finding])
