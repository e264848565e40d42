"""Holds a board against the golden outputs: what ``hwflow hil`` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import hwflow
from hwflow.core.files import write_file
from hwflow.package.description import Description, Port
from hwflow.package.hil.client import BoardError, Client
from hwflow.package.hil.links import open_link
from hwflow.package.hil.protocol import VERSION
from hwflow.package.reading import Frames, read_block
from hwflow.report.manifest.fields import cut
from hwflow.verify.checks import Check
from hwflow.verify.junit import to_junit

BOARD = "board against golden outputs"
"""What the checks are about."""

TIMEOUT_S = 10.0
"""Seconds that an answer may take."""

AT_ONCE = 16
"""Frames of a message: small enough to name the place where a line breaks."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardRun:
    """What came of the test vectors of a block on a board.

    Attributes:
        description: the block.
        place: where the board is.
        frames: how many were compared.
        checks: line, identity, and each output.
        hardware_s: seconds that the block took for them, transfers included, as the board measured.
        seconds: how long all took here.
    """

    description: Description
    place: str
    frames: int
    checks: tuple[Check, ...]
    hardware_s: float
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return {
            "block": self.description.top,
            "board": self.place,
            "passed": self.passed,
            "frames": self.frames,
            "hardware_s": self.hardware_s,
            "checks": [check.to_dict() for check in self.checks],
        }

    def to_junit(self) -> str:
        """Return JUnit XML."""
        properties = {
            "board": self.place,
            "frames": str(self.frames),
            "hwflow": hwflow.__version__,
        }
        return to_junit(self.description.top, self.checks, self.seconds, properties, verb="hil")


@dataclass
class _Comparison:
    """Bytes of an output against those expected, and the first element that differs."""

    port: Port
    frames: int = 0
    differences: int = 0
    first: str = ""

    def add(self, at: int, found: Frames, expected: Frames) -> None:
        kind = np.dtype(self.port.element.numpy).newbyteorder("<")
        size = self.port.packing.frame_bytes
        parts = found[:, :size], expected[:, :size]
        got, wanted = (np.ascontiguousarray(part).view(kind) for part in parts)
        # bits, since NaN equals nothing
        different = np.argwhere(got.view(f"u{kind.itemsize}") != wanted.view(f"u{kind.itemsize}"))
        self.frames += len(found)
        self.differences += len(different)
        if len(different) and not self.first:
            frame, element = different[0].tolist()
            self.first = (
                f"frame {at + frame}, element {element}: expected {wanted[frame, element]}, "
                f"found {got[frame, element]}"
            )

    def check(self) -> Check:
        compared = self.frames * self.port.elements
        return Check(
            name=f"output {cut(self.port.model_name)}",
            about=BOARD,
            value=f"{self.differences:,} of {compared:,} differ" if compared else "not compared",
            limit="0 differ",
            passed=compared > 0 and not self.differences,
            detail=self.first,
            figures=(self.differences, 0),
        )


def run_on_board(
    folder: Path,
    place: str,
    *,
    timeout: float = TIMEOUT_S,
    junit: Path | None = None,
    progress: Progress = lambda stage, done: None,
) -> BoardRun:
    """Send the test vectors of a block to a board, and compare what comes back bit by bit.

    Args:
        folder: folder of the block.
        place: where the board is: ``tcp://HOST:PORT`` or ``serial://DEVICE``.
        timeout: seconds that an answer may take.
        junit: where to write JUnit XML.
        progress: called as stages go on.

    Raises:
        CompileError: HW585 or HW586, the folder holds no block, or not as it was written; HW587,
            no board answers at the place.
        ToolError: HW607, pyserial is missing.
    """
    block = read_block(folder)
    frames = block.frames()
    start = time.monotonic()
    session = _Session(block.description, frames)
    with closing(open_link(place, timeout)) as stream:
        client = Client(stream, timeout)
        session.go_through(client, progress)
    found = BoardRun(
        description=block.description,
        place=cut(place),
        frames=min(c.frames for c in session.comparisons),
        checks=tuple(session.checks()),
        hardware_s=client.seconds,
        seconds=time.monotonic() - start,
    )
    if junit is not None:
        write_file(junit, found.to_junit().encode(), parents=True)
    return found


@dataclass
class _Session:
    """All frames through a board, until something goes wrong with the line."""

    description: Description
    frames: Mapping[str, Frames]
    comparisons: list[_Comparison] = field(default_factory=list)
    told: Mapping[str, Any] | None = None
    error: BoardError | None = None

    def go_through(self, client: Client, progress: Progress) -> None:
        self.comparisons = [_Comparison(port) for port in self.description.outputs]
        try:
            self.told = client.hello()
            if not self.identity().passed:
                return
            self._run(client, progress)
        except BoardError as error:
            self.error = error

    def _run(self, client: Client, progress: Progress) -> None:
        inputs, outputs = self.description.inputs, self.description.outputs
        count = len(next(iter(self.frames.values())))
        for at in range(0, count, AT_ONCE):
            part = {name: held[at : at + AT_ONCE] for name, held in self.frames.items()}
            found = client.run(part, inputs, outputs, at)
            for comparison in self.comparisons:
                name = comparison.port.name
                comparison.add(at, found[name], part[name])
            progress("frames", min(1.0, (at + AT_ONCE) / count))

    def checks(self) -> Iterator[Check]:
        yield self.line()
        yield self.identity()
        yield from (comparison.check() for comparison in self.comparisons)

    def line(self) -> Check:
        """Return whether every message came back whole and in time."""
        error = self.error
        return Check(
            name="line",
            about=BOARD,
            value=error.kind if error else "whole",
            limit="whole, in time",
            passed=error is None,
            detail=cut(error) if error else "",
            figures=(float(error is not None), 0),
        )

    def identity(self) -> Check:
        """Return whether the block on the board is the one in the folder."""
        wanted = {"protocol": VERSION, "design_id": self.description.design_id}
        told = self.told or {}
        wrong = [key for key, value in wanted.items() if told.get(key) != value]
        found = f"{told.get('design_id')!r}"
        return Check(
            name="identity",
            about=BOARD,
            value=cut(found if self.told else "not told"),
            limit=str(self.description.design_id),
            passed=not wrong,
            detail=f"other {', '.join(wrong)} on the board" if wrong and self.told else "",
            figures=(float(bool(wrong)), 0),
        )
