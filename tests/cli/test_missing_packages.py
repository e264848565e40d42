"""What is said where the package for distributed arithmetic is missing: by every verb, early."""

import json
import sys
from pathlib import Path

import pytest

from hwflow.core.machine import install_command
from tests.cli.command import dense, hwflow, save

Capture = pytest.CaptureFixture[str]
ASKED = ("--strategy", "distributed_arithmetic")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "da4ml", None)
    save(dense())


@pytest.mark.parametrize("verb", ["inspect", "estimate"])
def test_a_warning_before_anything_is_generated(verb: str, capsys: Capture) -> None:
    ran = hwflow(capsys, verb, "model.onnx", *ASKED)
    assert ran.status == 0
    assert "warning[HW607]: da4ml" in ran.err
    assert install_command("da") in ran.err
    assert "HW607" not in hwflow(capsys, verb, "model.onnx").err


@pytest.mark.parametrize(
    "arguments", [("build", "model.onnx", "-o", "out"), ("verify", "model.onnx")]
)
def test_an_error_where_it_is_needed(arguments: tuple[str, ...], capsys: Capture) -> None:
    ran = hwflow(capsys, *arguments, *ASKED, "--json")
    (finding,) = json.loads(ran.out)["errors"]
    assert (ran.status, ran.new, finding["code"]) == (2, (), "HW607")
    assert "gemm" in finding["found"]
    assert finding["help"] == f"{install_command('da')}, or choose another strategy"
