"""Blocks with their drivers, on boards made of software, for tests."""

import ctypes
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hwflow.package.block import Wishes, make_block
from hwflow.package.description import Description
from tests.package.builds import build

C_FLAGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion")


@dataclass(frozen=True)
class Packaged:
    """A block in a folder, with what it was made of."""

    folder: Path
    project: Path
    description: Description

    @property
    def drivers(self) -> Path:
        return self.folder / "drivers"

    @cached_property
    def library(self) -> Path:
        """The board, compiled."""
        done = run(self.drivers, "make", "CXXFLAGS=-O0", "board")
        assert done.returncode == 0, done.stderr
        return self.drivers / "board.so"

    def python(self) -> Any:
        """Return the Python driver that lies in the block's folder."""
        place = str(self.drivers / "python")
        if "hwflow_ip" not in sys.modules:
            sys.path.insert(0, place)
        import hwflow_ip

        return hwflow_ip


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def packaged(place: Path, source: Any = None, wishes: Wishes | None = None, **how: Any) -> Packaged:
    """Write a project, and its block with drivers."""
    project = build(place / "net", source, **({"board": "pynq-z2"} | how))
    block = make_block(project, wishes or Wishes())
    block.write(place / "ip")
    return Packaged(place / "ip", project, block.description)


class CPort(ctypes.Structure):
    """``hwflow_port`` of C."""

    _fields_ = (
        ("is_input", ctypes.c_bool),
        ("is_signed", ctypes.c_bool),
        ("is_float", ctypes.c_bool),
        ("width", ctypes.c_uint32),
        ("fractional_bits", ctypes.c_int32),
        ("lane_bytes", ctypes.c_uint32),
        ("elements", ctypes.c_uint32),
        ("stride_bytes", ctypes.c_uint32),
        ("rank", ctypes.c_uint32),
        ("shape", ctypes.POINTER(ctypes.c_uint32)),
        ("places", ctypes.POINTER(ctypes.c_uint32)),
        ("rounding", ctypes.c_int),
        ("overflow", ctypes.c_int),
        ("quantizer", ctypes.c_void_p),
        ("scales", ctypes.c_uint32),
        ("scale", ctypes.POINTER(ctypes.c_double)),
        ("scale_rest", ctypes.POINTER(ctypes.c_double)),
        ("offsets", ctypes.c_uint32),
        ("offset", ctypes.POINTER(ctypes.c_double)),
        ("offset_rest", ctypes.POINTER(ctypes.c_double)),
        ("address", ctypes.c_uint32),
        ("errors", ctypes.c_uint32),
    )


class CBlock(ctypes.Structure):
    """``hwflow_block`` of C."""

    _fields_ = (
        ("interface", ctypes.c_int),
        ("inputs", ctypes.c_uint32),
        ("outputs", ctypes.c_uint32),
        ("ports", ctypes.POINTER(CPort)),
        ("design_id", ctypes.c_uint32),
    )


def c_driver(found: Packaged, place: Path) -> ctypes.CDLL:
    """Compile the C driver of a block to a library."""
    top = found.description.top
    parts = ("ip", "numbers", "mmio", "linux")
    sources = [f"c/{top}_driver.c", *(f"c/hwflow_{part}.c" for part in parts)]
    out = place / f"{top}_driver.so"
    done = run(
        found.drivers, "gcc", *C_FLAGS, "-O1", "-fPIC", "-shared", *sources, "-lm", "-o", str(out)
    )
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(out))
    library.hwflow_value.restype = ctypes.c_double
    library.hwflow_mantissa.restype = ctypes.c_int64
    library.hwflow_text.restype = ctypes.c_char_p
    return library
