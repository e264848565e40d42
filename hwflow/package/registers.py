"""The control window of a block: the registers behind those that HLS puts at 0x00 to 0x0c.

A register of 32 bits takes two words, one of 64 bits three, since HLS keeps a word for the control
of each (UG1399, "S_AXILITE Offset Option"). Addresses are given in the pragmas, but for Vitis
kernels, whose tools give them in the order of the arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hwflow.package.description import MAGIC, Port, Register
from hwflow.report.manifest.fields import cut

VERSION = 1
"""What the register ``version`` holds: the version of ``ip.json`` and of the window."""

FIRST = 0x10
"""Address of the first register."""

SPACE = 0x10
"""Bytes from one register to the next, enough for 64 bits and their control."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    name: str
    meaning: str
    port: str = ""
    bits: int = 32
    access: str = "r"
    value: int | None = None


RELOAD = (
    _Wanted(name="load_words", meaning="words in the window, 0 to begin a load", access="rw"),
    _Wanted(name="load_digest", meaning="digest that the weights are to have", access="rw"),
    _Wanted(name="load", meaning="number of the step to take, 1 above loaded", access="rw"),
    _Wanted(name="loaded", meaning="number of the last step taken, 0 after a reset"),
    _Wanted(name="weights", meaning="digest of the weights in use; 0 while they are not whole"),
)
"""Registers of blocks whose weights can be written."""

WINDOW = "load_window"
"""Name of the window for the words of a weight image."""


def control_window(
    interface: str,
    ports: Sequence[Port],
    design_id: int,
    *,
    kernel: bool = False,
    reload: bool = False,
) -> tuple[Register, ...]:
    """Return the registers of a block.

    Args:
        interface: how frames come and go.
        ports: the block's ports.
        design_id: what the register ``design`` holds.
        kernel: it is a Vitis kernel, which has nothing to read.
        reload: weights can be written.
    """
    taken = {port.name for port in ports}
    registers: list[Register] = []
    address = FIRST
    wishes = [*_wanted(interface, ports, design_id, kernel=kernel), *(RELOAD if reload else ())]
    for wanted in wishes:
        name = wanted.name
        while name in taken and wanted.port != name:
            name += "_2"
        taken.add(name)
        registers.append(
            Register.model_validate(
                {
                    "name": name,
                    "address": address,
                    "bits": wanted.bits,
                    "access": wanted.access,
                    "value": wanted.value,
                    "port": wanted.port,
                    "meaning": cut(wanted.meaning),
                }
            )
        )
        address += (wanted.bits // 8 + 4) if kernel else SPACE
    return tuple(registers)


def windows(ports: Sequence[Port], begin: int) -> tuple[Port, ...]:
    """Return the ports of ``axi-lite`` with addresses of frames, each aligned to its size.

    Args:
        ports: the block's ports.
        begin: the first address that is free.
    """
    placed = []
    for port in ports:
        address, begin = window(begin, port.packing.stride_bytes)
        placed.append(port.model_copy(update={"address": address}))
    return tuple(placed)


def window(begin: int, size: int) -> tuple[int, int]:
    """Return address and end of a window, aligned to its size as HLS does.

    Args:
        begin: the first address that is free.
        size: bytes.
    """
    room = 1 << (size - 1).bit_length()
    address = -(-begin // room) * room
    return address, address + room


def end_of(registers: Sequence[Register]) -> int:
    """Return the first address behind registers."""
    return max(r.address for r in registers) + SPACE


def _wanted(
    interface: str, ports: Sequence[Port], design_id: int, *, kernel: bool
) -> Iterator[_Wanted]:
    if interface == "memory":
        for port in ports:
            meaning = f"address of the first frame of {port.model_name}"
            yield _Wanted(name=port.name, meaning=meaning, port=port.name, bits=64, access="rw")
        yield _Wanted(name="frames", meaning="frames to process, before the start", access="rw")
    if interface == "axis":
        yield _Wanted(
            name="batch", meaning="frames of a packet, before the start; 0 means 1", access="rw"
        )
    if kernel:
        return
    yield _Wanted(name="magic", meaning="the letters HWIP", value=MAGIC)
    yield _Wanted(name="version", meaning="version of this window", value=VERSION)
    yield _Wanted(
        name="design",
        meaning="begin of the digest over network, ports and interface",
        value=design_id,
    )
    if interface == "axis":
        yield _Wanted(name="frames", meaning="frames done since the reset, wrong ones among them")
    for port in ports:
        meaning = f"elements of a frame of {port.model_name}"
        yield _Wanted(
            name=f"{port.name}_elements", meaning=meaning, port=port.name, value=port.elements
        )
    if interface == "axis":
        for port in ports:
            if port.direction == "input":
                meaning = f"packets of {port.model_name} of a wrong length, since the reset"
                yield _Wanted(name=f"{port.name}_errors", meaning=meaning, port=port.name)
