"""What a manifest says of a FIFO."""

from __future__ import annotations

from hwflow.report.manifest.fields import Count, Line, Strict


class Fifo(Strict):
    """One FIFO of a design in io_stream.

    Attributes:
        name: name of the value, with the number of the copy where a stream is copied.
        tokens: words for one inference.
        depth: words that it holds.
        least: words with which the design cannot lock.
        why: what the depth rests on.
    """

    name: Line
    tokens: Count
    depth: Count
    least: Count
    why: Line
