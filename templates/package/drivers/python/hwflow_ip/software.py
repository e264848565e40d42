"""A block on a board made of software: the shared library that ``make -C drivers board`` builds.

Stands in for a board: the same registers at the same addresses, the same bytes.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hwflow_ip.block import TransferError

if TYPE_CHECKING:
    from pathlib import Path

    from hwflow_ip.description import Description

MM2S, S2MM = 0x00, 0x30
"""Channels of an AXI DMA, memory to stream and stream to memory (AMD PG021)."""

CONTROL, STATUS, ADDRESS, ADDRESS_MSB, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, IDLE, ERRORS = 0x01, 0x02, 0x70

LOST_BEAT, FLIPPED_BIT, NO_ANSWER = 1, 2, 3
"""What ``fault`` lets go wrong."""


class Software:
    """A back end: the library, and the DMA of each port in direct register mode."""

    def __init__(self, library: str | Path, description: Description) -> None:
        """Load a board.

        Args:
            library: path of the shared library, which is run.
            description: the block in it.

        Raises:
            OSError: it cannot be loaded.
        """
        self._board = ctypes.CDLL(str(library))
        self._board.board_read.argtypes = [ctypes.c_uint64]
        self._board.board_read.restype = ctypes.c_uint32
        self._board.board_write.argtypes = [ctypes.c_uint64, ctypes.c_uint32]
        self._board.board_place.restype = ctypes.c_uint64
        self._board.board_memory.restype = ctypes.c_void_p
        self._block, first, step, self._base, size = map(self._board.board_place, range(5))
        held = (ctypes.c_uint8 * size).from_address(self._board.board_memory())
        self._memory = np.ctypeslib.as_array(held)
        self._taken = 0
        self._channels = {}
        for ports, channel in ((description.inputs, MM2S), (description.outputs, S2MM)):
            for number, port in enumerate(ports):
                self._channels[port.name] = first + number * step + channel
        self._board.board_reset()

    def read(self, address: int) -> int:
        """Return a register of the block."""
        return int(self._board.board_read(self._block + address))

    def write(self, address: int, value: int) -> None:
        """Write a register of the block."""
        self._board.board_write(self._block + address, value)

    def fault(self, kind: int) -> None:
        """Let something go wrong once: ``LOST_BEAT``, ``FLIPPED_BIT`` or ``NO_ANSWER``."""
        self._board.board_fault(kind)

    def allocate(self, size: int) -> Any:
        """Return bytes of the board's memory."""
        start = self._taken
        self._taken = -(-(start + size) // 64) * 64
        if self._taken > len(self._memory):
            raise MemoryError(f"the board has {len(self._memory)} bytes")
        return self._memory[start : start + size]

    def address(self, buffer: Any) -> int:
        """Return where bytes lie for a DMA."""
        return int(buffer.ctypes.data - self._memory.ctypes.data + self._base)

    def transfer(
        self, sent: Mapping[str, Any], received: Mapping[str, Any], timeout: float
    ) -> dict[str, int]:
        """Send a packet by every input, and receive one by every output; see ``Pynq``."""
        for name, buffer in [*received.items(), *sent.items()]:
            channel, place = self._channels[name], self.address(buffer)
            self._board.board_write(channel + CONTROL, RUN)
            self._board.board_write(channel + ADDRESS, place & 0xFFFFFFFF)
            self._board.board_write(channel + ADDRESS_MSB, place >> 32)
            self._board.board_write(channel + LENGTH, len(buffer))
        end = time.monotonic() + timeout
        for name in [*sent, *received]:
            while True:
                status = self._board.board_read(self._channels[name] + STATUS)
                if status & ERRORS:
                    raise TransferError(f"{name}: its DMA stopped with an error")
                if status & IDLE:
                    break
                if time.monotonic() > end:
                    raise TransferError(f"{name}: no packet within {timeout:g} s")
        return {n: int(self._board.board_read(self._channels[n] + LENGTH)) for n in received}
