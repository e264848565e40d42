"""A block on its bus: starts it, makes sure that it is the right one, and sends frames through."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from hwflow_ip.description import Description, Port
from hwflow_ip.numbers import frames_of, values_of
from hwflow_ip.weights import WeightsError, read_image

CONTROL = 0x00
"""Register of HLS: start, done, idle, ready and auto-restart (AMD UG1399, S_AXILITE)."""

START, DONE, AUTO_RESTART = 0x01, 0x02, 0x80

MAGIC = 0x48574950
"""What the register ``magic`` holds: the letters ``HWIP``."""

VERSION = 1
"""Version of the control window that this driver knows."""

PACKETS = 64
"""Packets of AXI4-Stream between two looks at the error counters."""


class BlockError(RuntimeError):
    """What is at the address is no block of hwflow, or another one."""


class TransferError(RuntimeError):
    """Frames did not come back: in time, or at all."""


class FrameError(TransferError):
    """The block counted a packet of a wrong length: a part of it was lost, or came twice."""


class Block:
    """A packaged block behind a back end.

    A back end has ``read(address)`` and ``write(address, value)`` for the control window,
    ``allocate(size)`` for bytes that a DMA reaches, ``address(bytes)`` for where these lie, and,
    for AXI4-Stream, ``transfer(sent, received, timeout)``, which takes arrays of bytes by name of
    the port and returns how many bytes came by each output. ``Pynq`` is one.

    Attributes:
        description: what the block is.
        seconds: how long the hardware took for the last call, transfers included.
        frames: frames of the last call.
    """

    def __init__(
        self, backend: Any, description: Description, *, batch: int = 1, timeout: float = 5.0
    ) -> None:
        """Start a block, and make sure that it is the one described.

        Args:
            backend: how it is reached.
            description: what it is.
            batch: frames of a packet of AXI4-Stream, or those that the memory interface takes at
                once. A stream's cannot be changed before the next reset.
            timeout: seconds that frames may take.

        Raises:
            BlockError: it is another block, or none.
            ValueError: ``batch`` is no positive number.
        """
        if batch < 1:
            raise ValueError("a packet holds at least one frame")
        self.description = description
        self.seconds = 0.0
        self.frames = 0
        self._before: dict[str, int] = {}
        self._backend = backend
        self._batch = batch
        self._timeout = timeout
        if description.interface == "axis":
            backend.write(description.register("batch"), batch)
            backend.write(CONTROL, START | AUTO_RESTART)
        self._buffers = {
            port.name: backend.allocate(port.stride_bytes * self._at_once)
            for port in description.ports
            if description.interface != "axi-lite"
        }
        if description.interface != "axis":  # tells what it is with its first frame
            self._run({p.name: _empty(p, 1) for p in description.inputs}, 1)
        self.identify()

    @property
    def _at_once(self) -> int:
        return 1 if self.description.interface == "axi-lite" else self._batch

    def identify(self) -> None:
        """Make sure that the block is the one described.

        Raises:
            BlockError: it is not.
        """
        wanted = {"magic": MAGIC, "version": VERSION, "design": self.description.design_id}
        for name, value in wanted.items():
            found = self._backend.read(self.description.register(name))
            if found != value:
                raise BlockError(
                    f"{self.description.top}: register {name} holds {found:#010x}, not "
                    f"{value:#010x}; {_WHY[name]}"
                )

    @property
    def weights(self) -> int:
        """The digest of the weights in the block; 0 where they are not whole.

        Raises:
            KeyError: they are constants.
        """
        return int(self._backend.read(self.description.register("weights")))

    def load_weights(self, image: Any) -> None:
        """Give the block other weights; no frame is computed before they are whole.

        Args:
            image: what ``hwflow weights`` wrote for this block: a file, or the bytes in it.

        Raises:
            OSError: the file cannot be read.
            WeightsError: the image is damaged or for another block, and the block is as it was; or
                what came to it has another digest, and it computes nothing until it is loaded.
            TransferError: the block takes no step in time.
        """
        digest, words = read_image(image, self.description)
        window = self.description.reload["window_address"]
        room = self.description.reload["window_words"]
        self._backend.write(self.description.register("load_digest"), digest)
        self._take_step(0)
        for first in range(0, len(words), room):
            part = words[first : first + room].tolist()
            for number, word in enumerate(part):
                self._backend.write(window + 4 * number, word)
            self._take_step(len(part))
        self.identify()
        if self.weights != digest:
            raise WeightsError(f"the block has weights {self.weights:#010x}, not {digest:#010x}")

    def _take_step(self, words: int) -> None:
        """Let the block take words from its window; none for the begin of a load."""
        write, loaded = self._backend.write, self.description.register("loaded")
        step = (self._backend.read(loaded) + 1) & 0xFFFFFFFF
        write(self.description.register("load_words"), words)
        write(self.description.register("load"), step)
        if self.description.interface != "axis":
            self._start()
        end = time.monotonic() + self._timeout
        while self._backend.read(loaded) != step:
            if time.monotonic() > end:
                raise TransferError(f"weights were not taken within {self._timeout:g} s")

    def errors(self) -> dict[str, int]:
        """Return how many packets of a wrong length came by each input since the reset."""
        if self.description.interface != "axis":
            return {}
        places = {p.name: self.description.register("errors", p.name) for p in self._inputs}
        return {name: self._backend.read(address) for name, address in places.items()}

    @property
    def _inputs(self) -> tuple[Port, ...]:
        return self.description.inputs

    def predict(self, *inputs: Any, **named: Any) -> Any:
        """Return the outputs for real numbers.

        Args:
            inputs: one array for each input of the model, shape (N, ...).
            named: the same by name of the model's input.

        Returns:
            float64 in the model's shape: an array, or arrays by name where there are several.

        Raises:
            ValueError: shapes or numbers do not suit the inputs.
            TransferError: the frames did not come back.
        """
        arrays = dict(zip((p.model_name for p in self._inputs), inputs))  # noqa: B905
        arrays.update(named)
        if sorted(arrays) != sorted(p.model_name for p in self._inputs):
            raise ValueError(f"inputs are {', '.join(p.model_name for p in self._inputs)}")
        frames = {p.name: frames_of(arrays[p.model_name], p) for p in self._inputs}
        came = self.exchange(frames)
        found = {p.model_name: values_of(came[p.name], p) for p in self.description.outputs}
        return found if len(found) > 1 else next(iter(found.values()))

    def exchange(self, frames: Mapping[str, Any]) -> dict[str, Any]:
        """Send frames of bytes through the block.

        Args:
            frames: shape (N, bytes of a frame), by name of the block's input.

        Returns:
            Frames by name of the block's output.

        Raises:
            ValueError: shapes do not suit the inputs.
            FrameError: the block counted a wrong packet.
            TransferError: the frames did not come back.
            WeightsError: the weights in the block are not whole.
        """
        count = _count(frames, self._inputs)
        came = {p.name: _empty(p, count) for p in self.description.outputs}
        self._before, start = self.errors(), time.perf_counter()
        for number, first in enumerate(range(0, count, self._at_once)):
            last = min(first + self._at_once, count)
            part = {name: given[first:last] for name, given in frames.items()}
            for name, got in self._computed(part, last - first).items():
                came[name][first:last] = got
            if number % PACKETS == PACKETS - 1:
                self._refuse_errors()
        self._refuse_errors()
        self.seconds, self.frames = time.perf_counter() - start, count
        return came

    def _computed(self, frames: Mapping[str, Any], count: int) -> dict[str, Any]:
        """Return what comes of frames, where the weights are whole.

        A stream's frames would wait in the block; others tell of their weights after a start.
        """
        streams = self.description.interface == "axis"
        came = {} if streams else self._run(frames, count)
        if self.description.reload is not None and self.weights == 0:
            raise WeightsError("the weights in the block are not whole: load an image")
        return self._run(frames, count) if streams else came

    def _refuse_errors(self) -> None:
        for name, counted in self.errors().items():
            more = (counted - self._before[name]) & 0xFFFFFFFF
            if more:
                raise FrameError(f"{name}: {more} packet(s) of a wrong length came by")

    def _run(self, frames: Mapping[str, Any], count: int) -> dict[str, Any]:
        """Send at most as many frames as fit at once; return those that come back."""
        if self.description.interface == "axi-lite":
            return self._by_registers(frames)
        for port in self._inputs:
            buffer = self._buffers[port.name]
            size = count * port.stride_bytes
            buffer[:size] = frames[port.name].reshape(-1)
            buffer[size:] = 0
        by = self._by_memory if self.description.interface == "memory" else self._by_stream
        by(count)
        return {
            p.name: np.array(self._buffers[p.name][: count * p.stride_bytes]).reshape(count, -1)
            for p in self.description.outputs
        }

    def _by_stream(self, count: int) -> None:
        sent, received = (
            {p.name: self._buffers[p.name] for p in ports}
            for ports in (self._inputs, self.description.outputs)
        )
        try:
            came = self._backend.transfer(sent, received, self._timeout)
        except TransferError:
            self._refuse_errors()  # tells more than that time is up
            raise
        for port in self.description.outputs:
            behind = port.stride_bytes - port.frame_bytes  # TKEEP leaves it out
            wanted = self._batch * port.stride_bytes - behind
            if came.get(port.name, wanted) != wanted:
                self._refuse_errors()
                raise TransferError(f"{port.name}: {came[port.name]} of {wanted} bytes came back")

    def _by_memory(self, count: int) -> None:
        for port in self.description.ports:
            place = self.description.pointer(port.name)
            address = self._backend.address(self._buffers[port.name])
            self._backend.write(place, address & 0xFFFFFFFF)
            self._backend.write(place + 4, address >> 32)
            self._flush("flush", port)
        self._backend.write(self.description.register("frames"), count)
        self._start()
        for port in self.description.outputs:
            self._flush("invalidate", port)

    def _flush(self, how: str, port: Port) -> None:
        with suppress(AttributeError):  # memory that no cache stands before has neither
            getattr(self._buffers[port.name], how)()

    def _by_registers(self, frames: Mapping[str, Any]) -> dict[str, Any]:
        for port in self._inputs:
            words = np.ascontiguousarray(frames[port.name]).reshape(-1).view("<u4")
            for i, word in enumerate(words.tolist()):
                self._backend.write(port.said["address"] + 4 * i, word)
        self._start()
        came = {}
        for port in self.description.outputs:
            places = range(0, port.stride_bytes, 4)
            words = [self._backend.read(port.said["address"] + place) for place in places]
            came[port.name] = np.array(words, "<u4").view(np.uint8).reshape(1, -1)
        return came

    def _start(self) -> None:
        self._backend.write(CONTROL, START)
        end = time.monotonic() + self._timeout
        while not self._backend.read(CONTROL) & DONE:
            if time.monotonic() > end:
                raise TransferError(f"no result within {self._timeout:g} s")


_WHY = {
    "magic": "no block of hwflow is there: is the bitstream loaded, is the address right?",
    "version": "use the driver that came with the block",
    "design": "the bitstream holds another network or packing than ip.json describes",
}


def _empty(port: Port, count: int) -> Any:
    return np.zeros((count, port.stride_bytes), np.uint8)


def _count(frames: Mapping[str, Any], ports: Sequence[Port]) -> int:
    """Return how many frames there are, the same for all inputs."""
    if sorted(frames) != sorted(p.name for p in ports):
        raise ValueError(f"frames are wanted for {', '.join(p.name for p in ports)}")
    for port in ports:
        shape = frames[port.name].shape
        if len(shape) != 2 or shape[1] != port.stride_bytes:
            raise ValueError(f"{port.name}: shape (N, {port.stride_bytes}) is wanted, not {shape}")
    counts = {len(given) for given in frames.values()}
    if len(counts) != 1:
        raise ValueError("inputs differ in the number of frames")
    return counts.pop()
