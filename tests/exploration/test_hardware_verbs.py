"""What is asked of an exploration of hardware: limits, ends, pictures, points, the gate."""

import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import onnx
import pytest

from hwflow.core.errors import CompileError
from hwflow.exploration import hardware_cases
from hwflow.exploration.hardware import (
    HARDWARE,
    HardwareRun,
    explore_hardware,
    open_hardware,
    opened_hardware,
)
from hwflow.exploration.hardware_cases import Cases
from hwflow.exploration.hardware_request import HardwareRequest
from hwflow.exploration.saving import PAGE, PICTURE
from tests.cli.command import hwflow
from tests.fitting.nets import chain


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hardware") / "net.onnx"
    onnx.save(chain(2, (4, 4)), path)
    return path


def asked(model: Path, **changes: Any) -> HardwareRequest:
    given: dict[str, Any] = {
        "boards": ("pynq-z2",), "clocks": (5.0, 10.0), "points": 3, "io_types": ("io_parallel",),
    }  # fmt: skip
    return HardwareRequest(model=str(model), **{**given, **changes})


@pytest.fixture(scope="module")
def run(model: Path) -> HardwareRun:
    return explore_hardware(asked(model), model.parent / "run")


def test_a_run_that_was_ended_goes_on(
    model: Path, run: HardwareRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved, calls = hardware_cases.solved, []

    def ends(*given: Any) -> Any:
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return solved(*given)

    def count(*given: Any) -> Any:
        calls.append(1)
        return solved(*given)

    with monkeypatch.context() as broken:
        broken.setattr("hwflow.exploration.hardware.solved", ends)
        with pytest.raises(KeyboardInterrupt):
            explore_hardware(asked(model), tmp_path / "run")
    half = open_hardware(tmp_path / "run")
    assert half is not None
    assert (half.finished, half.result["solved"], half.result["cases"]) == (False, 1, 2)
    assert half.result["fronts"][0]["points"]
    assert "Not finished: of 1 of 2" in (tmp_path / "run" / PAGE).read_text("utf-8")
    with monkeypatch.context() as watched:
        watched.setattr("hwflow.exploration.hardware.solved", count)
        explore_hardware(asked(model), tmp_path / "run")
    assert len(calls) == 2
    for name in (HARDWARE, PAGE, PICTURE):
        assert (tmp_path / "run" / name).read_bytes() == (run.folder / name).read_bytes()


def test_points_keep_to_limits(model: Path, run: HardwareRun, tmp_path: Path) -> None:
    points = run.result["fronts"][0]["points"]
    most = sorted(p["cost"]["lut_synth"][0] for p in points)[-2]
    found = explore_hardware(asked(model, budgets={"lut": f"{most:.0f}"}), tmp_path / "run")
    assert found.result["limits"] == [f"lut={most:.0f}"]
    within = found.result["fronts"][0]["points"]
    assert within
    assert all(p["cost"]["lut_synth"][0] <= most + 1 for p in within)
    explore_hardware(asked(model), tmp_path / "run")
    again = (tmp_path / "run" / HARDWARE).read_bytes()
    assert again == (run.folder / HARDWARE).read_bytes()


def test_what_fits_nothing_is_told_and_its_help_helps(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explore", str(model), "--hardware-only", "--clock", "5", "--io-type", "io_parallel",
               "--run", str(tmp_path / "run")]  # fmt: skip
    ran = hwflow(capsys, *command, "--max", "lut=3")
    assert ran.status == 2
    assert "HW339" in ran.err
    assert ran.err.endswith(f"What was solved is kept in {tmp_path / 'run'}.\n")
    shown = hwflow(capsys, "explore", "front", "--run", str(tmp_path / "run"))
    assert "no front on pynq-z2" in shown.out
    way = re.search(r"--max (lut=\d+)", ran.err)
    assert way is not None
    resumed = hwflow(capsys, "explore", "--run", str(tmp_path / "run"), "--max", way[1], "--json")
    assert resumed.status == 0
    assert json.loads(resumed.out)["fronts"][0]["points"]
    assert hwflow(capsys, *command, "--time", "3s").status == 2
    assert hwflow(capsys, *command, "--max", "cats=3").status == 2


def test_verbs(run: HardwareRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--run", str(run.folder)]
    front = run.result["fronts"][0]
    status = json.loads(hwflow(capsys, "explore", "status", *folder, "--json").out)
    assert (status["done"], status["solved"], status["cases"]) == (True, 2, 2)
    assert "done" in hwflow(capsys, "explore", "status", *folder).out
    assert "proven" in hwflow(capsys, "explore", "front", *folder).out
    shown = json.loads(hwflow(capsys, "explore", "show", *folder, "--json").out)
    assert shown["id"] == front["knee"]
    assert shown["board"]["lut"]["share"][0] <= shown["share"]
    text = hwflow(capsys, "explore", "show", str(front["points"][-1]["id"]), *folder).out
    assert "reuse_factor" in text
    ids = [str(front["points"][i]["id"]) for i in (0, -1)]
    diff = json.loads(hwflow(capsys, "explore", "diff", *ids, *folder, "--json").out)
    assert diff["cost"]["latency_ns"] == [front["points"][i]["time_ns"] for i in (0, -1)]
    assert diff["settings"]
    same = hwflow(capsys, "explore", "diff", *folder, "--other", str(run.folder), "--json")
    assert json.loads(same.out)["fronts"][0]["only_first"] == []
    for kind in ("html", "svg", "png"):
        out = tmp_path / f"a.{kind}"
        assert hwflow(capsys, "explore", "export", *folder, "-o", str(out)).status == 0
        if kind == "svg":
            assert out.read_bytes() == (run.folder / PICTURE).read_bytes()
    page = (tmp_path / "a.html").read_text("utf-8")
    commands = re.findall(r"<code>hwflow (pick[^<]*)</code>", page)
    assert len(commands) == len(front["points"])
    assert all(shlex.split(command)[1:3] == folder for command in commands)
    assert "<script" not in page
    ET.fromstring((tmp_path / "a.svg").read_text("utf-8"))


def test_gate(run: HardwareRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["explore", "gate", "--run", str(run.folder), "--baseline"]
    assert hwflow(capsys, *command, str(run.folder / HARDWARE)).status == 0
    better = json.loads((run.folder / HARDWARE).read_text())
    point = better["fronts"][0]["points"][0]
    point["time_ns"] *= 0.99
    path = tmp_path / "better.json"
    path.write_text(json.dumps(better))
    ran = hwflow(capsys, *command, str(path))
    assert (ran.status, f"{point['id']} (" in ran.out) == (1, True)
    assert hwflow(capsys, *command, str(path), "--tol", "2%").status == 0
    path.write_text("{}")
    assert hwflow(capsys, *command, str(path)).status == 2


@pytest.mark.slow
def test_a_model_that_moved_is_named(
    run: HardwareRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    result = json.loads((run.folder / HARDWARE).read_text())
    model = result["request"]["model"]
    result["request"]["model"] = str(tmp_path / "gone.onnx")
    (folder / HARDWARE).write_text(json.dumps(result))
    (folder / hardware_cases.CASES).write_bytes((run.folder / hardware_cases.CASES).read_bytes())
    ran = hwflow(capsys, "explore", "--run", str(folder), "--json")
    (finding,) = json.loads(ran.out)["errors"]
    assert (finding["code"], finding["where"]) == ("HW337", str(tmp_path / "gone.onnx"))
    words = shlex.split(finding["help"].partition("now: hwflow ")[2])
    after = hwflow(capsys, *[model if w == "MODEL" else w for w in words], "--json")
    fronts = json.loads(after.out)["fronts"]
    assert [f["board"] for f in fronts] == ["pynq-z2"]


def test_cases_of_another_model_are_not_taken(tmp_path: Path) -> None:
    case = hardware_cases.Case([], "why")
    Cases(tmp_path, "one").keep("key", case)
    assert Cases(tmp_path, "one").get("key") == case
    assert Cases(tmp_path, "two").get("key") is None
    with pytest.raises(CompileError, match="HW326"):
        opened_hardware(tmp_path)
