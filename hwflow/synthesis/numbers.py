"""Numbers in reports: whole ones, ranges, and what stands where a tool knows none."""

from __future__ import annotations

import re

LARGEST = 1e15
"""A larger number is no resource and no cycle count of any device."""

_NUMBER = re.compile(r"~?\s*(\d+(?:\.\d+)?)(?:\s*~\s*(\d+(?:\.\d+)?))?\*?\s*(?:ns)?")


def number(text: str | None) -> float | None:
    """Return a number of a report, the larger end of a range (``2 ~ 53``); None for ``-``, ``?``.

    ``4294967295`` is how Vitis HLS writes that there is none.
    """
    found = _NUMBER.fullmatch((text or "").strip())
    if found is None:
        return None
    value = float(found[2] or found[1])
    return None if value > LARGEST or value == 2**32 - 1 else value
