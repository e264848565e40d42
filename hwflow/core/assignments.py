"""Numbers that the command line gives by name: ``conv1=64``."""

from __future__ import annotations

MOST = 10**9
"""Largest number that is taken."""


def parse_assignment(text: str) -> tuple[str, int]:
    """Return name and number of ``conv1=64``.

    Raises:
        ValueError: it has another form, or the number is not positive or beyond ``MOST``.
    """
    name, _, number = text.strip().rpartition("=")
    digits = number.strip()
    valid = bool(name.strip()) and digits.isascii() and digits.isdigit() and len(digits) <= 10
    if not valid or not 1 <= int(digits) <= MOST:
        raise ValueError(f"{text[:40]!r} is no depth; write it as conv1=64")
    return name.strip(), int(digits)
