"""Numbers in words: whole and real ones, shares, counted nouns."""

from __future__ import annotations

MINUS = "\N{MINUS SIGN}"
"""The typographer's sign before a negative number."""


def count(value: float) -> str:
    """Return a number rounded to a whole one, thousands set apart."""
    return f"{value:,.0f}".replace("-", MINUS)


def real(value: float) -> str:
    """Return a number with up to five significant digits."""
    text = f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.5g}"
    return text.replace("-", MINUS)


def short(value: float) -> str:
    """Return a number with up to three significant digits, for a line of many figures."""
    return f"{value:.3g}"


def percent(share: float, digits: int = 1) -> str:
    """Return a share between 0 and 1 in per cent; only nothing is 0 %, and only all is 100 %."""
    text = f"{100 * share:.{digits}f}"
    smallest = 10.0**-digits
    if share > 0 and float(text) == 0:
        return f"<{smallest:.{digits}f} %"
    if share < 1 and float(text) == 100:
        return f">{100 - smallest:.{digits}f} %"
    return f"{text} %"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 layer``, ``3 layers``."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
