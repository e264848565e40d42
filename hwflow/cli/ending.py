"""How the command line ends where it is interrupted, or where nobody reads on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_as_usual() -> Iterator[None]:
    """End as Unix tools do: with 128 and the signal's number, quietly, and nothing left running.

    A signal becomes ``SystemExit``, so that programs that were started are stopped and temporary
    folders removed. A reader that closes the pipe (``| head``) is no error of the command.
    """
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, _stop) for number in STOPPING} if main else {}
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _nobody_reads()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer makes it a status of 1
            _nobody_reads()
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _nobody_reads()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)  # the end is under way
    sys.exit(128 + number)


def _nobody_reads() -> None:
    """Leave with the status of a program that SIGPIPE ended; nothing is flushed on the way out."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())  # type: ignore[union-attr]
    sys.exit(128 + signal.SIGPIPE)
