"""Blocks with their drivers, on boards made of software, for tests."""

import ctypes
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.package.block import make_block
from hwflow.package.description import Description
from hwflow.package.wishes import Wishes
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
    parts = ("ip", "numbers", "weights", "mmio", "linux")
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


def opened(found: Packaged, **how: Any) -> tuple[Any, Any]:
    """Return the Python driver on a fresh board, and the board."""
    ip = found.python()
    from hwflow_ip.software import Software

    description = ip.Description.read(found.folder)
    board = Software(found.library, description)
    return ip.Block(board, description, **({"timeout": 0.2} | how)), board


def vectors(found: Packaged) -> dict[str, npt.NDArray[np.uint8]]:
    strides = {p.name: p.packing.stride_bytes for p in found.description.ports}
    return {
        name: np.fromfile(found.folder / "vectors" / f"{name}.bin", np.uint8).reshape(-1, stride)
        for name, stride in strides.items()
    }


def real(found: Packaged, direction: str) -> dict[str, Any]:
    """Return the numbers of the build's vectors, as hwflow simulated them, by the model's name."""
    place = found.project / "sim" / "vectors"
    ports = [p for p in found.description.ports if p.direction == direction]
    numbers = {p.model_name: np.load(place / f"{direction}_{p.argument}.npy") for p in ports}
    for p in ports:
        if p.classes is not None:
            numbers[p.model_name] = numbers[p.model_name].argmax(1)
    return numbers


class Board:
    """The registers of a board for the C driver."""

    def __init__(self, found: Packaged, place: Path) -> None:
        self.c = c_driver(found, place)
        self.block = CBlock.in_dll(self.c, f"{found.description.top}_block")
        self.lib = ctypes.CDLL(str(found.library))
        self.lib.board_place.restype = ctypes.c_uint64
        self.lib.board_memory.restype = ctypes.c_void_p
        self.lib.board_read.restype = ctypes.c_uint32
        self.lib.board_reset()
        self.base = self.lib.board_memory()
        read = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64)
        write = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32)
        where = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)
        ports = self.block.inputs + self.block.outputs
        numbers = [*range(self.block.inputs), *range(self.block.outputs)]
        first, step = self.lib.board_place(1), self.lib.board_place(2)
        self.dmas = (ctypes.c_uint64 * ports)(*(first + n * step for n in numbers))

        class Bus(ctypes.Structure):
            _fields_ = (
                ("context", ctypes.c_void_p), ("read", read), ("write", write), ("address", where),
                ("flush", ctypes.c_void_p), ("invalidate", ctypes.c_void_p),
                ("block", ctypes.c_uint64), ("dmas", ctypes.c_void_p), ("polls", ctypes.c_uint32),
            )  # fmt: skip

        self.bus = Bus(
            None,
            read(lambda _, a: self.lib.board_read(ctypes.c_uint64(a))),
            write(lambda _, a, v: self.lib.board_write(ctypes.c_uint64(a), ctypes.c_uint32(v))),
            where(lambda _, memory: memory - self.base + self.lib.board_place(3)),
            None, None, self.lib.board_place(0), ctypes.addressof(self.dmas), 50,
        )  # fmt: skip

    def open(self, batch: int = 1) -> str:
        return self._text(
            self.c.hwflow_open(ctypes.byref(self.bus), ctypes.byref(self.block), batch)
        )

    def run(self, frames: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Run frames by port; those of outputs say how many bytes there is room for."""
        taken, places = 0, []
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * (64 << 20)).from_address(self.base))
        for held in frames.values():
            memory[taken : taken + held.size] = held.ravel()
            places.append(taken)
            taken += -(-held.size // 64) * 64
        pointers = (ctypes.c_void_p * len(places))(*(self.base + p for p in places))
        count = len(next(iter(frames.values())))
        status = self.c.hwflow_run(
            ctypes.byref(self.bus), ctypes.byref(self.block), pointers, count
        )
        found = {
            name: memory[place : place + held.size].reshape(held.shape).copy()
            for (name, held), place in zip(frames.items(), places, strict=True)
        }
        return self._text(status), found

    def _text(self, status: int) -> str:
        return str(self.c.hwflow_text(status).decode())


def empty_outputs(found: Packaged, frames: dict[str, Any]) -> dict[str, Any]:
    outputs = {p.name for p in found.description.outputs}
    return {n: np.full_like(f, 0xA5) if n in outputs else f for n, f in frames.items()}


def inputs_of(found: Packaged, frames: dict[str, Any]) -> dict[str, Any]:
    return {p.name: frames[p.name] for p in found.description.inputs}
