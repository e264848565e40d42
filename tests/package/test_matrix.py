"""Blocks of all examples, on two boards and of both io types: benches, drivers and scripts."""

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from hwflow.package.wishes import Wishes
from tests.package.builds import EXAMPLES
from tests.package.drivers.boards import (
    Board,
    Packaged,
    empty_outputs,
    inputs_of,
    opened,
    packaged,
    run,
    vectors,
)
from tests.package.tcl.test_options import ends
from tests.package.test_benches import flip, passes

WORDS = 10_000
"""Words among stalling neighbours by default; the slow tests run their `make test`: a million."""

MODELS = {
    "digits_mlp.onnx": "digits.npz",
    "digits_cnn.onnx": "digits.npz",
    "digits_residual.onnx": "digits.npz",
    "digits_qkeras.h5": "digits_qkeras.npz",
    "digits_hgq.keras": "digits_hgq.npz",
}
"""The examples, with their data."""


class Case(NamedTuple):
    """A block of the matrix."""

    model: str
    board: str
    io_type: str


ALL = [
    Case(*c) for c in itertools.product(MODELS, ("pynq-z2", "kv260"), ("io_parallel", "io_stream"))
]
BENCHED = {
    Case("digits_mlp.onnx", "pynq-z2", "io_parallel"),
    Case("digits_cnn.onnx", "kv260", "io_stream"),
}
"""What runs by default: each board and io type. The others are slow tests."""

DRIVEN = {Case("digits_mlp.onnx", "pynq-z2", "io_parallel")}
"""What runs by default where much is compiled for it."""


def cases(by_default: set[Case]) -> Any:
    """Return the parameters of a test: the whole matrix, of which some by default."""
    keras = {"digits_qkeras.h5": (pytest.mark.keras,)}
    given = [
        pytest.param(
            case,
            marks=[*keras.get(case.model, ()), *([] if case in by_default else [pytest.mark.slow])],
            id="-".join((Path(case.model).stem, *case[1:])),
        )
        for case in ALL
    ]
    return pytest.mark.parametrize("case", given)


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], Packaged]:
    """Return the block of a case, written once, with its benches compiled."""
    made: dict[Case, Packaged] = {}

    def find(case: Case) -> Packaged:
        if case not in made:
            model, board, io_type = case
            place = tmp_path_factory.mktemp(Path(model).stem)
            data = EXAMPLES / MODELS[model]
            made[case] = packaged(place, EXAMPLES / model, data=data, board=board, io_type=io_type)
        return made[case]

    return find


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "make", *words)


def sound(folder: Path) -> bool:
    """Return whether the vectors go through the block unharmed."""
    done = run(folder, "./test_bench", "vectors")
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


def test_the_default_has_each_board_and_io_type() -> None:
    assert len(ALL) == 20
    for position in (1, 2):
        assert {c[position] for c in BENCHED} == {c[position] for c in ALL}


@pytest.mark.cpp
@cases(BENCHED)
def test_benches_pass_and_see_a_flipped_bit(
    case: Case, block: Callable[[Case], Packaged], tmp_path: Path
) -> None:
    folder = block(case).folder
    done = make(folder, "sums", "test_bench", "stalls")
    assert done.returncode == 0, done.stderr
    assert sound(folder)
    done = run(folder, "./stalls", "vectors", str(WORDS))
    assert done.returncode == 0, done.stderr
    assert int(re.findall(r"PASS: (\d+) words", done.stdout)[0]) >= WORDS
    copy = Path(shutil.copytree(folder, tmp_path / "ip"))
    _a_bit_of_vectors(copy, block(case))
    _a_bit_of_weights(copy)
    assert sound(copy)


def _a_bit_of_vectors(copy: Path, found: Packaged) -> None:
    """Flip the lowest bit of the last result of the first frame."""
    (port,) = found.description.outputs
    file = copy / "vectors" / f"{port.name}.bin"
    flip(file, port.packing.frame_bytes - port.element.lane_bits // 8)
    for bench in ("./test_bench", "./stalls"):
        done = run(copy, bench, "vectors", str(WORDS))
        assert (done.returncode, port.name in done.stderr) == (1, True)
    flip(file, port.packing.frame_bytes - port.element.lane_bits // 8)


def _a_bit_of_weights(copy: Path) -> None:
    """Flip a bit of a weight at a time: in every layer there is one that is seen."""
    files = sorted((copy / "hls/firmware/weights").glob("*_[wb]*.txt"))
    assert files
    for file in files:
        text = file.read_text()
        assert not all(file.write_text(other) and sound(copy) for other in flipped(text)), file.name
        file.write_text(text)


def flipped(text: str, most: int = 8) -> Iterator[str]:
    """Yield a file of numbers with a bit of one flipped: high bits first, numbers spread over it.

    A number is written with as many decimals as its type has fractional bits. What a low bit does
    may rightly be rounded away behind a layer, and some weights see zeros alone.
    """
    numbers = text.split(", ")
    decimals = len(numbers[0].strip().partition(".")[2])
    mantissas = [int(Decimal(number) * 2**decimals) for number in numbers]
    for bit in reversed(range(max(1, *(m.bit_length() for m in mantissas)))):
        for at in range(0, len(numbers), -(-len(numbers) // most)):
            assert mantissas[at] == Decimal(numbers[at]) * 2**decimals
            other = Decimal(mantissas[at] ^ 1 << bit) / 2**decimals
            yield ", ".join([*numbers[:at], str(other), *numbers[at + 1 :]])


@pytest.mark.cpp
@cases(DRIVEN)
def test_benches_see_another_packing(
    case: Case, block: Callable[[Case], Packaged], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(block(case).folder, tmp_path / "ip"))
    file = copy / "hls/hwflow_port.h"
    text = file.read_text()
    place = "place * LANE + WIDTH - 1, place * LANE"
    assert place in text
    file.write_text(text.replace(place, place.replace("place", "(place ^ 1)")))
    done = make(copy, "test_bench")
    assert done.returncode == 0, done.stderr
    assert not sound(copy)
    assert make(copy, "sums").returncode != 0


@pytest.mark.cpp
@cases(DRIVEN)
def test_drivers_give_the_same_bytes(
    case: Case, block: Callable[[Case], Packaged], tmp_path: Path
) -> None:
    found = block(case)
    board, golden = Board(found, tmp_path), vectors(found)
    assert board.open() == "all is well"
    said, by_c = board.run(empty_outputs(found, golden))
    assert said == "all is well"
    python, _ = opened(found, batch=2)  # after C: the board is one library, with one state
    by_python = python.exchange(inputs_of(found, golden))
    for port in found.description.outputs:  # what lies behind the elements of a packet is not sent
        size = port.packing.frame_bytes
        assert np.array_equal(by_python[port.name][:, :size], golden[port.name][:, :size])
        assert np.array_equal(by_c[port.name][:, :size], golden[port.name][:, :size])
    _same_numbers(found, board)


def _same_numbers(found: Packaged, board: Board) -> None:
    """Turn real numbers into frames and back with both drivers."""
    import ctypes

    from hwflow_ip.description import Description
    from hwflow_ip.numbers import frames_of, values_of

    rng = np.random.default_rng(1)
    for at, port in enumerate(Description.read(found.folder).ports):
        c_port, elements = ctypes.byref(board.block.ports[at]), int(port.elements)
        given = rng.uniform(-0.5, 1.5, (20, *port.said["model_shape"])).astype(np.float32)
        frames = frames_of(given.astype(np.float64), port)
        back = values_of(frames, port).astype(np.float32)
        for number, frame, value in zip(given, frames, back, strict=True):
            real = (ctypes.c_float * elements)(*number.ravel().tolist())
            into = (ctypes.c_uint8 * len(frame))()
            assert board.c.hwflow_put(c_port, real, into) == 0
            assert bytes(into) == frame.tobytes()
            board.c.hwflow_get(c_port, into, real)
            assert np.array_equal(np.array(real, np.float32), value.ravel())


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="no Tcl shell: apt-get install tcl")
@cases(BENCHED)
def test_scripts_run_to_their_end(case: Case, block: Callable[[Case], Packaged]) -> None:
    folder = block(case).folder
    tools = {"hls": "Vitis", "synth": "vivado", "bitstream": "vivado"}
    for script, tool in tools.items():
        ends(folder, tool, f"tcl/{script}.tcl")
    assert (folder / f"build/{block(case).description.top}.bit").exists()


@pytest.mark.cpp
@pytest.mark.slow
@cases(set())
def test_make_test_passes_with_a_million_words(
    case: Case, block: Callable[[Case], Packaged]
) -> None:
    found = block(case)
    done = run(found.folder, "make", "--always-make", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"PASS: (\d+) words", done.stdout)[0]) >= 1_000_000
    done = make(found.drivers, f"PYTHON={sys.executable}", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    for interface in ("memory", "axi-lite"):
        passes(found.project, Wishes(interface=interface))
