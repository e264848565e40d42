"""Boards on the command line: the list, what holds a model, several at once, and refusals."""

import json
import re
import shlex
from pathlib import Path

import pytest

from hwflow.core.board import list_boards
from tests.cli.command import dense, hwflow, save


@pytest.fixture(autouse=True)
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(dense())


def test_what_is_not_known_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "boards", "vc707")
    assert ran.out.count("unknown") == 3  # price, idle power, power of the board
    assert "DS180" in ran.out
    listed = json.loads(hwflow(capsys, "boards", "vc707,pynq-z2", "--json").out)
    assert [(b["name"], b["price"] is None) for b in listed] == [
        ("VC707", True),
        ("PYNQ-Z2", False),
    ]
    assert listed[1]["idle_power"]["watts"] == 0.138
    assert hwflow(capsys, "boards").out.count("unknown") > 40


def test_boards_that_hold_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "boards", "--fits", "model.onnx")
    assert ran.status == 0
    assert "estimate on boards" in ran.err
    rows = [line for line in ran.out.splitlines() if line.startswith("\u2502")]
    assert len(rows) == len(list_boards())
    assert "under 100" in rows[0]
    assert "extrapolated: a LUT6 as 1.6" in ran.out


def test_the_same_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--io-type", "io_stream", "--clock", "6")
    ran = hwflow(capsys, "boards", "pynq-z2,icestick", "--fits", "model.onnx", *options, "--json")
    assert ran.err == ""
    rows = json.loads(ran.out)["boards"]
    assert {row["board"] for row in rows} == {"PYNQ-Z2", "iCEstick"}
    assert {row["clock_period_ns"] for row in rows} == {6.0}
    assert {row["utilisation"][0]["basis"] for row in rows} == {"fitted", "extrapolated"}
    single = json.loads(
        hwflow(capsys, "estimate", "model.onnx", "-b", "pynq-z2", *options, "--json").out
    )
    row = next(row for row in rows if row["board"] == "PYNQ-Z2")
    assert row["utilisation"] == single["utilisation"]
    assert row["latency_ns"] == single["latency_ns"]


def test_several_boards_are_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "estimate", "model.onnx", "--board", "zcu104, de10-nano,Tang Nano 9K")
    rows = [line for line in ran.out.splitlines() if line.startswith("\u2502")]
    assert [re.split(r" {2,}|\u2502 ", row)[1].strip() for row in rows] == [
        "ZCU104", "DE10-Nano", "Tang Nano 9K",
    ]  # fmt: skip
    assert ["extrapolated" in row for row in rows] == [False, True, True]


def test_all_unknown_boards_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "estimate", "model.onnx", "--board", "zcu140,pynq-z2,de10nanno", "--json")
    assert ran.status == 2
    assert [e["code"] for e in json.loads(ran.out)["errors"]] == ["HW501", "HW501"]


def test_options_of_the_search_without_a_model_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = hwflow(capsys, "boards", "--io-type", "io_stream")
    assert ran.status == 2
    assert "--fits" in ran.err


@pytest.mark.cpp
@pytest.mark.parametrize("place", ["option", "settings", "profile"])
def test_no_project_is_written_for_another_maker(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given: tuple[str, ...] = ("--board", "ULX3S-85F")
    if place == "settings":
        Path("hwflow.toml").write_text('[target]\nboard = "ULX3S-85F"\n')
        given = ("--config", "hwflow.toml")
    if place == "profile":
        text = Path(__file__).parents[2] / "boards" / "ulx3s_85f.toml"
        Path("mine.toml").write_text(text.read_text().replace("ULX3S-85F", "Mine"))
        given = ("--board", "mine.toml")
    ran = hwflow(capsys, "build", "model.onnx", *given, "-o", "out", "--json")
    assert (ran.status, ran.new) == (2, ())
    (error,) = json.loads(ran.out)["errors"]
    assert error["code"] == "HW504"
    if place == "profile":
        return
    search, estimate = re.findall(r"hwflow [a-z]+ (?:[^();]|\"[^\"]*\")*", error["help"])
    for command in (search.split(" says")[0], estimate.split(" still")[0]):
        words = shlex.split(command.replace("MODEL", "model.onnx"))
        assert hwflow(capsys, *words[1:]).status == 0
    other = error["supported"].split(", ")
    assert {b.name for b in list_boards() if b.vendor == "amd"} == set(other)
    built = hwflow(capsys, "build", "model.onnx", "--board", other[0], "-o", "out", "--json")
    assert built.status == 0
    assert Path("out/hls").is_dir()


def test_the_design_refuses_too(tmp_path: Path) -> None:
    import hwflow as package
    from hwflow.core.errors import CompileError

    design = package.compile("model.onnx", board="tang-nano-9k")
    assert design.estimate().utilisation[0].basis == "extrapolated"
    with pytest.raises(CompileError, match="HW504"):
        design.write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_shares_of_one_board_say_that_they_are_extrapolated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ran = hwflow(capsys, "estimate", "model.onnx", "--board", "ulx3s-85f")
    assert re.search(r"^lut .*of 83,640: yes, extrapolated$", ran.out, re.M)
    assert "HW513" in ran.err
    assert "extrapolated" not in hwflow(capsys, "estimate", "model.onnx", "-b", "pynq-z2").out
