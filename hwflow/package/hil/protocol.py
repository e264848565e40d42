"""Messages between a computer and a board: framed, numbered, and guarded by a checksum.

A message is ``HWIL``, its kind (a byte), its number, the bytes of its payload (4 bytes each, little
endian), the payload, and the CRC-32 of all behind ``HWIL``. An answer has the number of its
question. What stands before ``HWIL`` is skipped, so that noise on a UART does no harm.

This file runs on boards, too, as ``hwflow_ip.protocol``: Python 3.8 and its library alone.
"""

from __future__ import annotations

import struct
import time
import zlib
from dataclasses import dataclass
from typing import Any

MAGIC = b"HWIL"
HEAD = struct.Struct("<BII")
SUM = struct.Struct("<I")

HELLO, TOLD, RUN, RESULT, FAILED = 1, 2, 3, 4, 5
"""Kinds: a question after the block, its answer in JSON; frames to run (their number, then those of
each input), the result (nanoseconds, then the frames of each output); what went wrong, in JSON."""

COUNT = struct.Struct("<I")
NANOSECONDS = struct.Struct("<Q")

VERSION = 1
"""Version of the protocol, in the answer to ``HELLO``."""

MOST_BYTES = 1 << 26
"""Largest payload."""

MOST_NOISE = 1 << 16
"""Bytes that are skipped before a message at most."""


class LinkError(Exception):
    """A message did not come, or not as it was sent."""


class ClosedError(LinkError):
    """The other side is gone."""


class LateError(LinkError):
    """Nothing came in time."""


class DamagedError(LinkError):
    """What came is not what was sent."""


@dataclass(frozen=True)
class Message:
    """A message.

    Attributes:
        kind: ``HELLO`` or another one of these.
        number: its number, or that of the question.
        payload: what it carries.
    """

    kind: int
    number: int
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """Return what goes over the line."""
        body = HEAD.pack(self.kind, self.number & 0xFFFFFFFF, len(self.payload)) + self.payload
        return MAGIC + body + SUM.pack(zlib.crc32(body))


def receive(stream: Any, timeout: float) -> Message:
    """Return the next message.

    Args:
        stream: has ``read(size, timeout)``, which returns some bytes, at most ``size``, or none
            where nothing came in time, and raises ``ClosedError`` at the end.
        timeout: seconds.

    Raises:
        ClosedError: the other side is gone.
        LateError: no message came in time.
        DamagedError: its checksum or its size is wrong.
    """
    end = time.monotonic() + timeout
    seen = _exactly(stream, len(MAGIC), end)
    skipped = 0
    while seen != MAGIC:
        skipped += 1
        if skipped > MOST_NOISE:
            raise DamagedError(f"no message in {MOST_NOISE} bytes")
        seen = seen[1:] + _exactly(stream, 1, end)
    head = _exactly(stream, HEAD.size, end)
    kind, number, size = HEAD.unpack(head)
    if size > MOST_BYTES:
        raise DamagedError(f"a message of {size:,} bytes, more than {MOST_BYTES:,}")
    payload = _exactly(stream, size, end)
    (guard,) = SUM.unpack(_exactly(stream, SUM.size, end))
    if guard != zlib.crc32(head + payload):
        raise DamagedError(f"the checksum of message {number} is wrong")
    return Message(kind, number, payload)


def _exactly(stream: Any, size: int, end: float) -> bytes:
    """Return so many bytes."""
    found = bytearray()
    while len(found) < size:
        left = end - time.monotonic()
        part = stream.read(size - len(found), left) if left > 0 else b""
        if not part and time.monotonic() >= end:
            raise LateError("nothing came" if not found else "a message broke off")
        found += part
    return bytes(found)


class SocketStream:
    """A connected TCP socket."""

    def __init__(self, connected: Any) -> None:
        """Take a ``socket.socket``."""
        self._socket = connected

    def read(self, size: int, timeout: float) -> bytes:
        """Return some bytes, or none where nothing came in time."""
        self._socket.settimeout(max(timeout, 0.001))
        try:
            found = bytes(self._socket.recv(min(size, 1 << 20)))
        except TimeoutError:
            return b""
        except OSError as error:
            if "timed out" in str(error):  # before Python 3.10
                return b""
            raise ClosedError(str(error)) from error
        if not found:
            raise ClosedError("the connection was closed")
        return found

    def write(self, content: bytes) -> None:
        """Send bytes."""
        self._socket.settimeout(None)
        try:
            self._socket.sendall(content)
        except OSError as error:
            raise ClosedError(str(error)) from error

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class SerialStream:
    """An open port of pyserial."""

    def __init__(self, port: Any) -> None:
        """Take a ``serial.Serial``."""
        self._port = port

    def read(self, size: int, timeout: float) -> bytes:
        """Return some bytes, or none where nothing came in time."""
        try:
            self._port.timeout = max(timeout, 0.001)
            return bytes(self._port.read(max(1, min(size, self._port.in_waiting))))
        except OSError as error:  # pyserial's errors are among them
            raise ClosedError(str(error)) from error

    def write(self, content: bytes) -> None:
        """Send bytes."""
        try:
            self._port.write(content)
        except OSError as error:
            raise ClosedError(str(error)) from error

    def close(self) -> None:
        """Give the port back."""
        self._port.close()
