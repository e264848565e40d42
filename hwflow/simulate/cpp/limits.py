"""What one compilation may take, and what to do where that is not enough."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hwflow.core.errors import ToolError
from hwflow.core.toolchain import Limits
from hwflow.simulate.cpp.division import Piece

TIMEOUT = "HWFLOW_CXX_TIMEOUT"
MEMORY = "HWFLOW_CXX_MEMORY"
OTHERWISE = "`hwflow simulate` needs no C++"
NAMED = 3
"""Layers that a message names; the longest come first."""


def limits_of() -> Limits:
    """Return what one compilation may take.

    Raises:
        ToolError: HW609, a variable is not a number above 0.
    """
    seconds = _positive(TIMEOUT, 300, "seconds")
    megabytes = _positive(MEMORY, 3000, "megabytes")
    return Limits(
        seconds,
        int(megabytes),
        too_slow=f"set {TIMEOUT} to more seconds; {OTHERWISE}",
        too_large=f"set {MEMORY} to more megabytes; {OTHERWISE}",
    )


def names_of(pieces: Sequence[Piece]) -> str:
    """Return what is compiled, in words, the largest layers first."""
    names = [piece.layer for piece in sorted(pieces, key=_size, reverse=True) if piece.layer]
    if not names:
        return "the generated C++"  # what calls the layers
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if names[NAMED:] else "")
    return f"the generated C++ of {'layer' if len(names) == 1 else 'layers'} {shown}"


def _size(piece: Piece) -> int:
    return sum(len(block.text) for block in piece.needed)


def _positive(variable: str, default: float, unit: str) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number < 1e9:
        raise ToolError(
            variable,
            f"{text!r} is no number of {unit}",
            code="HW609",
            help=f"set {variable} to a number from 1 on, or unset it for {default:g}",
        )
    return number
