"""Explorations of hardware: bits stay, settings are chosen, points are built as they were found."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.exploration.export import export_run
from hwflow.exploration.hardware import HARDWARE, HardwareRun, explore_hardware, open_hardware
from hwflow.exploration.hardware_pick import pick_hardware
from hwflow.exploration.hardware_request import HardwareRequest
from hwflow.exploration.pick import Choice, choice_of, chosen
from tests.fitting.nets import chain


def asked(folder: Path, **changes: Any) -> HardwareRequest:
    path = folder / "net.onnx"
    onnx.save(chain(2, (8, 8)), path)
    given: dict[str, Any] = {"boards": ("pynq-z2",), "clocks": (5.0, 10.0), "points": 4, **changes}
    return HardwareRequest(model=str(path), **given)


@pytest.fixture
def run(tmp_path: Path) -> HardwareRun:
    return explore_hardware(asked(tmp_path), tmp_path / "run")


def test_points_are_ordered_unbeaten_and_compile_to_what_they_say(run: HardwareRun) -> None:
    (front,) = run.result["fronts"]
    points = front["points"]
    assert len(points) > 2
    assert front["certified"]
    times, costs = ([p[name] for p in points] for name in ("time_ns", "least"))
    assert np.all(np.diff(times) > 0)
    assert np.all(np.diff(costs) < 0)
    for point in points:
        design = hwflow.compile(
            run.result["request"]["model"], board="pynq-z2", io_type=point["io_type"],
            clock_period_ns=point["clock_period_ns"], config={"layer": point["layers"]},
        )  # fmt: skip
        report = design.estimate()
        assert report.latency_ns.value == pytest.approx(point["time_ns"], rel=1e-12)
        assert report.total.lut.value == point["cost"]["lut"][0]
    again = open_hardware(run.folder)
    assert again is not None
    assert again.result == run.result


def test_a_picked_point_has_its_settings(run: HardwareRun, tmp_path: Path) -> None:
    last = run.result["fronts"][0]["points"][-1]
    picked = pick_hardware(run, tmp_path / "build", Choice(number=last["id"]), cpp=False)
    assert picked.design.target.io_type == last["io_type"]
    assert json.loads((tmp_path / "build" / "manifest.json").read_text())
    limit = f"share={100 * last['share'] * 1.0001}%"
    assert chosen(run, choice_of(None, None, [limit]))[1] == last
    onnx.save(chain(2, (3, 2, 2)), run.result["request"]["model"])
    with pytest.raises(CompileError, match="HW332"):
        pick_hardware(run, tmp_path / "third", Choice(), cpp=False)
    assert not (tmp_path / "third").exists()


def test_fronts_are_exported(run: HardwareRun) -> None:
    rows = list(csv.DictReader(io.StringIO(export_run(run.folder, None, kind="csv").decode())))
    assert [row["id"] for row in rows] == [str(p["id"]) for p in run.result["fronts"][0]["points"]]
    assert float(rows[0]["latency_ns"]) == run.result["fronts"][0]["points"][0]["time_ns"]
    with pytest.raises(CompileError, match="HW340"):
        export_run(run.folder, None, kind="xls")


@pytest.mark.parametrize(
    ("code", "wrong", "helped"),
    [
        ("HW323", {"time": "share"}, {"time": "ii"}),
        ("HW323", {"cost": "ii"}, {"cost": "dsp"}),
        ("HW334", {"strategies": ("fast",)}, {"strategies": ("resource",)}),
        ("HW334", {"io_types": ("io_serial",)}, {"io_types": ("io_stream",)}),
    ],
)
def test_what_cannot_be_explored_is_refused(
    code: str, wrong: dict[str, Any], helped: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match=code):
        explore_hardware(asked(tmp_path, **wrong), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    explore_hardware(asked(tmp_path, points=2, clocks=(), **helped), tmp_path / "run")
    assert (tmp_path / "run" / HARDWARE).is_file()


def test_a_folder_belongs_to_one_exploration(run: HardwareRun, tmp_path: Path) -> None:
    explore_hardware(asked(tmp_path), run.folder)  # the same again
    onnx.save(chain(2, (3, 2, 2)), tmp_path / "other.onnx")
    other = HardwareRequest(model=str(tmp_path / "other.onnx"), boards=("pynq-z2",))
    with pytest.raises(CompileError, match="HW324"):
        explore_hardware(other, run.folder)
    explore_hardware(other, tmp_path / "other")  # the help
