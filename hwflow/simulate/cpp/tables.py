"""Long runs of assignments in generated C++ as loops over a table, which g++ compiles at once.

hls4ml writes the windows of a convolution in ``io_parallel`` as one assignment for each element
of each window: hardware makes wires of it, g++ spends minutes and gigabytes on it. The
simulation takes the same assignments from a table, read off the generated text, so that a
project that somebody edited is simulated as it stands.
"""

from __future__ import annotations

import re

SHORTEST = 256
"""Assignments below which the text stays as it is."""

_PARTITION = re.compile(r"\s*if \(partition ==\s*(\d+)\) \{([^{}]*)\}")
_ASSIGNMENT = re.compile(r"\s*buffer\[(\d+)\]\[(\d+)\] =\s*(?:data\[(\d+)\]|(0));")


def with_tables(code: str) -> str:
    """Return a generated class with its windows in a table, or as it is where it has none.

    Args:
        code: one outermost declaration of ``nnet_code_gen.h``.
    """
    first = _PARTITION.search(code)
    if first is None or code.count("] = ") < SHORTEST:
        return code
    rows: list[list[int]] = []
    at, places = first.start(), None
    while part := _PARTITION.match(code, at):
        found = _assignments(part[2])
        if found is None or int(part[1]) != len(rows) or places not in (None, found[0]):
            return code
        places = found[0]
        rows.append(found[1])
        at = part.end()
    width = _row_width(places or [])
    if width == 0 or "partition ==" in code[at:]:
        return code
    return code[: first.start()] + _loop(rows, width) + code[at:]


def _assignments(text: str) -> tuple[list[tuple[int, int]], list[int]] | None:
    """Return which elements are assigned, and from where, -1 for zero; None if not understood."""
    found = list(_ASSIGNMENT.finditer(text))
    if "".join(match[0] for match in found).strip() != text.strip():
        return None
    places = [(int(match[1]), int(match[2])) for match in found]
    return places, [-1 if match[4] else int(match[3]) for match in found]


def _row_width(places: list[tuple[int, int]]) -> int:
    """Return the length of a window where all elements of all windows are assigned in order."""
    width = max((column for _, column in places), default=-1) + 1
    return width if width and places == [divmod(n, width) for n in range(len(places))] else 0


def _loop(rows: list[list[int]], width: int) -> str:
    table = ",\n            ".join(",".join(map(str, row)) for row in rows)
    size = len(rows[0])
    return f"""
        static const int from[] = {{
            {table}}};
        if (partition < {len(rows)}) {{
            for (unsigned i = 0; i < {size}; i++) {{
                if (from[partition * {size} + i] < 0)
                    buffer[i / {width}][i % {width}] = 0;
                else
                    buffer[i / {width}][i % {width}] = data[from[partition * {size} + i]];
            }}
        }}"""
