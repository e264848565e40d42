"""Compilations of C++ have limits, and leave nothing behind where they are stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.cli.ending import STOPPING
from hwflow.core import toolchain
from hwflow.core.environment import cache_dir
from hwflow.core.errors import ToolError
from hwflow.core.toolchain import CXX
from hwflow.project.design import Design
from hwflow.simulate import cpp
from tests.cli.command import hwflow as command
from tests.cli.command import save
from tests.fixtures import model
from tests.networks import Builder

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "digits_mlp.onnx"


def stand_in(folder: Path, body: str) -> Path:
    """Write a compiler that does something else; it says a version as g++ does."""
    script = folder / "cxx"
    text = f'#!/bin/sh\ncase "$*" in --version) echo stand-in 1; exit;; esac\n{body}\n'
    script.write_text(text)
    script.chmod(0o755)
    return script


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HWFLOW_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def design() -> Design:
    return hwflow.compile(MODEL)


def failure(design: Design) -> ToolError:
    with pytest.raises(ToolError) as failed:
        cpp.build(design.graph, design.project, design.target)
    return failed.value


def running(mark: str) -> list[str]:
    """Return the command lines of processes that have a text in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in text:
            found.append(text)
    return found


def left(mark: str) -> list[str]:
    """Return what still runs; a killed process is seen until the system has removed it."""
    until = time.monotonic() + 5
    while (found := running(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def entries(cache: Path) -> list[Path]:
    return [p for p in cache.rglob("*") if p.is_file()]


# A child that starts another, as g++ starts cc1plus; both would outlive a killed parent.
SLEEPS = """case "$*" in *.cpp*) ;; *) touch hwflow_prelude.h.gch; exit;; esac
sh -c 'sleep {seconds}; :' & wait"""


def test_a_compilation_that_takes_too_long_is_stopped_and_named(
    design: Design, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(stand_in(tmp_path, SLEEPS.format(seconds=987.25))))
    monkeypatch.setenv("HWFLOW_CXX_TIMEOUT", "1.5")
    began = time.monotonic()
    failed = failure(design)
    assert time.monotonic() - began < 20
    assert failed.code == "HW603"
    assert "took longer than 1.5 s" in failed.message
    assert "layer" in failed.message
    assert any(node.name in failed.message for node in design.graph.nodes)
    assert "HWFLOW_CXX_TIMEOUT" in failed.help
    assert left("sleep 987.25") == []
    assert all("objects" not in p.parts and "programs" not in p.parts for p in entries(cache))


ALLOCATES = """case "$*" in *.cpp*) ;; *) touch hwflow_prelude.h.gch; exit;; esac
{python} -c 'x = bytearray(900_000_000)'"""


def test_a_compilation_that_takes_too_much_memory_is_stopped_and_named(
    design: Design, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = ALLOCATES.format(python=sys.executable) + " || echo out of memory >&2; exit 1"
    monkeypatch.setenv("CXX", str(stand_in(tmp_path, body)))
    monkeypatch.setenv("HWFLOW_CXX_MEMORY", "600")
    failed = failure(design)
    assert failed.code == "HW608"
    assert "more than 600 MB" in failed.message
    assert "HWFLOW_CXX_MEMORY" in failed.help


@pytest.mark.cpp
def test_the_real_compiler_says_that_its_memory_is_short(
    design: Design, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWFLOW_CXX_MEMORY", "60")
    assert failure(design).code == "HW608"


# Takes a second longer for each unit of layers than the real compiler.
LATE = """case "$*" in *hwflow_prelude.h*.cpp*) sleep 1;; esac
exec {cxx} "$@\""""


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("variable", "unit", "little", "enough", "code"),
    [
        ("HWFLOW_CXX_TIMEOUT", "seconds", "1", "600", "HW603"),
        ("HWFLOW_CXX_MEMORY", "megabytes", "60", "3000", "HW608"),
    ],
)
def test_the_help_about_a_limit_builds(
    variable: str, unit: str, little: str, enough: str, code: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A layer, with more of what was short; and what needs no C++."""
    headers = cache_dir() / "csim" / "headers"
    headers.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache" / "csim").mkdir(parents=True)
    (tmp_path / "cache" / "csim" / "headers").symlink_to(headers)
    monkeypatch.setenv("HWFLOW_CACHE", str(tmp_path / "cache"))  # without objects
    monkeypatch.chdir(tmp_path)
    b = Builder(np.random.default_rng(0))
    weight = b.weight((8, 4), 9, 1 / 4)
    out = b.node("MatMul", [b.quant("x", 5, 1 / 4, signed=True), weight])
    path = save(model(b, out, (1, 8), (1, 4)))
    if code == "HW603":
        monkeypatch.setenv("CXX", str(stand_in(tmp_path, LATE.format(cxx=CXX.require()))))
    monkeypatch.setenv(variable, little)
    ran = command(capsys, "build", path, "-o", "out")
    assert ran.status == 2
    assert f"error[{code}]" in ran.err
    assert f"set {variable} to more {unit}; `hwflow simulate` needs no C++" in ran.err
    np.save("x.npy", np.ones((3, 8)))
    assert command(capsys, "simulate", path, "--data", "x.npy", "-o", "y.npz").status == 0
    monkeypatch.setenv(variable, enough)
    assert command(capsys, "build", path, "-o", "out").status == 0


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf", "1e12"])
@pytest.mark.parametrize("variable", ["HWFLOW_CXX_TIMEOUT", "HWFLOW_CXX_MEMORY"])
def test_limits_that_are_no_numbers_are_refused(
    variable: str, text: str, design: Design, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    failed = failure(design)
    assert failed.code == "HW609"
    assert text in failed.message
    assert variable in failed.help


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_stops_everything_at_once(
    number: signal.Signals, cache: Path, tmp_path: Path
) -> None:
    mark = f"sleep 98{int(number)}.5"
    script = stand_in(tmp_path, SLEEPS.format(seconds=f"98{int(number)}.5"))
    environment = {**os.environ, "CXX": str(script), "HWFLOW_CACHE": str(cache)}
    process = subprocess.Popen(
        [sys.executable, "-m", "hwflow", "build", str(MODEL), "-o", str(tmp_path / "out")],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while not running(mark) and time.monotonic() < until:
        time.sleep(0.1)
    assert running(mark)
    process.send_signal(number)
    process.send_signal(number)  # as the program `timeout` does
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert left(mark) == []
    assert not (tmp_path / "out").exists()
    assert all("objects" not in p.parts and not p.name.startswith(".new-") for p in entries(cache))


def test_the_failure_of_one_program_stops_the_others(tmp_path: Path) -> None:
    def program(name: str, body: str) -> None:
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        toolchain.run_program(
            script, [], cwd=tmp_path, limits=toolchain.Limits(100), what=f"running {name}"
        )

    began = time.monotonic()
    with pytest.raises(ToolError, match="running bad failed"):
        toolchain.side_by_side(
            [lambda: program("good", "sleep 986.125"), lambda: program("bad", "exit 3")], 2
        )
    assert time.monotonic() - began < 20
    assert left("sleep 986.125") == []


@pytest.mark.parametrize(
    "arguments", [["ops"], ["boards", "--json"], ["build", "no.onnx", "--json"]]
)
def test_a_reader_that_goes_away_is_no_error(arguments: list[str]) -> None:
    """A pipe whose reader has gone before the first line is written."""
    gone, end = os.pipe()
    os.close(gone)
    done = subprocess.run(
        [sys.executable, "-m", "hwflow", *arguments],
        stdout=end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
    )
    os.close(end)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == ""
