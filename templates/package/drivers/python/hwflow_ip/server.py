"""Serves a block to ``hwflow hil``, or runs its test vectors here.

    python3 -m hwflow_ip.server --bitstream design.bit --check
    python3 -m hwflow_ip.server --bitstream design.bit --host 0.0.0.0 --port 7000
    python3 -m hwflow_ip.server --bitstream design.bit --serial /dev/ttyPS1
    python3 -m hwflow_ip.server --software board.so --port 7000

Needs the block's folder: ``ip.json``, and ``vectors`` for ``--check``. Whoever reaches the port can
run frames, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hwflow_ip.block import Block, BlockError, TransferError
from hwflow_ip.description import Description
from hwflow_ip.protocol import (
    COUNT,
    FAILED,
    HELLO,
    NANOSECONDS,
    RESULT,
    RUN,
    TOLD,
    VERSION,
    ClosedError,
    DamagedError,
    LateError,
    Message,
    SerialStream,
    SocketStream,
    receive,
)
from hwflow_ip.weights import WeightsError

PATIENCE = 1e6
"""Seconds that a server waits for a question before it waits again."""


def answer(block: Block, asked: Message) -> Message:
    """Return the answer to a message."""
    try:
        if asked.kind == HELLO:
            return Message(TOLD, asked.number, json.dumps(told(block)).encode())
        if asked.kind == RUN:
            return Message(RESULT, asked.number, run(block, asked.payload))
        raise ValueError(f"a message of kind {asked.kind}")
    except (BlockError, TransferError, WeightsError, ValueError, OSError) as error:
        said = {"error": type(error).__name__, "text": str(error)}
        return Message(FAILED, asked.number, json.dumps(said).encode())


def told(block: Block) -> dict[str, Any]:
    """Return what a client has to know; what the block's registers hold is read again."""
    block.identify()
    description = block.description
    return {"protocol": VERSION, "top": description.top, "design_id": description.design_id}


def run(block: Block, payload: bytes) -> bytes:
    """Return time and outputs of frames."""
    (count,) = COUNT.unpack_from(payload)
    wanted = count * sum(p.stride_bytes for p in block.description.inputs)
    rest = np.frombuffer(payload, np.uint8, offset=COUNT.size)
    if not count or len(rest) != wanted:
        raise ValueError(f"{len(rest)} bytes for {count} frames, which take {wanted}")
    frames = {}
    for port in block.description.inputs:
        size = count * port.stride_bytes
        frames[port.name], rest = rest[:size].reshape(count, -1), rest[size:]
    came = block.exchange(frames)
    parts = [came[p.name].tobytes() for p in block.description.outputs]
    return b"".join([NANOSECONDS.pack(int(block.seconds * 1e9)), *parts])


def serve(block: Block, stream: Any) -> None:
    """Answer the messages of one client until it goes."""
    with suppress(ClosedError):
        while True:
            try:
                asked = receive(stream, PATIENCE)
            except LateError:
                continue
            except DamagedError as error:
                said = json.dumps({"error": type(error).__name__, "text": str(error)})
                stream.write(Message(FAILED, 0, said.encode()).to_bytes())
                continue
            stream.write(answer(block, asked).to_bytes())


def serve_tcp(block: Block, host: str, port: int) -> None:
    """Answer one client after another."""
    with socket.create_server((host, port)) as listening:
        tell(f"serving {block.description.top} at {host}:{listening.getsockname()[1]}")
        while True:
            connected, _ = listening.accept()
            with connected:
                serve(block, SocketStream(connected))


def check(block: Block, folder: Path) -> str:
    """Run the test vectors of a block; return what differs, or nothing."""
    ports = block.description.ports
    if block.description.reload is not None:
        block.load_weights(folder / "vectors" / "weights.bin")
    frames = {
        p.name: np.fromfile(folder / "vectors" / f"{p.name}.bin", np.uint8).reshape(
            -1, p.stride_bytes
        )
        for p in ports
    }
    came = block.exchange({p.name: frames[p.name] for p in block.description.inputs})
    for port in block.description.outputs:
        different = np.nonzero(came[port.name] != frames[port.name])
        if len(different[0]):
            place = f"frame {different[0][0]}, byte {different[1][0]}"
            return f"{port.name}: {len(different[0])} bytes differ, the first in {place}"
    return ""


def tell(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def open_block(options: argparse.Namespace) -> Block:
    """Return the block that the command line names."""
    description = Description.read(options.ip)
    if options.software:
        from hwflow_ip.software import Software

        board = Software(Path(options.software).resolve(), description)
        return Block(board, description, batch=options.batch, timeout=options.timeout)
    from hwflow_ip.pynq import open_overlay

    return open_overlay(
        options.bitstream, description, batch=options.batch, timeout=options.timeout
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module's text."""
    parser = argparse.ArgumentParser(
        prog="python3 -m hwflow_ip.server", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    board = parser.add_mutually_exclusive_group(required=True)
    board.add_argument("--bitstream", help="the .bit file beside its .hwh file; needs pynq")
    board.add_argument("--software", help="the library that `make board` builds; it is run")
    parser.add_argument("--ip", default=".", help="the block's folder, or its ip.json")
    parser.add_argument("--check", action="store_true", help="run the test vectors here and end")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=7000, help="TCP port to listen at")
    parser.add_argument("--serial", help="serial port to serve instead; needs pyserial")
    parser.add_argument("--baud", type=int, default=115200)
    parser.add_argument("--batch", type=int, default=1, help="frames of a packet")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for a packet")
    options = parser.parse_args(arguments)
    try:
        block = open_block(options)
        if options.check:
            wrong = check(block, Path(options.ip))
            speed = f"{block.frames} frames in {block.seconds:.6f} s"
            tell(f"FAIL: {wrong}" if wrong else f"PASS: {speed} through the Python driver")
            return 1 if wrong else 0
        if options.serial:
            import serial

            serve(block, SerialStream(serial.Serial(options.serial, options.baud)))
        else:
            serve_tcp(block, options.host, options.port)
    except (
        BlockError, TransferError, WeightsError, ValueError, LookupError, OSError,
    ) as error:  # fmt: skip
        tell(f"FAIL: {error}")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
