"""Registers and memory from device files; plain files stand for the devices."""

import ctypes
from pathlib import Path

import pytest

from tests.package.drivers.boards import c_driver, packaged

pytestmark = pytest.mark.cpp

PAGE = 4096


class Window(ctypes.Structure):
    """``hwflow_window`` of C."""

    _fields_ = (
        ("address", ctypes.c_uint64), ("size", ctypes.c_uint32), ("mapped", ctypes.c_void_p)
    )  # fmt: skip


class Linux(ctypes.Structure):
    """``hwflow_linux`` of C."""

    _fields_ = (("windows", Window * 16), ("count", ctypes.c_uint32), ("memory", Window))


def test_windows_and_memory_are_those_of_files(tmp_path: Path) -> None:
    c = c_driver(packaged(tmp_path / "block"), tmp_path)
    c.hwflow_linux_read.restype = ctypes.c_uint32
    c.hwflow_linux_address.restype = ctypes.c_uint64
    mapped = Linux()
    context = ctypes.byref(mapped)
    files = [tmp_path / name for name in ("uio0", "uio1", "udmabuf0")]
    for file in files:
        file.write_bytes(bytes(2 * PAGE))
    names = [str(file).encode() for file in files]

    def registers(name: bytes, offset: int, address: int) -> int:
        where = ctypes.c_uint64(offset), ctypes.c_uint64(address)
        return int(c.hwflow_linux_registers(context, name, *where, PAGE))

    assert registers(names[0], 0, 0xA0000000) == 0
    assert registers(names[1], PAGE, 0xA1000000) == 0
    assert registers(b"/dev/none", 0, 0) == -1
    assert c.hwflow_linux_memory(context, names[2], ctypes.c_uint64(0x70000000), 2 * PAGE) == 0

    def write(address: int, value: int) -> None:
        c.hwflow_linux_write(context, ctypes.c_uint64(address), ctypes.c_uint32(value))

    write(0xA0000010, 0x12345678)
    write(0xA1000FFC, 0x9ABCDEF0)
    write(0xA1001000, 1)  # behind the window
    assert files[0].read_bytes()[0x10:0x14] == bytes.fromhex("78563412")
    assert files[1].read_bytes()[PAGE + 0xFFC :] == bytes.fromhex("f0debc9a")
    assert files[1].read_bytes().count(0) == 2 * PAGE - 4
    read = [c.hwflow_linux_read(context, ctypes.c_uint64(a)) for a in (0xA0000010, 0xA1001000)]
    assert read == [0x12345678, 0]
    inside = ctypes.c_void_p(mapped.memory.mapped + 100)
    assert c.hwflow_linux_address(context, inside) == 0x70000064
    c.hwflow_linux_close(context)
    assert (mapped.count, mapped.memory.mapped) == (0, None)
    for _ in range(16):
        assert registers(names[0], 0, 0xA0000000) == 0
    assert registers(names[0], 0, 0xA0000000) == -1
    c.hwflow_linux_close(context)
