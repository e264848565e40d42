"""Test vectors: read back by other means, and a bench that fails when it must."""

import hashlib
import inspect
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwflow
from hwflow.cli import designs
from hwflow.codegen.hls.model import generate
from hwflow.codegen.project import Project
from hwflow.core.errors import CompileError
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.project.design import Design
from hwflow.project.vectors import formats
from hwflow.project.vectors.collection import SAMPLES, collect, simulation_files
from hwflow.project.vectors.formats import dat_text, hex_text
from hwflow.project.vectors.record import Vectors, placed
from hwflow.simulate.numpy import simulate
from hwflow.simulate.samples import mixed_data
from tests.fixtures import model
from tests.networks import Builder
from tests.strategies import fixed_types

ROOT = Path(__file__).parents[2]
CNN = ROOT / "tests" / "models" / "padded.onnx"
DAT = {"inputs": "tb_input_features.dat", "outputs": "tb_output_predictions.dat"}


def from_hex(text: bytes, dtype: FixedType, beat: int) -> list[list[int]]:
    """Return the elements of each beat, as ``$readmemh`` and part selects would give them."""
    lines = text.decode().removesuffix("\n").split("\n")
    found = []
    for line in lines:
        assert re.fullmatch(r"[0-9a-f]+", line)
        assert len(line) == (beat * dtype.width + 3) // 4
        word = int(line, 16)
        elements = [(word >> (i * dtype.width)) % 2**dtype.width for i in range(beat)]
        assert word >> (beat * dtype.width) == 0
        half = 2 ** (dtype.width - 1) if dtype.signed else 2**dtype.width
        found.append([e - 2**dtype.width if e >= half else e for e in elements])
    return found


@given(st.data(), fixed_types(62, modes=False), st.integers(1, 9), st.integers(1, 4))
def test_hex_holds_every_bit(data: st.DataObject, dtype: FixedType, beat: int, beats: int) -> None:
    mantissas = st.integers(dtype.raw_min, dtype.raw_max)
    raw = data.draw(st.lists(st.lists(mantissas, min_size=beat, max_size=beat),
                             min_size=beats, max_size=beats))  # fmt: skip
    text = hex_text(np.array(raw, np.int64), dtype.width, beat)
    assert from_hex(text, dtype, beat) == raw


def test_hex_by_hand() -> None:
    raw = np.array([[1, -1, 2], [-8, 7, 0]])
    assert hex_text(raw, 4, 3) == b"2f1\n078\n"
    assert hex_text(raw, 5, 3) == b"0be1\n00f8\n"
    assert hex_text(raw[:, :1], 5, 1) == b"01\n18\n"


def test_hex_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = np.random.default_rng(3).integers(-16, 16, (50, 6))
    whole = hex_text(raw, 5, 3)
    monkeypatch.setattr(formats, "BITS_AT_ONCE", 5 * 3 * 7)
    assert hex_text(raw, 5, 3) == whole


def test_dat_by_hand() -> None:
    text = dat_text([np.array([[[1, -2]], [[3, 4]]]), np.array([[2**61], [-(2**61)]])])
    assert text == (
        b"# hwflow vectors: samples 2, values 3\n"
        b"1 -2 2305843009213693952\n3 4 -2305843009213693952\n"
    )


def loaded(npy: bytes) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(io.BytesIO(npy), allow_pickle=False)
    return array


def float_scaled_input() -> Design:
    """Return a design whose input the host quantises, with steps of 0.3 and a zero point."""
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 5, 0.3, signed=True)
    x = b.node("Gemm", [x, b.weight((4, 3), 4, 1 / 4), b.bias(3)])
    x = b.quant(b.node("Relu", [x]), 4, 0.3, signed=False)
    return hwflow.compile(model(b, x, (1, 4), (1, 3)))


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_the_files_hold_the_simulation(io_type: str) -> None:
    design = hwflow.compile(CNN, io_type=io_type)
    data = mixed_data(design.graph, 30, seed=7)
    files = design.vectors(data, samples=20).files()
    told = json.loads(files["vectors.json"])
    simulated = simulate(design.graph, {k: v[:20] for k, v in data.inputs.items()})
    assert (told["design"], told["samples"], told["io_type"]) == (design.graph.name, 20, io_type)
    x, y = told["ports"]
    assert (x["beats_per_sample"], x["elements_per_beat"]) == (
        (64, 2) if io_type == "io_stream" else (1, 128)
    )
    assert (y["beats_per_sample"], y["elements_per_beat"]) == (1, 3)
    for port in (x, y):
        name = f"{port['direction']}_{port['name']}"
        real, raw = loaded(files[f"{name}.npy"]), loaded(files[f"{name}.raw.npy"])
        dtype = FixedType.parse(port["type"])
        assert (dtype.width, dtype.signed) == (port["width"], port["signed"])
        packed = from_hex(files[f"{name}.hex"], dtype, port["elements_per_beat"])
        assert len(packed) == 20 * port["beats_per_sample"]
        assert np.array_equal(np.array(packed).reshape(raw.shape), raw)
        text = np.loadtxt(
            files[DAT[port["direction"] + "s"]].decode().splitlines(), np.int64, ndmin=2
        )
        assert np.array_equal(text.reshape(raw.shape), raw)
        last = raw if raw.ndim == 2 else raw.transpose(0, 3, 1, 2)
        assert np.array_equal(last * 2.0 ** -port["fractional_bits"], real)
        assert raw.shape[1:] == tuple(port["shape"])
        assert not port["scaled_by_host"]
    assert np.array_equal(real, simulated.outputs["y"])
    assert np.any(raw < 0)


def test_every_file_is_listed_with_its_digest() -> None:
    files = dict(hwflow.compile(CNN).vectors(samples=3).files())
    told = json.loads(files.pop("vectors.json"))
    listed = [f for part in (told, *told["ports"]) for f in part["files"]]
    assert {f["path"]: f["sha256"] for f in listed} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


def test_what_the_host_scales_is_in_the_vectors_as_it_enters() -> None:
    design = float_scaled_input()
    data = np.array([[0.3, -0.3, 0.9, 100.0], [-100.0, 0.0, 0.14, 0.16]])
    vectors = design.vectors(data)
    x, y = vectors.ports
    assert x.values.raw.tolist() == [[1, -1, 3, 15], [-16, 0, 0, 1]]
    assert [p.described()["scaled_by_host"] for p in (x, y)] == [True, True]
    files = vectors.files(["npy"])
    assert sorted(files) == [
        "input_x_in.npy", "input_x_in.raw.npy",
        f"output_{y.hls.name}.npy", f"output_{y.hls.name}.raw.npy", "vectors.json",
    ]  # fmt: skip
    real = loaded(files["input_x_in.npy"])
    step = float(np.float32(0.3))
    assert np.array_equal(real, x.values.raw * step)
    assert np.array_equal(loaded(files[f"output_{y.hls.name}.npy"]), y.values.raw * step)


@pytest.mark.parametrize("formats", [["npy", "vcd"], [""], []])
def test_an_unknown_format_is_refused(formats: list[str]) -> None:
    vectors = float_scaled_input().vectors(samples=1)
    with pytest.raises(CompileError, match="HW553"):
        vectors.files(formats)


def test_data_that_does_not_fit_is_refused_whatever_the_number_of_samples() -> None:
    design = float_scaled_input()
    for wrong in (np.zeros((5, 3)), np.float64(3), np.full((3, 4), np.nan)):
        with pytest.raises(CompileError, match="HW40"):
            design.vectors({"x": wrong}, samples=2)


CODE = """
import sys, hwflow
from hwflow.codegen.project import Project
files = hwflow.compile(sys.argv[1], io_type="io_stream").vectors(samples=9).files()
print(Project("v", files).digest)
"""


def test_the_same_vectors_in_another_process(tmp_path: Path) -> None:
    here = hwflow.compile(CNN, io_type="io_stream").vectors(samples=9).files()
    environment = {**os.environ, "PYTHONHASHSEED": "99", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(CNN)],
        capture_output=True, text=True, env=environment, cwd=tmp_path, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == Project("v", here).digest


# the bench, compiled


@dataclass(frozen=True)
class Bench:
    """A written design away from where it was written, with no Python on the path.

    Attributes:
        folder: the copy.
        vectors: what the files hold.
    """

    folder: Path
    vectors: Vectors

    def run(self, *command: str, inside: str = "sim") -> tuple[int, str]:
        """Return exit status and output of a command."""
        done = subprocess.run(
            command, cwd=self.folder / inside, env=ENVIRONMENT, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def file(self, which: str) -> Path:
        return self.folder / "hls" / "tb_data" / DAT[which]


BIN = str(Path(sys.executable).parent)
ENVIRONMENT = {
    "PATH": os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != BIN),
    "CXXFLAGS": "-O0",
    **{name: os.environ[name] for name in ("CXX", "TMPDIR") if name in os.environ},
}


def two_by_two() -> Graph:
    """Return a graph of two inputs and two outputs, signed and not, with coarse and fine steps."""
    rng = np.random.default_rng(5)

    def dense(inputs: int, outputs: int, result_t: FixedType | None = None) -> Dense:
        weight = FixedArray(rng.integers(-8, 8, (inputs, outputs)), FixedType(4, 1))
        bias = FixedArray(rng.integers(-32, 32, outputs), FixedType(6, 1))
        return Dense(weight=weight, bias=bias, result_t=result_t)

    nodes = [
        Node("a", Input(shape=(6,), dtype=FixedType(7, 2))),
        Node("b", Input(shape=(3,), dtype=FixedType(4, 6, signed=False))),
        Node("fa", dense(6, 4), ("a",)),
        Node("fb", dense(3, 5, FixedType(6, 8, signed=False)), ("b",)),
    ]
    ports = [Port(n.name, f"model {n.name}", (1,)) for n in nodes]
    return Graph.build("two", nodes, ports[:2], ports[2:])


def copied(source: Path, folder: Path, vectors: Vectors) -> Bench:
    """Return the design in a folder whose name needs quoting."""
    shutil.copytree(source, folder / "away from home")
    shutil.rmtree(source)
    return Bench(folder / "away from home", vectors)


@pytest.fixture(scope="module")
def parallel(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two ports each way, io_parallel, by make."""
    folder = tmp_path_factory.mktemp("parallel")
    graph, target = two_by_two(), Target()
    project = generate(graph, target)
    layers = simulate(graph, mixed_data(graph, 40).inputs, keep=lambda name: True).layers
    vectors = collect(graph, target, project, layers, source="random data", samples=40)
    files = {f"hls/{path}": content for path, content in project.files.items()}
    built = simulation_files(graph, target, project, None)
    Project("two", files | built | placed(vectors)).write(folder / "written")
    return copied(folder / "written", folder, vectors)


def test_hls4mls_scripts_run_this_bench() -> None:
    project = generate(two_by_two(), Target())
    script, settings = project.text("build_prj.tcl"), project.text("project.tcl")
    assert 'set project_name "two"' in settings
    assert "add_files -tb ${project_name}_test.cpp" in script
    assert "add_files -tb tb_data" in script
    assert "-DRTL_SIM" in script
    bench = project.text("two_test.cpp")
    for log in re.findall(r"tb_data/(\w+\.log)", script):
        assert log in bench
    assert "using default input" not in bench


@pytest.mark.cpp
def test_make_passes_and_logs_what_the_hardware_gave(parallel: Bench) -> None:
    status, out = parallel.run("make")
    assert (status, "PASS: 40 samples, every bit of 360 output values" in out) == (0, True), out
    log = np.loadtxt(parallel.folder / "hls" / "tb_data" / "csim_results.log", np.int64)
    raws = [p.values.raw for p in parallel.vectors.ports if p.direction == "output"]
    assert np.array_equal(log, np.concatenate(raws, axis=1))


@pytest.mark.cpp
def test_one_wrong_bit_is_a_failure(parallel: Bench) -> None:
    """In the place of hls4ml's bench, too: run as Vitis does, with no argument beside tb_data."""
    parallel.run("make")
    file = parallel.file("outputs")
    good = file.read_text()
    lines = good.split("\n")
    row = lines[1 + 17].split(" ")
    right = int(row[4 + 2])
    lines[1 + 17] = " ".join([*row[:6], str(right ^ 1), *row[7:]])
    file.write_text("\n".join(lines))
    name = parallel.vectors.ports[3].hls.name
    expected = (
        f"FAIL: sample 17, output {name}, element 2: expected {right ^ 1}, found {right}\n"
        "FAIL: 1 differences in 360 output values\n"
    )
    try:
        assert parallel.run("../sim/bench", inside="hls") == (1, expected)
        status, out = parallel.run("make")
        assert status != 0
        assert expected in out
    finally:
        file.write_text(good)


@pytest.mark.cpp
def test_one_wrong_weight_is_a_failure(parallel: Bench) -> None:
    parallel.run("make")
    file = next((parallel.folder / "hls" / "firmware" / "weights").glob("*_weight.txt"))
    good = file.read_text()
    first, rest = good.split(",", 1)
    try:
        file.write_text(f"{float(first) + (-0.125 if float(first) > 0 else 0.125)},{rest}")
        status, out = parallel.run("./bench", "../hls/tb_data")
        assert status == 1
        assert re.match(
            r"FAIL: sample 1, output \w+, element 0: expected -?\d+, found -?\d+\n", out
        )
    finally:
        file.write_text(good)


HEAD = "# hwflow vectors: samples 40, values 9\n"
BAD = {
    "missing": (None, "no test vectors; `hwflow build` and `hwflow vectors` write them"),
    "empty": ("", "no test vectors"),
    "no header": ("1 2 3\n", "the first line does not say how many samples there are"),
    "no samples": ("# hwflow vectors: samples 0, values 9\n", "no samples"),
    "only the header": (HEAD, "0 values where the first line announces 360"),
    "another design": (HEAD.replace("9", "8"), "8 values a sample, the design has 9"),
    "cut short": (HEAD + "1 " * 359, "359 values where the first line announces 360"),
    "too long": (HEAD + "1 " * 361, "361 values where the first line announces 360"),
    "real numbers": (HEAD + "1 " * 7 + "0.5 " * 353, "value 8 is not an integer"),
    "words": (HEAD + "1 " * 7 + "nan " * 353, "value 7 is not an integer"),
    "too large": (HEAD + "64 " * 360, "64 does not fit a port of 7 bits"),
    "negative": (HEAD + "-1 " * 360, "-1 does not fit a port of 4 bits"),
    "fewer samples": (
        "# hwflow vectors: samples 2, values 9\n" + "1 " * 18,
        "40 samples, the inputs have 2",
    ),
}


@pytest.mark.cpp
@pytest.mark.parametrize("case", BAD)
def test_vectors_that_prove_nothing_are_refused(parallel: Bench, case: str) -> None:
    parallel.run("make")
    text, reason = BAD[case]
    folder = parallel.folder / "bad vectors"
    shutil.copytree(parallel.folder / "hls" / "tb_data", folder, dirs_exist_ok=True)
    file = folder / DAT["inputs"]
    file.unlink() if text is None else file.write_text(text)
    status, out = parallel.run("./bench", "../bad vectors")
    assert status == 2
    assert out.startswith("REFUSED: ../bad vectors/tb_")
    assert reason in out


@pytest.mark.cpp
def test_cmake_on_streams_passes_and_fails(tmp_path: Path) -> None:
    cmake, ctest = (shutil.which(c, path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
                    for c in ("cmake", "ctest"))  # fmt: skip
    if cmake is None or ctest is None:
        pytest.skip("no CMake: pip install cmake")
    design = hwflow.compile(CNN, io_type="io_stream")
    verification = design.verify(cpp=False)
    design.write(tmp_path / "written", verification)
    vectors = design.vectors(cover=True)
    bench = copied(tmp_path / "written", tmp_path, vectors)
    for command in ((cmake, "-B", "b", "-DCMAKE_BUILD_TYPE=None"), (cmake, "--build", "b")):
        status, out = bench.run(*command)
        assert status == 0, out
    test = (ctest, "--test-dir", "b", "--output-on-failure", "-V")
    status, out = bench.run(*test)
    assert status == 0, out
    count = vectors.samples
    assert 1 < count <= SAMPLES
    assert f"PASS: {count} samples, every bit of {3 * count} output values" in out
    file = bench.file("outputs")
    good = file.read_text()
    head, first, rest = good.split("\n", 2)
    file.write_text(f"{head}\n{int(first.split()[0]) ^ 64} {first.split(' ', 1)[1]}\n{rest}")
    status, out = bench.run(*test)
    assert status != 0
    assert re.search(r"FAIL: sample 0, output \w+_out, element", out)
    assert f"FAIL: 1 differences in {3 * count} output values" in out


def test_without_data_there_is_a_bench_but_nothing_to_pass_on(tmp_path: Path) -> None:
    hwflow.compile(CNN).write(tmp_path / "net")
    assert (tmp_path / "net" / "sim" / "Makefile").exists()
    assert not (tmp_path / "net" / "hls" / "tb_data").exists()
    assert not (tmp_path / "net" / "sim" / "vectors").exists()


def test_the_command_takes_as_many_samples_as_a_build() -> None:
    assert inspect.signature(designs.vectors).parameters["samples"].default == SAMPLES
