"""GitHub's Markdown: text of strangers that stays text, and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_ESCAPED = str.maketrans({"&": "&amp;"} | {c: f"\\{c}" for c in "\\`*_{}[]<>#|~!$"})
_APART = re.compile(r"@|#(?=\d)|(?<=\bGH)-(?=\d)")
_STARTS_A_BLOCK = re.compile(r"(\d{0,9})(?=[-+=.)](?:\s|$|[-=]))")


def plain(text: str) -> str:
    """Return text that Markdown shows as it is: every character with a meaning is escaped.

    GitHub looks for names of people and numbers of issues in what it has rendered, entities and
    escapes resolved; a comment in between hides them.
    """
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    safe = _APART.sub(lambda found: f"{found[0]}<!-- -->", shown.translate(_ESCAPED))
    safe = safe.replace("://", "&#58;//").replace("www.", "www&#46;")
    start = _STARTS_A_BLOCK.match(safe)
    return safe if start is None else f"{start[0]}\\{safe[start.end() :]}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a table; the first column is text, the others are figures where ``head`` ends in :."""
    names = list(head)
    yield "| " + " | ".join(name.removesuffix(":") for name in names) + " |"
    yield "|" + "|".join("--:" if name.endswith(":") else "---" for name in names) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
