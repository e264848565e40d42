"""One side of the line: questions to a board, and its answers, which may go wrong in many ways."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwflow.package.description import Port
from hwflow.package.hil.protocol import (
    COUNT,
    FAILED,
    HELLO,
    NANOSECONDS,
    RESULT,
    RUN,
    TOLD,
    ClosedError,
    DamagedError,
    LateError,
    Message,
    receive,
)
from hwflow.package.reading import Frames
from hwflow.report.manifest.fields import cut

GRACE = 4
"""How many times the time limit an answer is waited for, to tell a late one from a lost one."""


class BoardError(Exception):
    """What went wrong between this machine and a board.

    Attributes:
        kind: in a word: ``closed``, ``late``, ``lost``, ``damaged``, or what the board says.
    """

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text)


@dataclass
class Client:
    """Asks a board.

    Attributes:
        stream: the line.
        timeout: seconds that an answer may take.
        seconds: how long the block took for all frames so far, as the board measured it.
        asked: number of the last question.
    """

    stream: Any
    timeout: float
    seconds: float = 0.0
    asked: int = 0

    def hello(self) -> dict[str, Any]:
        """Return what the board says of itself.

        Raises:
            BoardError: it does not answer, or not as it should.
        """
        told = _json(self._ask(HELLO, b"", TOLD, "the first question"))
        if not isinstance(told, dict):
            raise BoardError("damaged", "the board says nothing of itself")
        return told

    def run(
        self, frames: Mapping[str, Frames], inputs: Sequence[Port], outputs: Sequence[Port], at: int
    ) -> dict[str, Frames]:
        """Return the outputs of frames.

        Args:
            frames: frames of each input, by name.
            inputs: the block's.
            outputs: the block's.
            at: number of the first frame, for messages.

        Raises:
            BoardError: they did not come back, or not whole.
        """
        count = len(frames[inputs[0].name])
        parts = [frames[port.name].tobytes() for port in inputs]
        what = f"frames {at} to {at + count - 1}"
        payload = self._ask(RUN, b"".join([COUNT.pack(count), *parts]), RESULT, what)
        sizes = [count * port.packing.stride_bytes for port in outputs]
        if len(payload) != NANOSECONDS.size + sum(sizes):
            came = f"{len(payload) - NANOSECONDS.size:,} bytes"
            raise BoardError("damaged", f"{what}: {came} came back, not {sum(sizes):,}")
        self.seconds += NANOSECONDS.unpack_from(payload)[0] / 1e9
        rest, found = np.frombuffer(payload, np.uint8, offset=NANOSECONDS.size), {}
        for port, size in zip(outputs, sizes, strict=True):
            found[port.name], rest = rest[:size].reshape(count, -1), rest[size:]
        return found

    def _ask(self, kind: int, payload: bytes, wanted: int, what: str) -> bytes:
        """Send a question; return the payload of its answer."""
        self.asked += 1
        start = time.monotonic()
        try:
            self.stream.write(Message(kind, self.asked, payload).to_bytes())
            found = self._answer(start)
        except ClosedError as error:
            raise BoardError("closed", f"the line ended at {what}: {error}") from error
        except DamagedError as error:
            raise BoardError("damaged", f"the answer to {what}: {error}") from error
        except LateError as error:
            waited = time.monotonic() - start
            raise BoardError("lost", f"no answer to {what} in {waited:.1f} s: {error}") from error
        took = time.monotonic() - start
        if took > self.timeout:
            said = f"the answer to {what} took {took:.1f} s, limit {self.timeout:g} s"
            raise BoardError("late", said)
        if found.kind == FAILED:
            told = _json(found.payload)
            told = told if isinstance(told, dict) else {}
            error_kind = cut(told.get("error", "unknown"))
            raise BoardError(error_kind, f"the board says at {what}: {cut(told.get('text', ''))}")
        if found.kind != wanted:
            raise BoardError("damaged", f"the answer to {what} is of kind {found.kind}")
        return found.payload

    def _answer(self, start: float) -> Message:
        """Return the answer to the last question; those to others were late and are dropped."""
        while True:
            left = start + GRACE * self.timeout - time.monotonic()
            found = receive(self.stream, max(left, 0.0))
            if found.number in (self.asked, 0):
                return found


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BoardError("damaged", "the board's answer is no JSON") from error
