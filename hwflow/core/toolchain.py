"""The programs that hwflow runs; the only module that starts any."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hwflow.core.errors import ToolError

T = TypeVar("T")

LOG_LINES = 30
"""How much of a failed program's output an error shows."""


@dataclass(frozen=True)
class Tool:
    """A program that hwflow can use.

    Attributes:
        name: the command.
        variable: environment variable that names another program to use instead.
        purpose: what hwflow uses it for.
        install: how to get it on Debian or Ubuntu, or where.
    """

    name: str
    variable: str
    purpose: str
    install: str

    def find(self) -> str | None:
        """Return the path of the program, from wherever it is run, or None when there is none."""
        found = shutil.which(os.environ.get(self.variable) or self.name)
        return None if found is None else str(Path(found).absolute())

    def require(self) -> str:
        """Return the path of the program.

        Raises:
            ToolError: it is not there; says how to install it.
        """
        path = self.find()
        if path is None:
            wanted = os.environ.get(self.variable)
            what = f"{wanted!r} (from {self.variable})" if wanted else f"{self.name!r}"
            raise ToolError(
                self.name,
                f"{what} was not found on PATH; it is needed for {self.purpose}",
                code="HW601",
                help=f"{self.install}, or set {self.variable} to the program's path",
            )
        return path

    def version(self) -> str:
        """Return the first line that ``--version`` prints, or an empty string."""
        path = self.find()
        if path is None:
            return ""
        try:
            done = subprocess.run(
                [path, "--version"], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return (done.stdout or done.stderr).strip().split("\n")[0]


CXX = Tool("g++", "CXX", "C++ simulation of the generated project", "apt-get install g++")
VITIS = Tool("vitis-run", "HWFLOW_VITIS", "synthesis with Vitis HLS", "install AMD Vitis")
VIVADO_HLS = Tool("vivado_hls", "HWFLOW_VIVADO_HLS", "synthesis with Vivado HLS", "install Vivado")
VERILATOR = Tool(
    "verilator", "VERILATOR", "simulation of generated Verilog", "apt-get install verilator"
)
YOSYS = Tool("yosys", "YOSYS", "open-source logic synthesis", "apt-get install yosys")
TOOLS = (CXX, VITIS, VIVADO_HLS, VERILATOR, YOSYS)


@dataclass(frozen=True)
class Limits:
    """What a program may take.

    Attributes:
        timeout_s: seconds.
        memory_mb: megabytes of address space for each of its processes, or None.
        too_slow: what to do where the time is not enough.
        too_large: what to do where the memory is not enough.
        log: file that gets what the program prints, as it comes; None to keep it in memory.
    """

    timeout_s: float
    memory_mb: int | None = None
    too_slow: str = "use fewer samples or layers"
    too_large: str = ""
    log: Path | None = None


def run(
    tool: Tool, arguments: Sequence[str], *, cwd: Path, limits: Limits, what: str
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end.

    Raises:
        ToolError: the tool is missing, failed, or took more than it may.
    """
    return _run(tool.name, [tool.require(), *arguments], cwd, limits, what)


def run_program(
    program: Path, arguments: Sequence[str], *, cwd: Path, limits: Limits, what: str
) -> subprocess.CompletedProcess[str]:
    """Run a program that was built here, to its end.

    Raises:
        ToolError: it failed, crashed, or took more than it may.
    """
    return _run(program.name, [str(program), *arguments], cwd, limits, what)


def side_by_side(tasks: Sequence[Callable[[], T]], workers: int) -> list[T]:
    """Return what some tasks give that run programs, so many tasks at a time.

    Where one fails, or this process is asked to end, the programs of all are stopped at once.
    """
    stop = threading.Event()

    def begin(task: Callable[[], T]) -> T:
        _STOP.set(stop)
        return task()

    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = [pool.submit(begin, task) for task in tasks]
        try:
            done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
            failed = next((f for f in waiting if f in done and f.exception() is not None), None)
            if failed is not None:
                failed.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
        return [task.result() for task in waiting]


_STOP: ContextVar[threading.Event | None] = ContextVar("_STOP", default=None)
"""Event that is set when the programs of a thread are to be stopped."""

_POLL_S = 0.05
_BOUNDED = 'ulimit -v "$1" 2>/dev/null; ulimit -t "$2" 2>/dev/null; shift 2; exec "$@"'
"""Shell that bounds the address space of a program and of those that it starts; and their time,
in case this process is killed before it can stop them."""

_SHELL = "hwflow"
"""Name that the shell gives itself in its message about a program that it cannot start."""

_NOT_STARTED = (126, 127)
"""Exit statuses of a shell that cannot start a program; a program may end with them, too."""

_HEAD = 256
"""Bytes of a file that tell a program; a header of machine code has zeros among them."""

_OUT_OF_MEMORY = re.compile(
    r"out of memory|virtual memory exhausted|cannot allocate memory|bad_alloc|[Kk]illed signal"
    r"|PCH allocation failure"
)


def _run(
    name: str, command: list[str], cwd: Path, limits: Limits, what: str
) -> subprocess.CompletedProcess[str]:
    with contextlib.ExitStack() as files:
        log = files.enter_context(limits.log.open("wb")) if limits.log else None
        try:
            process = subprocess.Popen(
                _bounded(command, limits),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log or subprocess.PIPE,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,  # g++ starts others, which end with it
            )
        except OSError as error:
            raise _not_started(name, command, error.strerror) from error
    try:
        out, err = _finished(process, limits.timeout_s)
    except subprocess.TimeoutExpired:
        raise ToolError(
            name,
            f"{what} took longer than {limits.timeout_s:g} s",
            code="HW603",
            help=limits.too_slow,
        ) from None
    finally:
        _stop(process)
    if process.returncode == 0:
        return subprocess.CompletedProcess(command, 0, out, err)
    if process.returncode in _NOT_STARTED and err.startswith(f"{_SHELL}: "):
        raise _not_started(name, command, err.split("\n")[0].rpartition(": ")[2])
    said = err + out if limits.log is None else _end_of(limits.log)
    raise _failure(name, what, process.returncode, said, limits)


def _end_of(log: Path) -> str:
    """Return the last lines of a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2**16))
        return "\n".join(file.read().decode("utf-8", "replace").split("\n")[-LOG_LINES - 1 :])


def _bounded(command: list[str], limits: Limits) -> list[str]:
    """Return a command that runs another one within its limits.

    A text without ``#!`` is no program, but a shell takes it for a script of its own. It is left
    to the system, which refuses to start it.
    """
    if limits.memory_mb is None or _is_bare_text(command[0]):
        return command
    bounds = str(limits.memory_mb * 1000), str(int(limits.timeout_s) + 1)
    return ["/bin/sh", "-c", _BOUNDED, _SHELL, *bounds, *command]


def _is_bare_text(program: str) -> bool:
    try:
        with Path(program).open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False  # a program need not be readable
    return not head.startswith(b"#!") and b"\0" not in head


def _not_started(name: str, command: list[str], reason: str | None) -> ToolError:
    return ToolError(name, f"{command[0]} cannot be run: {reason}", code="HW602")


def _finished(process: subprocess.Popen[str], timeout_s: float) -> tuple[str, str]:
    """Return what a program printed, when it has ended.

    Raises:
        TimeoutExpired: it took too long.
        StoppedError: it is to be stopped.
    """
    stop, end = _STOP.get(), time.monotonic() + timeout_s
    while True:
        try:
            left = max(0.0, end - time.monotonic())
            out, err = process.communicate(timeout=min(_POLL_S, left))
            return out or "", err or ""
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                raise StoppedError from None
            if time.monotonic() >= end:
                raise


class StoppedError(Exception):
    """A program was stopped, since another one failed or this process is to end."""


def _stop(process: subprocess.Popen[str]) -> None:
    """End a program, and all that it started and that still run."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _failure(name: str, what: str, status: int, output: str, limits: Limits) -> ToolError:
    lines = output.strip().split("\n")
    log = "\n".join(lines[:LOG_LINES])
    if limits.memory_mb is not None and _OUT_OF_MEMORY.search(output):
        message = f"{what} needs more than {limits.memory_mb} MB of memory"
        return ToolError(name, message, code="HW608", help=limits.too_large, log=log)
    if status < 0:
        ended = f"{what} crashed ({signal.Signals(-status).name})"
        return ToolError(name, ended, code="HW605", log=log)
    return ToolError(name, f"{what} failed (exit status {status})", code="HW604", log=log)
