"""``hwflow fifo``: the table, other depths, and its JSON."""

import json
from pathlib import Path

import pytest

from tests.cli.command import hwflow

SKIP = Path(__file__).parents[2] / "examples" / "digits_residual.onnx"


def test_fifos_are_shown_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "fifo", SKIP)
    assert ran.status == 0
    assert "deadlock  impossible" in ran.out
    assert "takes it late: its other way leads through conv2__pad" in ran.out


def test_a_depth_that_locks_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "fifo", SKIP, "--depth", "pool1_cpy2=4")
    assert ran.status == 1
    assert "clone_pool1 waits to write token 5 of pool1_cpy2, full" in ran.out
    told = json.loads(hwflow(capsys, "fifo", SKIP, "--depth", "pool1_cpy2=4", "--json").out)
    least = told["tried"]["least"]["pool1_cpy2"]
    again = hwflow(capsys, "fifo", SKIP, "--depth", f"pool1_cpy2={least}", "--json")
    assert again.status == 0
    assert json.loads(again.out)["tried"]["waits"] == []


@pytest.mark.parametrize("depth", ["4", "pool1=", "pool1=0", "pool1=x", "=4"])
def test_other_forms_are_refused(depth: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "fifo", SKIP, "--depth", depth)
    assert ran.status == 2
    assert "write it as conv1=64" in ran.err
