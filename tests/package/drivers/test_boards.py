"""Both drivers on boards made of software: the bytes of the golden vectors, and what goes wrong."""

import ctypes
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hwflow.package.wishes import Wishes
from tests.package.builds import EXAMPLES, two_ports, wide
from tests.package.drivers.boards import (
    Board,
    Packaged,
    empty_outputs,
    inputs_of,
    opened,
    packaged,
    real,
    run,
    vectors,
)

pytestmark = pytest.mark.cpp

LOST_BEAT, FLIPPED_BIT, NO_ANSWER = 1, 2, 3

CASES: dict[str, dict[str, Any]] = {
    "axis": {},
    "axi-lite": {"wishes": Wishes(interface="axi-lite")},
    "memory": {"wishes": Wishes(interface="memory", data_width=64)},
    "float32": {"wishes": Wishes(edge="float32")},
    "classes": {"wishes": Wishes(argmax=True)},
    "two ports": {"source": two_ports, "wishes": Wishes(data_width=32), "io_type": "io_stream"},
    "images": {
        "source": lambda: EXAMPLES / "digits_cnn.onnx",
        "data": EXAMPLES / "digits.npz",
        "io_type": "io_stream",
        "board": "kv260",
    },
}

SLOW = ("images", "classes", "float32")


@pytest.fixture(
    scope="module",
    params=[pytest.param(c, marks=pytest.mark.slow if c in SLOW else ()) for c in CASES],
)
def block(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    how = dict(CASES[request.param])
    source = how.pop("source", lambda: None)()
    return packaged(tmp_path_factory.mktemp("board"), source, **how)


def test_the_makefile_runs_both_drivers(block: Packaged) -> None:
    done = run(block.drivers, "make", "CXXFLAGS=-O0", f"PYTHON={sys.executable}", "test")
    assert done.returncode == 0, done.stderr
    frames = block.description.vectors[0].frames
    assert f"PASS: {frames} frames through the C driver" in done.stdout
    assert f"PASS: {frames} frames in" in done.stdout


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_python_gives_the_golden_outputs(block: Packaged, batch: int) -> None:
    driver, _ = opened(block, batch=batch)
    golden = vectors(block)
    inputs = {p.name for p in block.description.inputs}
    came = driver.exchange({name: golden[name] for name in inputs})
    for port in block.description.outputs:
        assert np.array_equal(came[port.name], golden[port.name])
    expected = real(block, "output")
    found = driver.predict(**real(block, "input"))
    found = found if isinstance(found, dict) else {next(iter(expected)): found}
    for name, values in expected.items():
        assert found[name].dtype == np.float64
        assert np.array_equal(found[name], values), name
    assert driver.frames == len(next(iter(golden.values())))
    assert driver.seconds > 0


@pytest.mark.parametrize("batch", [1, 2])
def test_c_gives_the_golden_outputs(block: Packaged, tmp_path: Path, batch: int) -> None:
    board, golden = Board(block, tmp_path), vectors(block)
    golden = {name: held[: len(held) // batch * batch] for name, held in golden.items()}
    assert board.open(batch) == "all is well"
    said, came = board.run(empty_outputs(block, golden))
    assert said == "all is well"
    for port in block.description.outputs:
        # behind the elements of a packet's last frame TKEEP is 0, and a DMA writes nothing
        size = port.packing.frame_bytes
        assert np.array_equal(came[port.name][:, :size], golden[port.name][:, :size])
    numbers = {d: real(block, d) for d in ("input", "output")}
    for at, port in enumerate(block.description.ports):
        values = numbers[port.direction][port.model_name].astype(np.float32)
        for frame, one in zip(golden[port.name], values.reshape(len(values), -1), strict=False):
            held = (ctypes.c_uint8 * len(frame))(*frame.tolist())
            c_port = ctypes.byref(board.block.ports[at])
            if port.direction == "input":
                given = (ctypes.c_float * port.elements)(*one.tolist())
                into = (ctypes.c_uint8 * len(frame))()
                assert board.c.hwflow_put(c_port, given, into) == 0
                if port.element.numpy == "float32":  # of a mantissa, the vectors have any number
                    assert bytes(into)[: one.nbytes] == one.tobytes()
                else:
                    assert bytes(into) == bytes(held)
            else:
                back = (ctypes.c_float * port.elements)()
                board.c.hwflow_get(c_port, held, back)
                assert list(back) == one.tolist()


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return packaged(tmp_path_factory.mktemp("stream"), wide())


@pytest.fixture
def golden(stream: Packaged) -> dict[str, Any]:
    return vectors(stream)


def test_a_lost_beat_is_named(stream: Packaged, golden: dict[str, Any], tmp_path: Path) -> None:
    driver, board = opened(stream)
    ip = stream.python()
    board.fault(LOST_BEAT)
    (port,) = stream.description.inputs
    with pytest.raises(ip.FrameError, match=f"{port.name}: 1 packet"):
        driver.exchange(inputs_of(stream, golden))
    assert driver.errors() == {port.name: 1}
    came = driver.exchange(inputs_of(stream, golden))  # nothing hangs; the next packet is right
    assert all(np.array_equal(came[p.name], golden[p.name]) for p in stream.description.outputs)
    c = Board(stream, tmp_path)
    assert c.open() == "all is well"
    c.lib.board_fault(LOST_BEAT)
    frames = empty_outputs(stream, golden)
    assert c.run(frames)[0] == "the block counted a packet of a wrong length"
    assert c.run(frames)[0] == "all is well"


def test_a_flipped_bit_is_seen(stream: Packaged, golden: dict[str, Any]) -> None:
    driver, board = opened(stream)
    board.fault(FLIPPED_BIT)
    came = driver.exchange(inputs_of(stream, golden))
    (port,) = stream.description.outputs
    assert np.argwhere(came[port.name] != golden[port.name]).tolist() == [[0, 0]]


def test_no_answer_is_named(stream: Packaged, golden: dict[str, Any], tmp_path: Path) -> None:
    driver, board = opened(stream)
    board.fault(NO_ANSWER)
    (port,) = stream.description.outputs
    with pytest.raises(stream.python().TransferError, match=rf"{port.name}: no packet within 0.2"):
        driver.exchange(inputs_of(stream, golden))
    c = Board(stream, tmp_path)
    assert c.open() == "all is well"
    c.lib.board_fault(NO_ANSWER)
    assert c.run(empty_outputs(stream, golden))[0] == "no result in time"


def damaged(found: Packaged, register: str) -> Any:
    """Return a description that expects a register elsewhere, as another block would have it."""
    description = found.python().Description.read(found.folder)
    others = [r | {"address": 0xF00} if r["name"] == register else r for r in description.registers]
    return type(description)(
        description.top, description.interface, description.design_id, description.ports,
        tuple(others),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("register", "why"),
    [("magic", "no block of hwflow"), ("version", "driver that came"), ("design", "another netwo")],
)
def test_another_block_is_refused(stream: Packaged, register: str, why: str) -> None:
    from hwflow_ip.software import Software

    told = damaged(stream, register)
    with pytest.raises(stream.python().BlockError, match=why):
        stream.python().Block(Software(stream.library, told), told)


@pytest.mark.parametrize(
    ("register", "said"),
    [("magic", "no block of hwflow is at this address"),
     ("version", "the block has a control window of another version"),
     ("design", "the block holds another network, packing or interface")],
)  # fmt: skip
def test_c_refuses_another_block(
    stream: Packaged, tmp_path: Path, register: str, said: str
) -> None:
    copy = Packaged(
        Path(shutil.copytree(stream.folder, tmp_path / "ip")), stream.project, stream.description
    )
    source = copy.drivers / "c" / f"{copy.description.top}_driver.c"
    address = next(r.address for r in copy.description.registers if r.name == register)
    changed = source.read_text().replace(f".{register} = {address}U", f".{register} = 0xF00U")
    assert changed != source.read_text()
    source.write_text(changed)
    assert Board(copy, tmp_path).open() == said


def test_frames_of_another_size_are_refused(stream: Packaged, golden: dict[str, Any]) -> None:
    driver, _ = opened(stream)
    (port,) = stream.description.inputs
    with pytest.raises(ValueError, match=rf"shape \(N, {port.packing.stride_bytes}\) is wanted"):
        driver.exchange({port.name: golden[port.name][:, 1:]})
    with pytest.raises(ValueError, match="frames are wanted for"):
        driver.exchange({})
    with pytest.raises(ValueError, match="inputs are"):
        driver.predict()
    with pytest.raises(ValueError, match="at least one frame"):
        opened(stream, batch=0)


def test_a_description_of_another_version_is_refused(stream: Packaged, tmp_path: Path) -> None:
    said = json.loads((stream.folder / "ip.json").read_text()) | {"form": "hwflow-ip/99"}
    (tmp_path / "ip.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match="is not of the form"):
        stream.python().Description.read(tmp_path)


class Channel:
    """A channel of PYNQ's DMA, on the software's."""

    def __init__(self, board: Any, place: int) -> None:
        self.board, self.place, self.error = board, place, False

    def transfer(self, buffer: Any) -> None:
        for offset, value in ((0, 1), (0x18, buffer.device_address), (0x28, len(buffer))):
            self.board.board_write(self.place + offset, value)

    @property
    def idle(self) -> bool:
        return bool(self.board.board_read(self.place + 4) & 2)

    @property
    def transferred(self) -> int:
        return int(self.board.board_read(self.place + 0x28))

    def wait(self) -> None:
        assert self.idle


class Buffer(np.ndarray[Any, Any]):
    """A buffer of PYNQ's: an array that knows where it lies."""

    device_address = 0


@pytest.fixture
def overlay(stream: Packaged, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stand in for ``pynq`` and an overlay of it, on a board made of software."""
    ip = stream.python()
    from hwflow_ip.software import Software

    software = Software(stream.library, ip.Description.read(stream.folder))
    board = software._board
    dma = SimpleNamespace(
        sendchannel=Channel(board, 0xA1000000), recvchannel=Channel(board, 0xA1000030)
    )

    def allocate(shape: tuple[int], dtype: str) -> Any:
        assert dtype == "u1"
        buffer = software.allocate(*shape).view(Buffer)
        buffer.device_address = software.address(buffer)
        return buffer

    stand_in = ModuleType("pynq")
    top = stream.description.top
    found = SimpleNamespace(
        ip_dict={
            "net": {"type": f"hwflow:nn:{top}:1.0"},
            "dma_0": {"type": "xilinx.com:ip:axi_dma:7.1"},
            "ps": {"type": "xilinx.com:ip:processing_system7:5.5"},
        },
        dma_0=dma,
        net=software,
    )
    stand_in.allocate = allocate  # type: ignore[attr-defined]
    stand_in.Overlay = lambda path: found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", stand_in)
    return found


def test_overlays_of_pynq_are_driven(
    stream: Packaged, golden: dict[str, Any], overlay: Any
) -> None:
    driver = stream.python().open_overlay("design.bit", stream.folder, batch=2)
    came = driver.exchange(inputs_of(stream, golden))
    assert all(np.array_equal(came[p.name], golden[p.name]) for p in stream.description.outputs)
    expected = real(stream, "output")
    (values,) = expected.values()
    assert np.array_equal(driver.predict(*real(stream, "input").values()), values)


def test_what_a_bitstream_lacks_is_named(stream: Packaged, overlay: Any) -> None:
    dma = overlay.ip_dict.pop("dma_0")
    with pytest.raises(LookupError, match="no DMA for"):
        stream.python().open_overlay("design.bit", stream.folder)
    overlay.ip_dict = {"dma_0": dma}
    with pytest.raises(LookupError, match=f"0 blocks {stream.description.top}"):
        stream.python().open_overlay("design.bit", stream.folder)
