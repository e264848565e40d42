"""`hwflow simulate`: engines, streams, what it prints and saves, and what it refuses."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow as package
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.simulate import engines
from hwflow.simulate.coverage.words import counters_dict, coverage_dict, coverage_text
from tests.cli.command import Ran, dense, hwflow, save
from tests.cli.test_hostile_names import hostile_network

ROOT = Path(__file__).parents[2]
Golden = Callable[[str, str], None]
X = np.random.default_rng(0).uniform(-4, 4, (50, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(dense())
    np.savez("data.npz", x=X, y=np.random.default_rng(1).integers(0, 3, 50))


def simulated(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    ran = hwflow(capsys, "simulate", *arguments, "--json")
    assert (ran.status, ran.err) == (0, "")
    found: dict[str, Any] = json.loads(ran.out)
    return found


@pytest.mark.parametrize("engine", [None, "golden", "numpy"])
def test_every_engine_saves_the_same(
    engine: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = package.compile("model.onnx").simulate(X, keep_layers=True)
    (name,) = whole.outputs
    choice = [] if engine is None else ["--engine", engine]
    arguments = ["model.onnx", "-d", "data.npz", *choice, "--threads", 2, "--batch", 7]
    found = simulated(capsys, *arguments, "-o", "out.npz", "--layers")
    with np.load("out.npz") as saved:
        np.testing.assert_array_equal(saved[f"output/{name}"], whole.outputs[name])
        for layer, value in whole.layers.items():
            np.testing.assert_array_equal(saved[f"layer/{layer}"], value.values)
        assert len(saved.files) == 1 + len(whole.layers)
    assert (found["samples"], found["batch"], found["engine"]) == (50, 7, engine or "golden")
    assert found["samples_per_second"] == pytest.approx(50 / found["seconds"])
    output = found["outputs"][name]
    labels = np.load("data.npz")["y"]
    assert output["accuracy"] == np.mean(whole.outputs[name].argmax(1) == labels)
    assert output["range"] == [whole.outputs[name].min(), whole.outputs[name].max()]
    counted = {row["name"]: row["saturated"] for row in found["layers"]}
    expected = {n: c.saturated for n, c in whole.counters.items()} if engine == "numpy" else {}
    assert counted == expected
    (port,) = found["ports"].values()
    (ours,) = whole.ports.values()
    assert (port["low"], port["high"]) == (ours.low, ours.high)
    assert (found["coverage"] is None) == (engine != "numpy")


def test_data_beyond_the_ports_is_a_warning_with_every_engine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (ours,) = package.compile("model.onnx").simulate(X * 1e3).ports.values()
    assert ours.outside > 0
    np.save("far.npy", X * 1e3)
    for engine in ("golden", "numpy"):
        found = simulated(capsys, "model.onnx", "-d", "far.npy", "--engine", engine, "--batch", 7)
        assert [w["code"] for w in found["warnings"] if w["code"] == "HW410"] == ["HW410"]
        (port,) = found["ports"].values()
        assert (port["low"], port["high"]) == (ours.low, ours.high)
        assert port["observed"] == [X.min() * 1e3, X.max() * 1e3]


def test_numpy_says_what_verify_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = simulated(capsys, "model.onnx", "-d", "data.npz", "--engine", "numpy", "--batch", 7)
    verified = package.compile("model.onnx").verify("data.npz", cpp=False)
    assert verified.coverage is not None
    assert found["coverage"] == coverage_dict(verified.coverage)
    assert found["layers"] == json.loads(json.dumps(counters_dict(verified.simulation.counters)))
    ran = hwflow(capsys, "simulate", "model.onnx", "-d", "data.npz", "--engine", "numpy")
    assert f"coverage  {coverage_text(verified.coverage)}" in ran.out
    assert f"saturated {verified.saturation}" in ran.out


def test_one_output_as_npy(capsys: pytest.CaptureFixture[str]) -> None:
    simulated(capsys, "model.onnx", "-d", "data.npz", "-o", "out.npy")
    (values,) = package.compile("model.onnx").simulate(X).outputs.values()
    np.testing.assert_array_equal(np.load("out.npy"), values)


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    ran = hwflow(capsys, "simulate", "model.onnx", "-d", "data.npz", "-o", "out.npz")
    assert ran.status == 0
    assert re.search(r"^model.onnx: 50 samples in [\d.]+ s, [\d,]+ a second \(golden", ran.out)
    assert "saved     out.npz" in ran.out
    ran = hwflow(capsys, "simulate", "model.onnx", "-d", "data.npz", "--engine", "numpy")
    assert "near ties" in ran.out


def test_a_folder_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("parts").mkdir()
    for i in range(12):
        np.save(f"parts/{i}.npy", X[4 * i : 4 * i + 4])
    simulated(capsys, "model.onnx", "-d", "parts", "-o", "out.npy", "--batch", 7)
    (values,) = package.compile("model.onnx").simulate(X[:48]).outputs.values()
    np.testing.assert_array_equal(np.load("out.npy"), values)


def test_a_written_project(capsys: pytest.CaptureFixture[str]) -> None:
    package.compile("model.onnx").write("net")
    ours = simulated(capsys, "net", "-d", "data.npz", "-o", "project.npz")
    simulated(capsys, "model.onnx", "-d", "data.npz", "-o", "model.npz")
    assert ours["model"] == "model.onnx"
    assert Path("project.npz").read_bytes() == Path("model.npz").read_bytes()
    ran = hwflow(capsys, "simulate", "net", "--config", "hwflow.toml")
    assert ran.status == 2
    assert "error[HW556]" in ran.err


def test_numpy_takes_the_place_of_a_missing_golden_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise CompileError([Diagnostic(code="HW565", title="no golden model")])

    monkeypatch.setattr(engines, "GoldenEngine", refuse)
    ran = hwflow(capsys, "simulate", "model.onnx", "-d", "data.npz")
    assert ran.status == 0
    assert "numpy" in ran.out
    assert "No golden model" in ran.err
    ran = hwflow(capsys, "simulate", "model.onnx", "-d", "data.npz", "--engine", "golden")
    assert ran.status == 2
    assert "--engine numpy" in ran.err


def nan_in_the_middle() -> None:
    bad = X.copy()
    bad[33, 1] = np.nan
    np.savez("data.npz", x=bad)


def cut_short() -> None:
    np.save("data.npz", X)
    Path("data.npz.npy").rename("data.npz")
    with Path("data.npz").open("rb+") as file:
        file.truncate(600)


def two_outputs() -> None:
    save(hostile_network(("a", "b"), "net"))
    np.savez("data.npz", a=X[:, :2], b=X[:, 2:])


BAD: dict[str, tuple[str, Callable[[], None], list[str]]] = {
    "stream_nan": ("HW405", nan_in_the_middle, []),
    "stream_short": ("HW400", cut_short, []),
    "stream_folder": ("HW400", lambda: None, ["-d", "."]),
    "engine": ("HW566", lambda: None, ["--engine", "pytorch"]),
    "engine_device": ("HW567", lambda: None, ["--device", "cuda"]),
    "out_form": ("HW568", lambda: None, ["-o", "out.csv"]),
    "out_folder": ("HW552", lambda: None, ["-o", "no/out.npz"]),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str, capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    code, prepare, arguments = BAD[name]
    prepare()
    if "-d" in arguments:
        Path("data.npz").unlink()
    else:
        arguments = ["-d", "data.npz", *arguments]
    out = [] if "-o" in arguments else ["-o", "out.npz"]
    ran: Ran = hwflow(capsys, "simulate", "model.onnx", *arguments, *out, "--batch", 8)
    assert (ran.status, ran.new) == (2, ())
    assert re.findall(r"error\[(HW\d{3})\]", ran.err) == [code]
    golden(f"errors/{name}.txt", ran.said.replace(str(Path.cwd().name), "FOLDER"))


@pytest.mark.parametrize("how", [signal.SIGINT])
def test_nothing_is_left_when_it_is_stopped(how: signal.Signals, tmp_path: Path) -> None:
    np.save("many.npy", np.zeros((1_000_000, 4), np.float32))
    command = [sys.executable, "-m", "hwflow", "simulate", "model.onnx", "-d", "many.npy"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.Popen([*command, "-o", "out.npz", "--batch", "8"], env=environment)
    deadline = time.monotonic() + 60
    while not Path(".out.npz.part").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ran.send_signal(how)
    assert ran.wait(60) != 0
    assert sorted(p.name for p in Path().iterdir()) == ["data.npz", "many.npy", "model.onnx"]
