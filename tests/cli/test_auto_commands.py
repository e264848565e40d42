"""``hwflow compress auto`` and ``lineage``: what they print, their exit status, their help."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import float_dense, hwflow, save

pytest.importorskip("optuna")


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(float_dense(), "float.onnx")
    rng = np.random.default_rng(0)
    np.savez("data.npz", x=rng.uniform(-4, 4, (60, 4)), y=rng.integers(0, 3, 60))
    Path("wanted.toml").write_text(
        'model = "float.onnx"\ndata = "data.npz"\nmethods = ["ptq"]\ntrials = 1\n'
        'min = "agree=50%"\nmax = "lut=50%"\nio_type = ["io_parallel"]\n'
    )


@pytest.mark.parametrize("verb", ["auto", "lineage"])
def test_help_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "compress", verb, "--help")
    assert ran.status == 0
    assert f"Example: hwflow compress {verb}" in ran.out


@pytest.mark.cpp
def test_build_is_handed_over_and_knows_its_lineage(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "compress", "auto", "wanted.toml", "--run", "run")
    assert ran.status == 0
    assert "a design meets all requirements" in ran.out
    assert "plan: trial 1: ptq" in ran.err
    again = hwflow(capsys, "compress", "auto", "wanted.toml", "--run", "run", "--json")
    found = json.loads(again.out)
    assert (again.status, found["met"], len(found["decisions"])) == (0, True, 1)
    assert [side["name"] for side in found["report"]["before_after"]["sides"]][-1] == "result"
    told = hwflow(capsys, "compress", "lineage", "run/build", "--runs", ".", "--json")
    links = json.loads(told.out)["lineage"]
    assert {(link["part"], link["file"]) for link in links[1:]} == {
        ("model", "float.onnx"), ("data", "data.npz")
    }  # fmt: skip


def test_what_cannot_be_met_ends_with_1_and_says_by_how_much(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = Path("wanted.toml").read_text()
    Path("wanted.toml").write_text(text.replace("lut=50%", "latency=1ns"))
    ran = hwflow(capsys, "compress", "auto", "wanted.toml", "--run", "run")
    assert ran.status == 1
    (line,) = [line for line in ran.out.splitlines() if line.startswith("not met: ")]
    assert line.startswith("not met: latency ")
    assert line.endswith(" ns > 1 ns")
    assert Path("run/model.onnx").is_file()


def test_mistakes_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wanted.toml").write_text('model = 3\nboard = "none"\n')
    ran = hwflow(capsys, "compress", "auto", "wanted.toml", "--run", "run", "--json")
    assert ran.status == 2
    assert [finding["code"] for finding in json.loads(ran.out)["errors"]] == ["HW376"] * 3
    assert not Path("run").exists()
