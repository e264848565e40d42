"""``hwflow verify --exact`` refuses what is approximate, and says the verdict everywhere alike."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import hwflow, save
from tests.verify.verdict import networks as net

pytestmark = pytest.mark.cpp
Capture = pytest.CaptureFixture[str]


def test_an_approximate_design(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(net.network(net.softmax_then_dense))
    np.savez("data.npz", x=net.data(200))
    command = ("verify", "model.onnx", "--data", "data.npz")
    plain = hwflow(capsys, *command, "--json")
    verdict = json.loads(plain.out)["lossless"]["verdict"]
    assert (plain.status, verdict["state"]) == (0, "approximate")
    assert "outputs differ by at most" in verdict["text"]
    ran = hwflow(capsys, *command, "--exact", "--junit", "a.xml", "--summary", "a.md")
    assert (ran.status, ran.new) == (1, ("a.md", "a.xml"))
    assert "lossless  approximate  hardware == trained model" in ran.out
    assert verdict["text"] in ran.out
    (layer,) = verdict["because"]
    for said in (ran.out, Path("a.xml").read_text(), Path("a.md").read_text()):
        assert "tables of exp" in said
        assert layer["layer"] in said
    root = ET.parse("a.xml").getroot()
    properties = {p.get("name"): p.get("value") for p in root.iter("property")}
    assert properties["verdict"] == verdict["text"]
    assert [c.get("name") for c in root.iter("testcase") if c.find("failure") is not None] == [
        "exact"
    ]
    Path("hwflow.toml").write_text("[verify]\nexact = true\n")
    assert hwflow(capsys, *command, "--config", "hwflow.toml").status == 1
    assert hwflow(capsys, *command, "--lossless").status == 1


def test_a_lossless_design(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(net.network(net.quantised))
    ran = hwflow(capsys, "verify", "model.onnx", "--exact", "--lossless")
    assert ran.status == 0
    assert "must be 0" not in ran.out
