"""The way from a Brevitas CNN to a block keeps to the limits that its page names."""

import json
from pathlib import Path

import pytest

import hwflow
from tests.docs.pages import block, commands, page, run_commands

PAGE = page("brevitas-to-pynq.md")


@pytest.mark.cpp
@pytest.mark.torch
@pytest.mark.slow
def test_the_block_keeps_to_the_limits(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(block(PAGE, "python"), "utf-8")
    assert len(commands(PAGE)) == 6
    run_commands(PAGE, tmp_path)
    found = hwflow.compile(tmp_path / "cnn.onnx", config=tmp_path / "fitted.toml")
    estimate = found.estimate()
    (lut,) = (u for u in estimate.utilisation if u.resource == "lut")
    assert (found.board.name, found.target.clock_period_ns) == ("PYNQ-Z2", 5.0)
    assert lut.percent.high < 60
    assert estimate.latency_ns.high < 1000
    ip = json.loads((tmp_path / "ip" / "cnn" / "ip.json").read_text("utf-8"))
    assert (ip["target"]["part"], ip["target"]["clock_period_ns"]) == ("xc7z020clg400-1", 5.0)
    assert ip["figures"]["lut"]["high"] < 0.6 * 53_200
    assert ip["figures"]["latency_cycles"]["high"] * 5.0 < 1000
