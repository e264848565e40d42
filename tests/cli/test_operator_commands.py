"""``hwflow op new``, ``hwflow op check`` and ``--plugin``, from the command line."""

import json
from pathlib import Path

import pytest

from tests.cli.command import hwflow

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("verb", ["new", "check"])
def test_help_has_an_example(verb: str, capsys: Capture) -> None:
    ran = hwflow(capsys, "op", verb, "--help")
    assert ran.status == 0
    assert f"Example: hwflow op {verb}" in ran.out


@pytest.mark.cpp
def test_a_new_operator_is_right_at_once(capsys: Capture) -> None:
    ran = hwflow(capsys, "op", "new", "HalfWave", "--out", "ops")
    assert ran.status == 0
    assert ran.new == (
        "ops",
        *(f"ops/{n}half_wave.{e}" for n, e in (("", "h.j2"), ("", "py"), ("test_", "py"))),
    )
    again = hwflow(capsys, "op", "new", "HalfWave", "--out", "ops")
    assert (again.status, again.new) == (2, ())
    assert "HW551" in again.err
    check = ["op", "check", "HalfWave", "--plugin", "ops/half_wave.py", "--backend", "Vitis"]
    ran = hwflow(capsys, *check, "--io-type", "io_stream")
    assert ran.status == 0
    assert "every bit agrees" in ran.out
    template = Path("ops/half_wave.h.j2")
    template.write_text(template.read_text().replace("x * x", "x * x + x"))
    ran = hwflow(capsys, *check, "--io-type", "io_stream")
    assert ran.status == 1
    assert "x0 mantissas" in ran.out
    ran = hwflow(capsys, *check, "--io-type", "io_stream", "--json")
    assert ran.status == 1
    found = json.loads(ran.out)
    assert [o["holds"] for o in found["outcomes"]] == [True, True, False]
    assert ran.err == ""


def test_errors_of_the_input_end_with_status_2(capsys: Capture) -> None:
    for arguments, code in (
        (["op", "new", "half"], "HW249"),
        (["op", "check", "HalfWave"], "HW249"),
        (["op", "check", "Relu", "--plugin", "missing.py"], "HW250"),
        (["op", "check", "Relu", "--backend", "Quartus"], "HW102"),
        (["ops", "--plugin", "missing.py"], "HW250"),
        (["inspect", "model.onnx", "--plugin", "missing.py"], "HW250"),
    ):
        ran = hwflow(capsys, *arguments)
        assert (ran.status, ran.new) == (2, ()), arguments
        assert code in ran.err


def test_operators_of_plugins_are_listed(capsys: Capture) -> None:
    hwflow(capsys, "op", "new", "HalfWave")
    names = []
    for arguments in ([], ["--plugin", "half_wave.py"], []):
        ran = hwflow(capsys, "ops", *arguments, "--json")
        names.append({row["name"] for row in json.loads(ran.out)})
    assert names[1] - names[0] == {"HalfWave"}
    assert names[0] == names[2]
