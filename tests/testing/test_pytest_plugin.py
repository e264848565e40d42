"""The pytest plugin: what users write in their tests, run by pytest in pytest."""

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import hwflow
from tests.cli.command import dense

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "no:hwflow", "-p", "hwflow.testing.pytest_plugin", "-p", "no:cacheprovider")
"""The module itself, whether or not the installed entry point is there."""

HEAD = """
import numpy as np
import hwflow
from hwflow.project import verification
from hwflow.testing import assert_faithful, assert_fits, assert_lossless
MODEL, DATA = "model.onnx", "data.npz"
"""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Load hwflow whole: pytester forgets what a run inside loads, and classes would be twice."""
    for module in pkgutil.walk_packages(hwflow.__path__, "hwflow."):
        if not {"main", "torch"} & set(module.name.replace("_", ".").split(".")):
            importlib.import_module(module.name)
    importlib.import_module("hls4ml.model.graph")  # which knows hwflow's layer by registration


@pytest.fixture
def folder(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a folder with a small model and data."""
    (pytester.path / "model.onnx").write_bytes(dense().SerializeToString())
    x = np.random.default_rng(0).uniform(-4, 4, (50, 4))
    np.savez(pytester.path / "data.npz", x=x, y=np.zeros(50, int))
    return pytester


def run(folder: pytest.Pytester, text: str) -> pytest.RunResult:
    folder.makepyfile(HEAD + text)
    return folder.runpytest_inprocess(*PLUGIN)


def test_the_entry_point_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared == {"pytest11": {"hwflow": "hwflow.testing.pytest_plugin"}}


def test_pytest_starts_without_anything_heavy() -> None:
    code = (
        "import sys, pytest\n"
        f"pytest.main([*{PLUGIN!r}, '--version'])\n"
        "print([m for m in ('numpy', 'onnx', 'pydantic', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip().endswith("[]")


@pytest.mark.cpp
def test_a_good_design_passes_and_is_verified_once(folder: pytest.Pytester) -> None:
    result = run(
        folder,
        """
real, calls = verification.verify_path, []

def counted(*arguments, **options):
    calls.append(arguments)
    return real(*arguments, **options)

verification.verify_path = counted

def test_one(hwflow_verify):
    found = hwflow_verify(MODEL, DATA, limits={"max_lut": "90%"})
    assert_faithful(found)
    assert_lossless(found)
    assert_fits(found, "zcu104")
    assert found.passed

def test_two(hwflow_verify):
    assert hwflow_verify(MODEL, DATA, limits={"max_lut": "90%"}).passed
    assert len(calls) == 1
    assert not hwflow_verify(MODEL, DATA, limits={"max_lut": 1}).passed
    x = np.zeros((5, 4), np.float32)
    first, second = hwflow_verify(MODEL, x), hwflow_verify(MODEL, x + 1)
    assert first is hwflow_verify(MODEL, np.zeros((5, 4), np.float32))
    assert first is not second
    verification.verify_path = real

def test_three(tmp_path):
    design = hwflow.compile(MODEL)
    assert_faithful(design, DATA)
    folder = design.write(tmp_path / "net")
    assert_faithful(folder, DATA)
    assert_lossless(MODEL, DATA, io_type="io_stream")
    assert_fits(MODEL, board="zcu104")
""",
    )
    result.assert_outcomes(passed=3)


FAILING = """
def test_bits(monkeypatch):
    design = hwflow.compile(MODEL)
    name = next(p for p in design.project.files if p.endswith("_bias.txt"))
    files = dict(design.project.files)
    files[name] = b", ".join(b"0" for _ in files[name].split(b","))
    from dataclasses import replace
    from hwflow.codegen.project import Project
    assert_faithful(replace(design, stored=Project(design.project.name, files)), DATA)

def test_numbers():
    design = hwflow.compile(MODEL, config={"layer": {"gemm19": {"result_t": "ufixed<2,2>"}}})
    assert_lossless(design, DATA)

def test_area():
    assert_fits(MODEL, "tiny.toml")

def test_input():
    assert_faithful("absent.onnx")

def test_fixture(hwflow_verify):
    hwflow_verify(MODEL, "absent.npz")

def test_edited(tmp_path):
    folder = hwflow.compile(MODEL).write(tmp_path / "net")
    (folder / "graph.txt").write_text("mine")
    assert_lossless(folder, DATA)
"""

TINY = """
name = "Tiny"
part = "xc7z007sclg225-1"
vendor = "amd"
family = "Zynq-7000"
clock_period_ns = 10.0
memory = "none"
[resources]
"""


@pytest.mark.cpp
def test_failures_say_where_in_one_message(folder: pytest.Pytester) -> None:
    counts = {"lut": 10, "ff": 10, "dsp": 1, "bram_18k": 1, "uram": 0}
    rows = "\n".join(f'{n} = {{count = {c}, source = "made up"}}' for n, c in counts.items())
    (folder.path / "tiny.toml").write_text(TINY + rows)
    result = run(folder, FAILING)
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    messages = re.findall(r"^E +(\w.*)$", text, re.M)
    for start in (
        "AssertionError: not faithful (simulation == C++): ",
        "first in gemm19 at [0, ",
        "AssertionError: not lossless (hardware == trained model): ",
        "AssertionError: model.onnx does not fit Tiny (estimated)",
        "AssertionError: error[HW001]: the model does not exist",
        "AssertionError: error[HW400]: cannot read the data",
        "AssertionError: files of the project 1 of ",
    ):
        assert any(message.startswith(start) for message in messages), start
    assert "hwflow/testing.py" not in text, "frames of hwflow are shown"
    assert "hwflow/pytest_plugin.py" not in text
    assert "During handling" not in text
