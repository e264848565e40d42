"""Models one after another in one block: every bit of each, in C++ and through both drivers."""

import ctypes
import json
import re
import subprocess
import sys
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hwflow.package.benches import run_benches
from hwflow.package.block import Block, make_block
from hwflow.package.reading import read_block
from hwflow.package.reload.image import image_file
from hwflow.package.reload.weights import matched
from hwflow.package.untouched import open_untouched
from hwflow.package.wishes import Wishes
from tests.cli.command import hwflow
from tests.package.builds import build, two_ports, wide
from tests.package.drivers.boards import Packaged
from tests.package.drivers.test_boards import Board, empty_outputs, opened
from tests.package.reload.retrained import WIDE, built, dense, image
from tests.package.test_benches import passes

pytestmark = pytest.mark.cpp

HEAD = 24

MANY = {"hidden": 100}
"""Weights that take several windows."""

CASES: dict[str, dict[str, Any]] = {
    "axis": {"source": lambda seed: dense(seed, **MANY), "accum": WIDE | {"fc2": "fixed<20,13>"}},
    "axi-lite": {"source": dense, "wishes": {"interface": "axi-lite"}},
    "memory": {
        "source": dense,
        "wishes": {"interface": "memory"},
        "fc1": {"strategy": "resource", "reuse_factor": 3},
    },
    "float32": {"source": dense, "wishes": {"edge": "float32"}, "io_type": "io_stream"},
    "classes": {"source": dense, "wishes": {"argmax": True}},
    "images": {
        "source": image,
        "io_type": "io_stream",
        "conv": {"strategy": "resource", "reuse_factor": 6},
    },
    "images in parallel": {
        "source": image,
        "backend": "Vivado",
        "conv": {"strategy": "resource", "reuse_factor": 6},
        "wishes": {"reloadable": ("conv", "fc2")},
    },
}
FAST = "axis"


@dataclass(frozen=True)
class Loads:
    """A block in a folder, and models for it: the block with each one's weights and vectors."""

    found: Packaged
    models: tuple[Block, ...]

    @property
    def folder(self) -> Path:
        return self.found.folder

    def image(self, number: int) -> bytes:
        """Return the image of a model for the block."""
        words = self.models[number].files["vectors/weights.bin"][HEAD:]
        return image_file(self.found.description.design_id, words)

    def vectors(self, number: int) -> dict[str, npt.NDArray[np.uint8]]:
        """Return frames of a model by port, as many as those of the block."""
        frames = self.found.description.vectors[0].frames
        held = {}
        for port in self.found.description.ports:
            stride = port.packing.stride_bytes
            rows = np.frombuffer(self.models[number].files[f"vectors/{port.name}.bin"], np.uint8)
            held[port.name] = np.resize(rows, (frames, stride))
        return held

    @cached_property
    def bench(self) -> Path:
        done = run(self.folder, "make", "CXXFLAGS=-O0", "test_bench")
        assert done.returncode == 0, done.stderr
        return self.folder / "test_bench"


def run(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    given = [str(part) for part in command]
    return subprocess.run(given, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(
    scope="module",
    params=[pytest.param(c, marks=() if c == FAST else pytest.mark.slow) for c in CASES],
)
def loads(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loads:
    how = dict(CASES[request.param])
    place = tmp_path_factory.mktemp("loads")
    source, wishes = how.pop("source"), {"reloadable": ("all",), **how.pop("wishes", {})}
    projects = [built(place / f"net{seed}", source(seed), **dict(how)) for seed in range(4)]
    make_block(projects[0], Wishes(**wishes)).write(place / "ip")
    held = read_block(place / "ip")
    assert held.description.reload is not None
    models = [matched(held, open_untouched(p, ()), held.description.reload)[1] for p in projects]
    return Loads(Packaged(place / "ip", projects[0], held.description), tuple(models))


def written(loads: Loads, number: int, folder: Path) -> tuple[Path, Path]:
    """Write the vectors of a model and its image."""
    folder.mkdir(exist_ok=True)
    for name, rows in loads.vectors(number).items():
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    (folder / "weights.bin").write_bytes(loads.image(number))
    return folder, folder / "weights.bin"


def test_the_bench_loads_three_models(loads: Loads, tmp_path: Path) -> None:
    own = run(loads.folder, loads.bench)
    assert own.returncode == 0, own.stderr
    assert int(own.stdout.split("other weights gave ")[1].split()[0]) > 0
    places = [written(loads, number, tmp_path / str(number)) for number in range(4)]
    for folder, weights in places[1:]:
        done = run(loads.folder, loads.bench, folder, weights)
        assert done.returncode == 0, done.stderr
    # the vectors of one model are not those of another
    assert run(loads.folder, loads.bench, places[1][0], places[2][1]).returncode == 1


def test_a_bit_of_a_weight_fails_the_bench(loads: Loads, tmp_path: Path) -> None:
    if any(p.classes is not None for p in loads.found.description.outputs):
        pytest.skip("a class need not change with a weight")
    folder, weights = written(loads, 1, tmp_path / "model")
    reload = loads.found.description.reload
    assert reload is not None
    last = reload.arrays[-2]  # weights of the last layer, every one of which reaches an output
    content = bytearray(loads.image(1))
    place = HEAD + 4 * last.first_word + (last.elements - 1) * last.lane_bits // 8
    content[place] ^= 1 << (last.width - 1)
    flipped = image_file(loads.found.description.design_id, bytes(content[HEAD:]))
    weights.write_bytes(bytes(content))  # the digest tells
    assert "weights: expected" in run(loads.folder, loads.bench, folder, weights).stderr
    weights.write_bytes(flipped)  # the results tell
    done = run(loads.folder, loads.bench, folder, weights)
    outputs = [p.name for p in loads.found.description.outputs]
    assert (done.returncode, any(name in done.stderr for name in outputs)) == (1, True)
    weights.write_bytes(loads.image(1))
    assert run(loads.folder, loads.bench, folder, weights).returncode == 0


@pytest.fixture(scope="module")
def board(loads: Loads, tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(loads.found, tmp_path_factory.mktemp("c"))


def load_in_c(board: Board, content: bytes) -> str:
    held = (ctypes.c_uint8 * len(content))(*content)
    bus, block = ctypes.byref(board.bus), ctypes.byref(board.block)
    return board._text(board.c.hwflow_load(bus, block, held, len(content)))


def inputs(loads: Loads, frames: dict[str, Any]) -> dict[str, Any]:
    return {p.name: frames[p.name] for p in loads.found.description.inputs}


def differing(loads: Loads, came: dict[str, Any], golden: dict[str, Any]) -> list[str]:
    """Return the outputs whose elements are not all as expected."""
    outputs = {p.name: p.packing.frame_bytes for p in loads.found.description.outputs}
    return [
        name
        for name, size in outputs.items()
        if not np.array_equal(came[name][:, :size], golden[name][:, :size])
    ]


def test_both_drivers_load_three_models(loads: Loads, board: Board) -> None:
    for number in (1, 2, 3, 0):
        golden = loads.vectors(number)
        driver, _ = opened(loads.found, batch=2)
        driver.load_weights(loads.image(number))
        assert driver.weights == int.from_bytes(loads.image(number)[16:20], "little")
        came = driver.exchange(inputs(loads, golden))
        board.lib.board_reset()
        assert board.open() == "all is well"
        assert load_in_c(board, loads.image((number + 1) % 4)) == "all is well"
        assert load_in_c(board, loads.image(number)) == "all is well"
        said, in_c = board.run(empty_outputs(loads.found, golden))
        assert said == "all is well"
        assert differing(loads, came, golden) == []
        assert differing(loads, in_c, golden) == []


def test_weights_outlast_a_reset(loads: Loads) -> None:
    driver, _ = opened(loads.found)
    driver.load_weights(loads.image(2))
    again, board = opened(loads.found)
    assert again.weights == driver.weights
    assert board.read(loads.found.python().Description.read(loads.folder).register("loaded")) == 0
    golden = loads.vectors(2)
    came = again.exchange(inputs(loads, golden))
    assert differing(loads, came, golden) == []


def damaged_images(loads: Loads) -> dict[str, tuple[bytes, str]]:
    """Return images that no block takes, with what Python and C say of them."""
    whole = loads.image(1)
    other = image_file(loads.found.description.design_id ^ 1, whole[HEAD:])
    version = bytearray(whole[: HEAD - 4])
    version[4] = 2
    damaged = "the weight image is cut off, damaged or of another version"
    return {
        "for the block": (other, "the weight image is for another block"),
        "bytes, not": (whole[:-4], damaged),
        "is no weight image": (b"", damaged),
        "of another version": (
            bytes(version) + zlib.crc32(version).to_bytes(4, "little") + whole[HEAD:], damaged
        ),
    }  # fmt: skip


def test_images_that_do_not_suit_are_refused(loads: Loads, board: Board) -> None:
    driver, _ = opened(loads.found)
    ip = loads.found.python()
    driver.load_weights(loads.image(1))
    assert board.open() == "all is well"
    assert load_in_c(board, loads.image(1)) == "all is well"
    for said, (content, in_c) in damaged_images(loads).items():
        with pytest.raises(ip.WeightsError, match=said):
            driver.load_weights(content)
        assert load_in_c(board, content) == in_c
    for place in range(len(loads.image(1))):  # a bit of every byte
        content = bytearray(loads.image(1))
        content[place] ^= 1 << place % 8
        with pytest.raises(ip.WeightsError):
            driver.load_weights(bytes(content))
        if place < HEAD or place % 50 == 0:
            assert "weight image" in load_in_c(board, bytes(content))
    assert driver.weights == int.from_bytes(loads.image(1)[16:20], "little")


class Faulty:
    """A back end that damages one write to the window."""

    def __init__(self, board: Any, first: int, end: int) -> None:
        self.board, self.window, self.armed = board, range(first, end), True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.board, name)

    def write(self, address: int, value: int) -> None:
        if self.armed and address in self.window:
            self.armed, value = False, value ^ 4
        self.board.write(address, value)


def test_a_bit_that_flips_on_its_way_is_noticed(loads: Loads) -> None:
    driver, board = opened(loads.found)
    ip = loads.found.python()
    reload = loads.found.description.reload
    assert reload is not None
    end = reload.window_address + 4 * reload.window_words
    driver._backend = Faulty(board, reload.window_address, end)
    with pytest.raises(ip.WeightsError, match="the block has weights 0x00000000"):
        driver.load_weights(loads.image(1))
    golden = loads.vectors(1)
    with pytest.raises(ip.WeightsError, match="not whole"):
        driver.exchange(inputs(loads, golden))
    driver.load_weights(loads.image(1))
    came = driver.exchange(inputs(loads, golden))
    assert differing(loads, came, golden) == []


@pytest.mark.slow
def test_the_makefile_runs_both_drivers(loads: Loads) -> None:
    done = run(loads.found.drivers, "make", "CXXFLAGS=-O0", f"PYTHON={sys.executable}", "test")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("PASS") == 2


@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_frames_among_loads_are_whole(io_type: str, tmp_path: Path) -> None:
    sources = {"two": two_ports(), "wide": wide(), "image": image(0)}
    for name, source in sources.items():
        folder = build(tmp_path / name, source, board="kv260", io_type=io_type)
        lines = passes(folder, Wishes(reloadable=("all",)), 300_000)
        loaded = re.search(r"(\d+) loads", lines[1])
        assert loaded is not None
        assert int(loaded[1]) > 100
        for interface in ("memory",) if name == "wide" else ("memory", "axi-lite"):
            wishes = Wishes(reloadable=("all",), interface=interface)  # type: ignore[arg-type]
            passes(folder, wishes)


MISTAKES = {
    "frames meet half a load": (" && whole == 0) {", ") {", "        whole = 0;\n", "\n"),
    "a digest that nobody compares": (" && digest == load_digest)", ")"),
    "the first word is left out": ("if (next >= 0u", "if (next > 0u"),
    "the last word is left out": ("{last}u)", "{last}u - 1)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_benches_find_mistakes_of_a_load(mistake: str, tmp_path: Path) -> None:
    folder = built(tmp_path / "net", dense(0, hidden=12), accum={})
    made = make_block(folder, Wishes(reloadable=("all",)))
    assert made.description.reload is not None
    path = f"hls/{made.description.top}_weights.h"
    text = made.files[path].decode()
    changes = [
        part.replace("{last}", str(made.description.reload.image_words))
        for part in MISTAKES[mistake]
    ]
    for before, after in zip(changes[::2], changes[1::2], strict=True):
        assert before in text
        text = text.replace(before, after, 1)
    outcome = run_benches(
        made.description, {**made.files, path: text.encode()}, 100_000, lambda stage, done: None
    )
    assert not outcome.passed


@pytest.mark.slow
def test_the_command_writes_an_image_that_is_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    built(tmp_path / "net", dense(0))
    other = built(tmp_path / "other", dense(1))
    done = hwflow(capsys, "package", "net", "-o", "ip", "--reloadable", "fc1,fc2", "--json")
    assert done.status == 0, done.out
    done = hwflow(capsys, "weights", "ip", "other", "-o", "new/weights.bin", "--json")
    assert done.status == 0, done.out
    printed = json.loads(done.out)
    content = (tmp_path / "new" / "weights.bin").read_bytes()
    assert printed["digest"] == (zlib.crc32(content[HEAD:]) or 1)
    assert printed["layers"] == ["fc1", "fc2"]
    held = read_block(tmp_path / "ip")
    assert held.description.reload is not None
    assert (
        content[HEAD:] == matched(held, open_untouched(other, ()), held.description.reload)[0].image
    )
    done = hwflow(capsys, "weights", "ip", "ip", "-o", "none.bin")
    assert (done.status, done.new) == (2, ())
