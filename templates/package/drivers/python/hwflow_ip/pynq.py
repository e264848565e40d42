"""A block in the bitstream of a board with PYNQ."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hwflow_ip.block import Block, TransferError
from hwflow_ip.description import Description

if TYPE_CHECKING:
    from pathlib import Path


def open_overlay(
    bitstream: str | Path | Any,
    description: str | Path | Description = ".",
    *,
    dmas: Mapping[str, str] | None = None,
    batch: int = 1,
    timeout: float = 5.0,
) -> Block:
    """Load a bitstream and start the block in it.

    Args:
        bitstream: path of the ``.bit`` file beside its ``.hwh`` file, or an overlay.
        description: the block's folder, its ``ip.json``, or what was read from it.
        dmas: names of the DMAs by port, where they are not as ``Pynq`` finds them.
        batch: see ``Block``.
        timeout: seconds that frames may take.

    Raises:
        BlockError: another block is in the bitstream.
        LookupError: there is no such block or DMA.
    """
    told = description if isinstance(description, Description) else Description.read(description)
    overlay = bitstream
    if not hasattr(bitstream, "ip_dict"):
        from pynq import Overlay

        overlay = Overlay(str(bitstream))
    return Block(Pynq(overlay, told, dmas=dmas), told, batch=batch, timeout=timeout)


class Pynq:
    """A back end on ``pynq``: the block and its DMAs by their names in the block design.

    The block is the one of the type that ``ip.json`` names, whatever its cell is called. The n-th
    input and the n-th output share the n-th DMA, in the order of the DMAs' names.
    """

    def __init__(
        self, overlay: Any, description: Description, *, dmas: Mapping[str, str] | None = None
    ) -> None:
        """Find a block and its DMAs in an overlay.

        Args:
            overlay: a ``pynq.Overlay``.
            description: what the block is.
            dmas: names of DMAs by port of the block.

        Raises:
            LookupError: there is no such block or DMA.
        """
        self._ip = _attribute(overlay, _only(overlay.ip_dict, description.top))
        self._dma: dict[str, Any] = {}
        if description.interface != "axis":
            return
        found = [n for n, ip in overlay.ip_dict.items() if ":axi_dma:" in str(ip.get("type", ""))]
        for ports in (description.inputs, description.outputs):
            for number, port in enumerate(ports):
                name = (dmas or {}).get(port.name) or dict(enumerate(sorted(found))).get(number)
                if name is None or name not in overlay.ip_dict:
                    raise LookupError(f"no DMA for {port.name}; there are: {', '.join(found)}")
                self._dma[port.name] = _attribute(overlay, name)

    def read(self, address: int) -> int:
        """Return a register of the block."""
        return int(self._ip.read(address))

    def write(self, address: int, value: int) -> None:
        """Write a register of the block."""
        self._ip.write(address, value)

    def allocate(self, size: int) -> Any:
        """Return bytes that a DMA reaches."""
        from pynq import allocate

        return allocate(shape=(size,), dtype="u1")

    def address(self, buffer: Any) -> int:
        """Return where bytes lie for a DMA."""
        return int(buffer.device_address)

    def transfer(
        self, sent: Mapping[str, Any], received: Mapping[str, Any], timeout: float
    ) -> dict[str, int]:
        """Send a packet by every input, and receive one by every output.

        Args:
            sent: bytes by input.
            received: where those of outputs go.
            timeout: seconds.

        Returns:
            Bytes that came by each output.

        Raises:
            TransferError: not all came in time, or a DMA stopped with an error.
        """
        channels = {name: self._dma[name].recvchannel for name in received}
        for name, buffer in received.items():
            channels[name].transfer(buffer)
        for name, buffer in sent.items():
            channels[name] = self._dma[name].sendchannel
            channels[name].transfer(buffer)
        end = time.monotonic() + timeout
        for name, channel in channels.items():
            while not channel.idle:
                if getattr(channel, "error", False):
                    raise TransferError(f"{name}: its DMA stopped with an error")
                if time.monotonic() > end:
                    raise TransferError(f"{name}: no packet within {timeout:g} s")
            channel.wait()
        return {name: int(getattr(channels[name], "transferred", len(received[name])))
                for name in received}  # fmt: skip


def _only(cells: Mapping[str, Any], top: str) -> str:
    found = [name for name, ip in cells.items() if f":{top}:" in str(ip.get("type", ""))]
    if len(found) != 1:
        raise LookupError(f"{len(found)} blocks {top} in the bitstream; it has {', '.join(cells)}")
    return found[0]


def _attribute(overlay: Any, name: str) -> Any:
    for part in name.split("/"):
        overlay = getattr(overlay, part)
    return overlay
