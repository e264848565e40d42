"""The programs that hwflow runs; the only module that starts processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwflow.errors import ToolError

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
        """Return the path of the program, or None when there is none."""
        return shutil.which(os.environ.get(self.variable) or self.name)

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


def run(
    tool: Tool, arguments: Sequence[str], *, cwd: Path, timeout_s: float, what: str
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end.

    Raises:
        ToolError: the tool is missing, failed, or took longer than ``timeout_s`` seconds.
    """
    return _run(tool.name, [tool.require(), *arguments], cwd, timeout_s, what)


def run_program(
    program: Path, arguments: Sequence[str], *, cwd: Path, timeout_s: float, what: str
) -> subprocess.CompletedProcess[str]:
    """Run a program that was built here, to its end.

    Raises:
        ToolError: it failed, crashed, or took longer than ``timeout_s`` seconds.
    """
    return _run(program.name, [str(program), *arguments], cwd, timeout_s, what)


def _run(
    name: str, command: list[str], cwd: Path, timeout_s: float, what: str
) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as error:
        message = f"{command[0]} cannot be run: {error.strerror}"
        raise ToolError(name, message, code="HW602") from error
    except subprocess.TimeoutExpired:
        raise ToolError(
            name,
            f"{what} took longer than {timeout_s:g} s",
            code="HW603",
            help="use fewer samples or layers",
        ) from None
    if done.returncode == 0:
        return done
    code = "HW605" if done.returncode < 0 else "HW604"
    if done.returncode < 0:
        import signal

        ended = f"crashed ({signal.Signals(-done.returncode).name})"
    else:
        ended = f"failed (exit status {done.returncode})"
    output = (done.stderr + done.stdout).strip().split("\n")
    log = "\n".join(output[:LOG_LINES])
    raise ToolError(name, f"{what} {ended}", code=code, log=log)
