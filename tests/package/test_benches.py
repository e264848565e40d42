"""The benches of blocks: they pass, and fail where one bit is not as it should be."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hwflow.package import packaging
from hwflow.package.benches import run_benches
from hwflow.package.block import Block, make_block
from hwflow.package.wishes import Wishes
from tests.cli.command import hwflow
from tests.package.builds import build, two_ports, wide

pytestmark = pytest.mark.cpp


def quiet(stage: str, done: float) -> None:
    pass


def passes(folder: Path, wishes: Wishes, words: int = 100_000) -> tuple[str, ...]:
    """Return what a project's benches say, all of which pass."""
    made = make_block(folder, wishes)
    outcome = run_benches(made.description, made.files, words, quiet)
    assert outcome.passed, outcome.lines
    return outcome.lines


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a block whose benches were compiled there."""
    place = tmp_path_factory.mktemp("packaged")
    made = make_block(build(place / "net", two_ports()), Wishes(data_width=32))
    made.write(place / "ip")
    done = make(place / "ip", "test_bench", "stalls")
    assert done.returncode == 0, done.stderr
    return place / "ip"


def make(folder: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "CXXFLAGS=-O0", *targets]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=200
    )


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=200
    )


@pytest.fixture
def copy(packaged: Path, tmp_path: Path) -> Path:
    """Return a copy of the block that a test may damage."""
    return Path(shutil.copytree(packaged, tmp_path / "ip"))


def flip(file: Path, place: int, bit: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << bit
    file.write_bytes(bytes(content))


def test_the_block_passes_where_it_lies(packaged: Path) -> None:
    assert run(packaged, "./test_bench").returncode == 0
    done = run(packaged, "./stalls", "vectors", "200000", "7")
    assert done.returncode == 0, done.stderr
    words, frames, wrong, resets = map(
        int, re.findall(r"(\d+) (?:words|frames|wrong|resets)", done.stdout)
    )
    assert words >= 200_000
    assert min(frames, wrong, resets) > 500
    again = run(packaged, "./stalls", "vectors", "200000", "7")
    assert again.stdout == done.stdout
    assert run(packaged, "./stalls", "vectors", "200000", "8").stdout != done.stdout


def test_every_bit_of_every_result_counts(copy: Path) -> None:
    description = json.loads((copy / "ip.json").read_text())
    port = next(p for p in description["ports"] if p["direction"] == "output")
    file = copy / "vectors" / f"{port['name']}.bin"
    size, packing = file.stat().st_size, port["packing"]
    for place in (0, packing["frame_bytes"] - 1, packing["frame_bytes"], size - 1):
        for bit in (0, 7):
            flip(file, place, bit)
            for bench in ("./test_bench", "./stalls"):
                done = run(copy, bench)
                assert done.returncode == 1, (place, bit, bench)
                assert port["name"] in done.stderr
            flip(file, place, bit)
    assert run(copy, "./test_bench").returncode == 0


@pytest.mark.parametrize(
    "path",
    ["vectors/s_axis_x.bin", "hls/firmware/weights/*_weight.txt", "hls/firmware/weights/*_weight.h",
     "hls/firmware/parameters.h", "hls/hwflow_port.h", "tb/stalls.cpp", "ip.json"],
)  # fmt: skip
def test_one_bit_of_any_file_fails_the_test(copy: Path, path: str) -> None:
    assert run(copy, "make", "sums").returncode == 0
    file = min(copy.glob(path))
    flip(file, file.stat().st_size // 2)
    done = run(copy, "make", "test")
    assert done.returncode != 0
    assert f"{file.relative_to(copy)}: FAILED" in done.stdout


def test_damaged_vectors_are_refused(copy: Path) -> None:
    file = copy / "vectors" / "s_axis_x.bin"
    file.write_bytes(file.read_bytes()[:-1])
    for bench in ("./test_bench", "./stalls"):
        done = run(copy, bench)
        assert (done.returncode, "bytes, not" in done.stderr) == (2, True)
        assert run(copy, bench, "elsewhere").returncode == 2


PORTS, TOP, HEADER = "hls/hwflow_port.h", "hls/two_ports_ip.cpp", "hls/two_ports_ip.h"
LANE = "place * LANE + WIDTH - 1, place * LANE"

CHANGES: dict[str, tuple[str, str, str]] = {
    "a weight": ("hls/firmware/weights/*_weight.txt", r"^(-?)(\d)", r"\g<1>1\2"),
    "order of lanes": (PORTS, re.escape(LANE), LANE.replace("place", "(place ^ 1)")),
    "sign of lanes": (PORTS, r"SIGNED \? bits", "!SIGNED ? bits"),
    "width of elements": (HEADER, r"<8, 5, true> s_axis_x", "<8, 4, true> s_axis_x"),
    "TKEEP": (TOP, r"keep = verdict.ends \? 0x\w+", "keep = verdict.ends ? 0x1"),
    "TLAST": (TOP, r"frame \+ 1 >= batch", "frame >= batch"),
    "resynchronisation": (TOP, r"if \(wrong\)", "if (false)"),
    "counter of errors": (TOP, r"s_axis_x_count_\+\+", "s_axis_x_count_ += 2"),
    "state after a reset": (TOP, "        frame = 0;\n", ""),
    "end of a short packet": (PORTS, r"if \(ended\)", "if (false)"),
}
"""Changes of a block (file, pattern, replacement) that a bench must see without digests."""

ONLY_STALLS = {"state after a reset"}


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
def test_the_benches_see_what_is_wrong(copy: Path, what: str) -> None:
    path, pattern, replacement = CHANGES[what]
    file = min(copy.glob(path))
    changed, count = re.subn(pattern, replacement, file.read_text())
    assert count
    file.write_text(changed)
    made = make(copy, "test_bench", "stalls")
    assert made.returncode == 0, made.stderr
    found = {bench: run(copy, f"./{bench}").returncode for bench in ("test_bench", "stalls")}
    assert found["stalls"] == 1
    assert found["test_bench"] == (what not in ONLY_STALLS)


def test_the_command_writes_a_block_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    build(tmp_path / "net")
    done = hwflow(capsys, "package", "net", "-o", "ip", "--interface", "axi-lite", "--json")
    assert done.status == 0, done.out
    printed = json.loads(done.out)
    assert printed["passed"]
    assert printed["ip"] == json.loads(Path("ip/ip.json").read_text())
    assert run(tmp_path / "ip", "make", "sums").returncode == 0


@pytest.mark.parametrize("json_asked", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_block_that_fails_is_not_written(
    json_asked: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    build(tmp_path / "net")

    def damaged(*given: Any) -> Block:
        made = make_block(*given)
        path = "vectors/logits_out.bin"
        (path,) = (p for p in made.files if p.startswith("vectors/") and p.endswith("_out.bin"))
        content = bytes([made.files[path][0] ^ 1]) + made.files[path][1:]
        return Block(made.description, {**made.files, path: content})

    monkeypatch.setattr(packaging, "make_block", damaged)
    options = ["--json"] if json_asked else []
    done = hwflow(capsys, "package", "net", "-o", "ip", "--interface", "axi-lite", *options)
    assert (done.status, done.new) == (1, ())
    if json_asked:
        assert (json.loads(done.out)["passed"], json.loads(done.out)["folder"]) == (False, None)
    else:
        assert "FAIL" in done.out
        assert "nothing was written" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("width", [32, 128])
def test_several_ports(io_type: str, width: int, tmp_path: Path) -> None:
    folder = build(tmp_path / "net", two_ports(), io_type=io_type)
    passes(folder, Wishes(data_width=width), 1_000_000)
    passes(folder, Wishes(interface="memory", data_width=width))
    passes(folder, Wishes(interface="axi-lite"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_elements_wider_than_32_bits(backend: str, tmp_path: Path) -> None:
    folder = build(tmp_path / "net", wide(), backend=backend)
    passes(folder, Wishes(), 1_000_000)
    passes(folder, Wishes(interface="memory"))
