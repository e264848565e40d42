"""Text of strangers on a terminal: neither markup nor anything that a terminal obeys."""

from __future__ import annotations

from rich import markup

KEPT = "\n\t"


def escape(text: str) -> str:
    """Return text that rich prints as it stands, for terminals, pipes and logs.

    Escape sequences could clear a screen, forge what was printed, or set a window's title; marks
    of direction could show a name backwards. What is not printable becomes a question mark.
    """
    return markup.escape("".join(c if c.isprintable() or c in KEPT else "?" for c in text))
