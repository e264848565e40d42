"""Lengths of time as people write them."""

from __future__ import annotations

import re

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds of each unit."""

_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*([smhd]?)")


def parse_duration(text: str) -> float:
    """Return the seconds of ``90s``, ``15m``, ``2h`` or ``1.5d``; of a bare number, as it is.

    Raises:
        ValueError: it is something else, or no time at all.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    seconds = float(found[1]) * SECONDS[found[2] or "s"] if found else 0.0
    if seconds <= 0:
        raise ValueError(f"{text[:20]!r} is no time; write it as 90s, 15m, 2h or 1d")
    return seconds
