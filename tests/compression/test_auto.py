"""From requirements to a verified build: what is read, what is tried, what is handed over."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import hwflow
from hwflow import frontends
from hwflow.compression.auto import search
from hwflow.compression.auto.api import auto
from hwflow.compression.auto.bench import Bench, products_of
from hwflow.compression.auto.deploy import BUILD, NETWORK, SETTINGS
from hwflow.compression.auto.hardware import price
from hwflow.compression.auto.log import LINES
from hwflow.compression.auto.networks import can_slim, dense_student, has_student, sparse
from hwflow.compression.auto.registry import NAMES
from hwflow.compression.auto.requirements import read_requirements
from hwflow.compression.handover.lineage import chain
from hwflow.core.errors import CompileError
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import clone
from hwflow.report.manifest.reader import read_build
from hwflow.simulate.float32 import Reference
from tests.exploration.spaces import saved

pytest.importorskip("optuna")

EXAMPLES = Path(__file__).parents[2] / "examples"


def written(folder: Path, **changes: Any) -> Path:
    """Return a file of requirements for a small network beside it."""
    model, _ = saved(folder, "mlp")
    proto = onnx.load(model)
    for constant in proto.graph.initializer:  # biases of few bits
        if len(constant.dims) == 1:
            array = np.rint(256 * numpy_helper.to_array(constant)) / 256
            constant.CopyFrom(numpy_helper.from_array(array.astype(np.float32), constant.name))
    onnx.save(proto, model)
    given = {
        "model": "mlp.onnx", "data": "mlp.npz", "min": "acc=60%", "max": "lut=50%",
        "methods": ["ptq"], "io_type": ["io_parallel"], "clock_period_ns": [10.0], **changes,
    }  # fmt: skip
    path = folder / "wanted.toml"
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
    return path


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a log without times."""
    lines = (folder / LINES).read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def codes(error: CompileError) -> list[tuple[str, str]]:
    return [(d.code, d.where.partition(",")[0]) for d in error.diagnostics]


def test_every_mistake_is_found_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path, data="none.npz", board="pynq-z9", max="lut=many latency=5", min="speed=9",
        time="soon", trials=0, modle="x", methods=["magic"], clock_period_ns=[0.0],
    )  # fmt: skip
    with pytest.raises(CompileError) as refused:
        read_requirements(path, NAMES)
    found = codes(refused.value)
    assert {code for code, _ in found} == {"HW376"}
    assert sorted(key for _, key in found) == sorted(
        ["data", "board", "max", "max", "min", "time", "trials", "modle", "methods",
         "clock_period_ns"]
    )  # fmt: skip
    (unknown,) = (d for d in refused.value.diagnostics if d.where.startswith("modle"))
    assert "model" in unknown.help


@pytest.mark.parametrize("key", ["model", "data"])
def test_missing_key_is_named_and_the_help_works(key: str, tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = [x for x in path.read_text().splitlines(keepends=True) if not x.startswith(key)]
    path.write_text("".join(lines))
    with pytest.raises(CompileError) as refused:
        read_requirements(path, NAMES)
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.where) == ("HW376", f"{key}, in wanted.toml")
    said = finding.help.removeprefix("such as: ")
    name = said.partition('"')[2].rstrip('"')
    (tmp_path / ("mlp.onnx" if key == "model" else "mlp.npz")).rename(tmp_path / name)
    path.write_text("".join([*lines, f"{said}\n"]))
    assert read_requirements(path, NAMES).model.is_file()


@pytest.mark.parametrize("content", [b"model = ", b"\xff", None])
def test_file_that_cannot_be_read_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "wanted.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CompileError) as refused:
        read_requirements(path, NAMES)
    assert [d.code for d in refused.value.diagnostics] == ["HW377"]


def test_accuracy_of_data_without_labels_is_refused_and_the_help_works(tmp_path: Path) -> None:
    path = written(tmp_path)
    with np.load(tmp_path / "mlp.npz") as arrays:
        np.savez(tmp_path / "mlp.npz", x=arrays["x"])
    with pytest.raises(CompileError) as refused:
        auto(path, tmp_path / "run")
    assert codes(refused.value) == [("HW376", "min")]
    assert not (tmp_path / "run").exists()
    path = tmp_path / "wanted.toml"
    path.write_text(path.read_text().replace("acc=60%", "agree=97%"))
    assert Bench.of(read_requirements(path, NAMES)).wanted.floors[0].number == 0.97


def test_student_computes_dense_layers() -> None:
    before = prepare(frontends.load(EXAMPLES / "digits_float.onnx"))
    assert has_student(before)
    student = prepare(dense_student(before, (5, 4), 0.5, seed=3))
    x = np.random.default_rng(0).normal(size=(7, 1, 8, 8)).astype(np.float32)
    (found,) = Reference(student).run({"x": x}).values()
    values = x.reshape(7, -1).astype(np.float64)
    for i, layer in enumerate(layers_of(student)):
        values = values @ layer.matrix()[0].T + (layer.bias() if layer.bias() is not None else 0)
        values = np.maximum(values, 0) if i < 2 else values
    np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5)
    assert [x.matrix().shape[1] for x in layers_of(student)] == [5, 4, 10]
    assert products_of(student) == 64 * 5 + 5 * 4 + 4 * 10


def test_products_are_those_of_every_position() -> None:
    before = prepare(frontends.load(EXAMPLES / "digits_float.onnx"))
    assert can_slim(before)
    assert products_of(before) == 64 * 8 * 9 + 16 * 8 * 72 + 16 * 16 * 72 + 640


def test_sparse_network_keeps_the_greatest_weights() -> None:
    before = prepare(frontends.load(EXAMPLES / "digits_float.onnx"))
    pairs = zip(layers_of(before), layers_of(sparse(before, 0.75)), strict=True)
    for old, new in pairs:
        stays = new.matrix() != 0
        assert abs(stays.mean() - 0.25) < 0.01
        np.testing.assert_array_equal(new.matrix()[stays], old.matrix()[stays])
        assert np.abs(old.matrix()[~stays]).max() <= np.abs(old.matrix()[stays]).min()


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("method", ["prune", "qat", "student", "slim"])
def test_every_method_gives_networks(method: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = written(tmp_path, methods=[method], trials=1, max="lut=50% ii=0.5")
    (entry,) = auto(path, tmp_path / "run").searched.entries
    assert entry["network"].startswith("epoch ")
    assert entry["beyond"]["ii"] > 0
    links = chain(tmp_path / "run", [tmp_path / "run"])
    assert all(link.name for link in links)
    assert ("model", "mlp.onnx") in [(link.part, link.name) for link in links]


def test_figures_are_those_of_what_would_be_built(tmp_path: Path) -> None:
    wanted = read_requirements(written(tmp_path, max="lut=50% latency=1us"), NAMES)
    model = hwflow.quantize(tmp_path / "mlp.onnx", tmp_path / "mlp.npz", "w=4,a=4").model
    priced = price(model, wanted)
    assert priced is not None
    assert priced.beyond == 0.0
    design = hwflow.compile(clone(model), config=priced.config)
    assert priced.point["cost"]["lut_synth"][0] == design.estimate().total.lut_synth.value
    latency = design.estimate().latency_ns.value
    assert priced.point["cost"]["latency_ns"][0] == latency <= 1000
    tight = read_requirements(written(tmp_path, max=f"latency={latency / 4:g}ns"), NAMES)
    missed = price(model, tight)
    assert missed is not None
    assert missed.design is None
    assert missed.excess["latency"] > 0
    assert any(reason.startswith("latency ") for reason in missed.reasons)


@pytest.mark.slow
@pytest.mark.cpp
def test_build_meets_what_was_asked(tmp_path: Path) -> None:
    found = auto(written(tmp_path), tmp_path / "run")
    assert found.met
    build = read_build(tmp_path / "run" / BUILD)
    assert build.manifest.made is not None
    assert build.manifest.made.method == "ptq"
    assert build.manifest.results is not None
    assert build.manifest.results.faithful is not None
    assert build.manifest.results.faithful.holds
    design = hwflow.compile(tmp_path / "run" / NETWORK, config=tmp_path / "run" / SETTINGS)
    assert design.estimate().total.lut.value == build.manifest.total.lut
    last = decisions(tmp_path / "run")[-1]
    assert last["met"]
    assert last["held_out"]["accuracy"] >= 0.6
    assert [link.part for link in found.story.links[1:]] == ["data", "model"]  # type: ignore[union-attr]


def test_build_that_is_not_verified_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"verified": False, "statements": {}, "unmet": ["faithful: they differ"]}
    monkeypatch.setattr(search, "deployed", lambda bench, place, folder: broken)
    found = auto(written(tmp_path, trials=2), tmp_path / "run")
    assert not found.met
    assert found.unmet == ("faithful: they differ",)
    assert len(found.searched.entries) == 2


def test_what_cannot_be_met_is_said_with_how_much(tmp_path: Path) -> None:
    path = written(tmp_path, max="latency=10ns", trials=2)
    found = auto(path, tmp_path / "run")
    assert not found.met
    assert not (tmp_path / "run" / BUILD).exists()
    assert any(text.startswith("latency ") and text.endswith("> 10 ns") for text in found.unmet)
    assert (tmp_path / "run" / NETWORK).is_file()
    assert len(decisions(tmp_path / "run")) == 2
    assert "all trials are done" in found.searched.why
    more = auto(written(tmp_path, max="latency=10ns", trials=3), tmp_path / "run")
    assert [e["trial"] for e in more.searched.entries] == [0, 1, 2]


@pytest.mark.slow
def test_search_goes_on_after_its_process_was_killed(tmp_path: Path) -> None:
    path = written(tmp_path, max="latency=10ns", trials=3)
    auto(path, tmp_path / "whole")
    code = (
        "import sys; from hwflow.compression.auto.api import auto\n"
        "auto(sys.argv[1], sys.argv[2], say=lambda line: print(line, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(tmp_path / "killed")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("trial 2: "):
            break
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(decisions(tmp_path / "killed")) < 3
    auto(path, tmp_path / "killed")
    assert decisions(tmp_path / "killed") == decisions(tmp_path / "whole")
    networks = [(tmp_path / run / NETWORK).read_bytes() for run in ("killed", "whole")]
    assert networks[0] == networks[1]


@pytest.mark.slow
def test_folder_of_other_requirements_is_refused(tmp_path: Path) -> None:
    auto(written(tmp_path, max="latency=10ns", trials=1), tmp_path / "run")
    with pytest.raises(CompileError) as refused:
        auto(written(tmp_path, max="latency=20ns", trials=1), tmp_path / "run")
    assert [d.code for d in refused.value.diagnostics] == ["HW355"]


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.cpp
def test_digits_are_brought_to_500_ns_and_a_third_of_the_board(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = auto(EXAMPLES / "auto.toml", tmp_path / "run")
    assert found.met
    entries = found.searched.entries
    assert [e["method"] for e in entries[:2]] == ["ptq", "ptq"]
    assert all(e["unmet"] for e in entries[:2])
    design = hwflow.compile(tmp_path / "run" / NETWORK, config=tmp_path / "run" / SETTINGS)
    report = design.estimate()
    assert report.latency_ns.value <= 500
    assert report.total.lut_synth.value <= 0.3 * design.board.resources.count("lut")
    assert entries[-1]["held_out"]["accuracy"] >= 0.97
