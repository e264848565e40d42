"""What of a project is not as hwflow generates it from the model and the settings in its folder.

The digests that were recorded beside the files lie in the same folder, and whoever edits a file can
edit them as well. So everything that would be compiled or run is generated again, in memory, and
compared byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from hwflow.codegen.golden.contract import observed_again
from hwflow.ir.qonnx.model import printable
from hwflow.project.design import Design
from hwflow.project.source import GOLDEN_FILE, HLS_FOLDER
from hwflow.project.stored.reading import UnreadableError, paths_in, read_regular
from hwflow.project.vectors.collection import simulation_files

SLACK = 2**20
"""Bytes that an edited file is read further than the generated one is long."""

_SHOWN = 60
_FIRMWARE = f"{HLS_FOLDER}/firmware"


@dataclass(frozen=True)
class Edit:
    """A file that is not as hwflow generates it.

    Attributes:
        path: relative to the project.
        what: how it differs: its first other line, or what lies in its place.
    """

    path: str
    what: str

    def __str__(self) -> str:
        """Return both in one line that is safe to print."""
        return f"{printable(self.path)}, {self.what}"


def edits(folder: Path, design: Design) -> Iterator[Edit]:
    """Yield the files in a project's folder that are not as they are generated.

    Args:
        folder: folder of the project.
        design: the model in it, compiled with the settings in it.

    Raises:
        ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
    """
    generated = _generated(design)
    for path, content in generated.items():
        what = _difference(folder, path, content)
        if what:
            yield Edit(path, what)
    for path in paths_in(folder, _FIRMWARE):
        if path not in generated:
            yield Edit(path, "added")
    yield from _golden_edits(folder, design.golden.content)


def first_difference(found: bytes, expected: bytes) -> str:
    """Return the first line of a text that differs from another's, or nothing where all agree."""
    if found == expected:
        return ""
    if b"\0" in expected[:SLACK]:
        return f"other bytes, {len(found):,} instead of {len(expected):,}"
    lines = zip_longest(found.split(b"\n"), expected.split(b"\n"))
    number, line = next((n, a) for n, (a, b) in enumerate(lines, 1) if a != b)
    if line is None:
        return f"ends before line {number}"
    text = " ".join(line[: 2 * _SHOWN].decode("utf-8", "replace").split())
    return f"line {number}: {printable(text, _SHOWN)}"


def _generated(design: Design) -> Mapping[str, bytes]:
    """Return what hwflow generates to be compiled or run, by path."""
    files = {f"{HLS_FOLDER}/{path}": content for path, content in design.project.files.items()}
    return files | simulation_files(design.graph, design.target, design.project, None)


def _difference(folder: Path, path: str, expected: bytes) -> str:
    """Return how a file differs from what is generated, or nothing where it does not."""
    try:
        return first_difference(read_regular(folder, path, len(expected) + SLACK), expected)
    except UnreadableError as error:
        return str(error)


def _golden_edits(folder: Path, generated: bytes | None) -> Iterator[Edit]:
    """Yield whether the golden model differs in more than the ranges that data gave."""
    most = 2 * len(generated or b"") + SLACK
    try:
        content = read_regular(folder, GOLDEN_FILE, most)
    except UnreadableError as error:
        if str(error) != "gone":  # builds without it are whole
            yield Edit(GOLDEN_FILE, str(error))
        return
    if generated is None:
        yield Edit(GOLDEN_FILE, "added")
    elif observed_again(generated, content) != content:
        yield Edit(GOLDEN_FILE, f"other bytes, {len(content):,} of them")
