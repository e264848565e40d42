"""Lines to a board: TCP, or a serial port."""

from __future__ import annotations

import socket
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic, ToolError
from hwflow.package.hil.protocol import SerialStream, SocketStream

BAUD = 115200
"""Speed of a serial port that names none; what boards have as they come."""

FORMS = "tcp://HOST:PORT, or serial://DEVICE or serial://DEVICE?BAUD"


def open_link(place: str, timeout: float) -> SocketStream | SerialStream:
    """Return a line to a board.

    Args:
        place: where it is, as ``FORMS`` says.
        timeout: seconds that connecting may take.

    Raises:
        CompileError: HW587, the text is of another form, or nothing answers there.
        ToolError: HW607, pyserial is missing.
    """
    kind, _, rest = place.partition("://")
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        if host and port.isdecimal() and int(port) < 1 << 16:
            return _tcp(place, host.strip("[]"), int(port), timeout)
    if kind == "serial" and rest:
        device, _, baud = rest.partition("?")
        if not baud or baud.isdecimal():
            return _serial(place, device, int(baud or BAUD))
    raise CompileError([_finding(place, "no place of a board", f"one of {FORMS}")])


def _tcp(place: str, host: str, port: int, timeout: float) -> SocketStream:
    try:
        return SocketStream(socket.create_connection((host, port), timeout))
    except OSError as error:
        raise CompileError([_unreachable(place, error)]) from error


def _serial(place: str, device: str, baud: int) -> SerialStream:
    try:
        import serial
    except ImportError as error:
        raise ToolError(
            "pyserial",
            "it is needed for boards at a serial port",
            code="HW607",
            help="pip install pyserial, or serve the board by TCP: --board tcp://HOST:PORT",
        ) from error
    try:
        port: Any = serial.Serial(device, baud)
    except (OSError, ValueError) as error:
        raise CompileError([_unreachable(place, error)]) from error
    return SerialStream(port)


def _unreachable(place: str, error: Exception) -> Diagnostic:
    found = getattr(error, "strerror", None) or str(error)
    return _finding(place, f"no board answers: {found}", "")


def _finding(place: str, found: str, supported: str) -> Diagnostic:
    return Diagnostic(
        code="HW587",
        title="no line to the board",
        where=f"--board {place}",
        found=found,
        supported=supported,
        help="start `python3 -m hwflow_ip.server` on the board, and give what it prints as "
        "--board tcp://HOST:PORT",
    )
