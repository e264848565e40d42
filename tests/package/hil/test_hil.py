"""``hwflow hil`` against boards made of software, over a local socket, with faults on the way."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from hwflow.core.errors import CompileError, ToolError
from hwflow.package.hil.protocol import RESULT, Message, SocketStream, receive
from hwflow.package.hil.run import BoardRun, run_on_board
from hwflow.package.wishes import Wishes
from tests.cli.command import hwflow
from tests.package.builds import wide
from tests.package.drivers.boards import Packaged, packaged

pytestmark = pytest.mark.cpp


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return packaged(tmp_path_factory.mktemp("hil"), wide())


@pytest.fixture(scope="module")
def served(block: Packaged) -> Iterator[int]:
    """Run the server of the block's drivers on a board made of software; return its TCP port."""
    command = [sys.executable, "-m", "hwflow_ip.server", "--software", str(block.library),
               "--ip", str(block.folder), "--port", "0"]  # fmt: skip
    with subprocess.Popen(
        command, cwd=block.drivers / "python", stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield int(re.findall(r":(\d+)$", line.strip())[0])
        finally:
            process.kill()


Change = Callable[[Message], list[Message | bytes]]


@contextmanager
def between(port: int, change: Change) -> Iterator[str]:
    """Stand between client and board: what the board answers goes through ``change``."""
    listening = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        near, _ = listening.accept()
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            client, board = SocketStream(near), SocketStream(far)
            try:
                while True:
                    board.write(receive(client, 20.0).to_bytes())
                    for answer in change(receive(board, 20.0)):
                        raw = answer if isinstance(answer, bytes) else answer.to_bytes()
                        client.write(raw)
            except (StopIteration, Exception):
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()
        thread.join(5)


def found(block: Packaged, port: int, change: Change, timeout: float = 5.0) -> BoardRun:
    with between(port, change) as place:
        return run_on_board(block.folder, place, timeout=timeout)


def failed(run: BoardRun) -> dict[str, tuple[str, str]]:
    return {c.name: (c.value, c.detail) for c in run.checks if not c.passed}


def on_result(action: Callable[[Message], list[Message | bytes]], number: int = 0) -> Change:
    """Return what changes the result with a number, and nothing else."""
    seen = [0]

    def change(answer: Message) -> list[Message | bytes]:
        if answer.kind != RESULT:
            return [answer]
        seen[0] += 1
        return action(answer) if seen[0] == number + 1 else [answer]

    return change


def test_a_board_that_is_right_passes(block: Packaged, served: int) -> None:
    run = found(block, served, lambda answer: [answer])
    assert run.passed
    assert run.frames == block.description.vectors[0].frames
    assert run.hardware_s > 0
    assert [c.name for c in run.checks][:2] == ["line", "identity"]


@pytest.mark.parametrize("bit", [0, 5])
def test_every_bit_that_flips_on_the_board_is_named(block: Packaged, served: int, bit: int) -> None:
    (port,) = block.description.outputs
    lane, stride = port.element.lane_bits // 8, port.packing.stride_bytes
    frame, element = 1, port.elements - 1

    def flip(answer: Message) -> list[Message | bytes]:
        payload = bytearray(answer.payload)
        payload[8 + frame * stride + element * lane] ^= 1 << bit
        return [Message(answer.kind, answer.number, bytes(payload))]

    run = found(block, served, on_result(flip))
    ((name, (value, detail)),) = failed(run).items()
    assert name == f"output {port.model_name}"
    assert value.startswith("1 of ")
    assert detail.startswith(f"frame {frame}, element {element}: expected ")


def test_a_bit_that_flips_on_the_line_is_named(block: Packaged, served: int) -> None:
    def flip(answer: Message) -> list[Message | bytes]:
        raw = bytearray(answer.to_bytes())
        raw[20] ^= 4
        return [bytes(raw)]

    value, detail = failed(found(block, served, on_result(flip)))["line"]
    assert value == "damaged"
    assert "the answer to frames 0 to" in detail
    assert "checksum" in detail


def test_noise_before_a_message_is_skipped(block: Packaged, served: int) -> None:
    assert found(block, served, lambda answer: [b"\0noise HWI", answer]).passed


def test_bytes_that_are_lost_are_named(block: Packaged, served: int) -> None:
    def lose(answer: Message) -> list[Message | bytes]:
        raw = answer.to_bytes()
        return [raw[:-9] + raw[-8:]]

    value, detail = failed(found(block, served, on_result(lose), 0.1))["line"]
    assert value == "lost"
    assert "broke off" in detail


def test_a_late_answer_is_named(block: Packaged, served: int) -> None:
    def wait(answer: Message) -> list[Message | bytes]:
        time.sleep(0.4)
        return [answer]

    value, detail = failed(found(block, served, on_result(wait), 0.2))["line"]
    assert value == "late"
    assert re.search(r"the answer to frames 0 to \d+ took 0\.\d s, limit 0\.2 s", detail)


def test_no_answer_is_named(block: Packaged, served: int) -> None:
    value, detail = failed(found(block, served, on_result(lambda _: []), 0.1))["line"]
    assert value == "lost"
    assert "no answer to frames 0 to" in detail


def test_an_answer_to_another_question_is_dropped(block: Packaged, served: int) -> None:
    def twice(answer: Message) -> list[Message | bytes]:
        return [Message(answer.kind, answer.number - 1, b"old"), answer]

    assert found(block, served, on_result(twice)).passed


def test_an_end_is_named(block: Packaged, served: int) -> None:
    def end(answer: Message) -> list[Message | bytes]:
        raise StopIteration

    value, detail = failed(found(block, served, on_result(end)))["line"]
    assert value == "closed"
    assert "the line ended at frames 0 to" in detail


def test_a_short_result_is_named(block: Packaged, served: int) -> None:
    def cut(answer: Message) -> list[Message | bytes]:
        return [Message(answer.kind, answer.number, answer.payload[:-1])]

    value, detail = failed(found(block, served, on_result(cut)))["line"]
    assert value == "damaged"
    assert "bytes came back, not" in detail


def test_another_block_on_the_board_is_named(
    block: Packaged, served: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = packaged(tmp_path_factory.mktemp("other"), wide(), Wishes(data_width=128))
    run = found(other, served, lambda answer: [answer])
    assert "identity" in failed(run)
    assert failed(run)["identity"][1] == "other design_id on the board"
    assert "not compared" in failed(run)[f"output {other.description.outputs[0].model_name}"][0]


@pytest.fixture
def faulty(block: Packaged) -> Iterator[tuple[Any, str]]:
    """Serve a block here, and return its board, which can be told to fail."""
    ip = block.python()
    from hwflow_ip import server
    from hwflow_ip.software import Software

    description = ip.Description.read(block.folder)
    board = Software(block.library, description)
    driver = ip.Block(board, description, timeout=0.2)
    listening = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        near, _ = listening.accept()
        with near:
            server.serve(driver, server.SocketStream(near))

    threading.Thread(target=work, daemon=True).start()
    yield board, f"tcp://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()


@pytest.mark.parametrize(
    ("fault", "check", "value", "detail"),
    [
        (1, "line", "FrameError", "packet(s) of a wrong length came by"),
        (2, "output", "1 of ", "frame 0, element 0: expected "),
        (3, "line", "TransferError", "no packet within"),
    ],
)
def test_what_the_board_finds_is_named(
    block: Packaged, faulty: tuple[Any, str], fault: int, check: str, value: str, detail: str
) -> None:
    board, place = faulty
    board.fault(fault)
    run = run_on_board(block.folder, place, timeout=5.0)
    name, (got, why) = next(iter(failed(run).items()))
    assert name.startswith(check)
    assert got.startswith(value)
    assert detail in why


def test_the_command_ends_with_a_status_and_junit(
    block: Packaged, served: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junit, place = tmp_path / "board.xml", f"tcp://127.0.0.1:{served}"
    done = hwflow(capsys, "hil", block.folder, "--board", place, "--junit", junit)
    assert done.status == 0, done.err
    assert "all 3 checks pass" in done.out
    suite = ET.parse(junit).getroot()[0]
    assert suite.attrib["name"] == f"hwflow hil {block.description.top}"
    assert suite.attrib["failures"] == "0"
    told = json.loads(hwflow(capsys, "hil", block.folder, "--board", place, "--json").out)
    assert told["passed"]
    assert told["frames"] == block.description.vectors[0].frames

    def flip(answer: Message) -> list[Message | bytes]:
        payload = bytearray(answer.payload)
        payload[8] ^= 1
        return [Message(answer.kind, answer.number, bytes(payload))]

    with between(served, on_result(flip)) as changed:
        done = hwflow(capsys, "hil", block.folder, "--board", changed, "--junit", junit)
    assert done.status == 1
    assert ET.parse(junit).getroot().attrib["failures"] == "1"


def code(block: Path, place: str) -> str:
    with pytest.raises(CompileError) as caught:
        run_on_board(block, place, timeout=0.2)
    return caught.value.diagnostics[0].code


def test_folders_and_places_that_are_none(block: Packaged, tmp_path: Path) -> None:
    assert code(tmp_path, "tcp://127.0.0.1:1") == "HW585"
    said = json.loads((block.folder / "ip.json").read_text())
    (tmp_path / "ip.json").write_text(json.dumps(said))
    assert code(tmp_path, "tcp://127.0.0.1:1") == "HW586"
    (tmp_path / "vectors").mkdir()
    for vectors in said["vectors"]:
        content = bytearray((block.folder / vectors["path"]).read_bytes())
        content[-1] ^= 1
        (tmp_path / vectors["path"]).write_bytes(content)
    assert code(tmp_path, "tcp://127.0.0.1:1") == "HW586"
    (tmp_path / "ip.json").write_text(json.dumps(said | {"form": "hwflow-ip/99"}))
    assert code(tmp_path, "tcp://127.0.0.1:1") == "HW585"
    for place in ("tcp://127.0.0.1:1", "udp://1", "tcp://x", "serial://", "serial://x?fast"):
        assert code(block.folder, place) == "HW587"


def test_places_are_counted_over_all_messages(
    block: Packaged, served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwflow.package.hil.run.AT_ONCE", 5)

    def flip(answer: Message) -> list[Message | bytes]:
        payload = bytearray(answer.payload)
        payload[8] ^= 1
        return [Message(answer.kind, answer.number, bytes(payload))]

    run = found(block, served, on_result(flip, 2))
    ((_, detail),) = failed(run).values()
    assert detail.startswith("frame 10, element 0: expected ")
    assert run.frames == block.description.vectors[0].frames


@pytest.mark.parametrize("payload", [b"\xff", b"[" * 100_000, b"null", b"[1]"])
def test_what_is_no_answer_is_named(block: Packaged, served: int, payload: bytes) -> None:
    def change(answer: Message) -> list[Message | bytes]:
        return [Message(answer.kind, answer.number, payload)]

    assert failed(found(block, served, change))["line"][0] == "damaged"


def test_a_line_of_noise_ends(block: Packaged, served: int) -> None:
    noise = bytes(70_000)
    value, detail = failed(found(block, served, lambda _: [noise]))["line"]
    assert (value, "no message in 65536 bytes" in detail) == ("damaged", True)


def test_a_board_at_a_serial_port(block: Packaged) -> None:
    """Two pseudo terminals stand for the two ends of a UART."""
    import serial

    ends = [os.openpty() for _ in range(2)]
    for _, end in ends:
        tty.setraw(end)
    (far, _), (near, _) = ends
    threads = [
        threading.Thread(target=pump, args=a, daemon=True) for a in ((far, near), (near, far))
    ]
    board, computer = (os.ttyname(end) for _, end in ends)
    ip = block.python()
    from hwflow_ip import server
    from hwflow_ip.software import Software

    description = ip.Description.read(block.folder)
    driver = ip.Block(Software(block.library, description), description)
    line = server.SerialStream(serial.Serial(board, 115200))
    threads.append(threading.Thread(target=server.serve, args=(driver, line), daemon=True))
    for thread in threads:
        thread.start()
    run = run_on_board(block.folder, f"serial://{computer}?115200", timeout=10.0)
    assert run.passed, failed(run)
    assert code(block.folder, "serial:///dev/none") == "HW587"


def pump(source: int, sink: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            os.write(sink, os.read(source, 4096))


def test_a_missing_package_is_named(block: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ToolError, match="pip install pyserial"):
        run_on_board(block.folder, "serial:///dev/ttyS0")
