"""``hwflow compress``: what it prints, its exit status, its help."""

import json
from pathlib import Path

import numpy as np
import pytest

from hwflow.cli.app import compress_app, fuse_app
from tests.cli.command import float_dense, hwflow, save

pytest.importorskip("torch")

pytestmark = pytest.mark.torch

QAT = ["compress", "qat", "float.onnx", "--data", "data.npz", "--epochs", "3", "--run", "run"]


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(float_dense(), "float.onnx")
    rng = np.random.default_rng(0)
    np.savez("data.npz", x=rng.uniform(-4, 4, (60, 4)), y=rng.integers(0, 3, 60))


VERBS = [
    prefix + (c.name or c.callback.__name__)
    for prefix, some in (("", compress_app), ("fuse ", fuse_app))
    for c in some.registered_commands
    if c.callback is not None
]


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "compress", *verb.split(), "--help")
    assert ran.status == 0
    assert f"Example: hwflow compress {verb}" in ran.out


def test_fused_networks_are_judged_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(
        capsys, "compress", "fuse", "soup", "float.onnx", "float.onnx", "--data", "data.npz",
        "--run", "soup",
    )  # fmt: skip
    assert ran.status == 0
    assert "mean of float.onnx, float.onnx" in ran.out
    assert Path("soup/model.onnx").is_file()


def test_student_is_quantised_by_what_is_said_to_do_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = hwflow(
        capsys, "compress", "distill", "float.onnx", "--shrink", "0.5", "--data", "data.npz",
        "--teacher", "float.onnx", "--epochs", "3", "--run", "small",
    )  # fmt: skip
    assert ran.status == 0
    assert "teacher float.onnx" in ran.out
    (line,) = [line for line in ran.out.splitlines() if line.startswith("next: hwflow ")]
    trained = hwflow(capsys, *line.removeprefix("next: hwflow ").split(), "--epochs", "2")
    assert trained.status == 0
    assert Path("small-qat/model.onnx").is_file()


def test_what_it_says_to_do_next_works(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *QAT, "--target", "ebops=1e6")
    assert ran.status == 0
    (line,) = [line for line in ran.out.splitlines() if line.startswith("next: hwflow ")]
    built = hwflow(capsys, *line.removeprefix("next: hwflow ").split(), "--data", "data.npz")
    assert built.status == 0
    assert "lossless  yes" in built.out
    assert "float32 execution only" not in built.out


def test_goal_that_is_not_met_is_told_by_the_exit_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = hwflow(capsys, *QAT, "--target", "ebops=1", "--json")
    assert ran.status == 1
    found = json.loads(ran.out)
    assert found["reached"] is False
    assert found["chosen"]["ebops"] > 1


PRUNE = ["compress", "prune", *QAT[2:], "--steps", "2"]


def test_pruned_network_becomes_hardware_as_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *PRUNE, "--target", "sparsity=0.3")
    assert ran.status == 0
    assert "The goal sparsity=0.3 is met." in ran.out
    lines = [line.strip() for line in ran.out.splitlines()]
    (line,) = [line for line in lines if line.startswith("or: hwflow quantize ")]
    quantized = hwflow(capsys, *line.removeprefix("or: hwflow ").split())
    assert quantized.status == 0
    assert Path("run/quantized.onnx").is_file()
    (line,) = [line for line in lines if line.startswith("next: hwflow compress qat ")]
    asked = line.removeprefix("next: hwflow ").split()
    assert hwflow(capsys, *asked, "--epochs", "1").status == 0


def test_pruning_that_misses_its_goal_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *PRUNE, "--target", "lut=1", "--json")
    assert ran.status == 1
    assert json.loads(ran.out)["reached"] is False


@pytest.mark.parametrize(
    ("option", "value"),
    [("--method", "random"), ("--pattern", "block"), ("--steps", "0"), ("--strategy", "fast")],
)
def test_bad_option_of_pruning_is_named(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = hwflow(capsys, *PRUNE, "--target", "sparsity=0.5", option, value, "--json")
    assert ran.status == 2
    (finding,) = json.loads(ran.out)["errors"]
    assert (finding["code"], finding["where"]) == ("HW356", option)
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--task", "ranking"), ("--epochs", "0"), ("--weights", "none"), ("--io-type", "serial")],
)
def test_bad_option_is_named(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, *QAT, "--target", "ebops=1e6", option, value, "--json")
    assert ran.status == 2
    (finding,) = json.loads(ran.out)["errors"]
    assert (finding["code"], finding["where"]) == ("HW356", option)
    assert not Path("run").exists()


def test_tables_are_trained_and_built(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [*QAT, "--target", "ebops=1e6"]
    asked[1] = "tables"
    refused = hwflow(capsys, *asked, "--layers", "nowhere")
    assert refused.status == 2
    assert "HW373" in refused.err
    ran = hwflow(capsys, *asked)
    assert ran.status == 0
    (line,) = [line for line in ran.out.splitlines() if line.startswith("next: hwflow ")]
    built = hwflow(capsys, *line.removeprefix("next: hwflow ").split(), "--data", "data.npz")
    assert built.status == 0
    assert "lossless  yes" in built.out
