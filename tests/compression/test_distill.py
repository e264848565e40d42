"""Distillation: a narrower student learns, and becomes hardware."""

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

import hwflow
from hwflow import frontends
from hwflow.compression.api import distill, train
from hwflow.compression.folder import CHECKPOINT, MODEL, RESULT
from hwflow.compression.shrinking import shrunk
from hwflow.core.errors import CompileError
from hwflow.frontends.ensemble import model_bytes
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from tests.exploration.spaces import saved

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

SHORT: dict[str, Any] = {"epochs": 20, "batch": 16, "hard": 0.0}


def test_smaller_student_learns_and_becomes_hardware(tmp_path: Path) -> None:
    model, data = saved(tmp_path, "mlp")
    found = distill(model, data, shrink=0.5, run=tmp_path / "run", **SHORT)
    widths = [layer.matrix().shape[1] for layer in layers_of(found.model)]
    assert widths == [4, 3, 3]
    losses = [epoch["loss"] for epoch in found.result["epochs"]]
    assert found.result["chosen"]["loss"] == min(losses) < 0.7 * losses[0]
    assert found.result["chosen"]["samples"] == 24
    student = tmp_path / "run" / MODEL
    trained = train(
        student, data, teachers=[model], goal="ebops=1e6", run=tmp_path / "qat", epochs=2
    )
    design = hwflow.compile(trained.folder / MODEL)
    with np.load(data) as arrays:
        verified = design.verify({"x": arrays["x"]}, cpp=False)
    assert verified.lossless.mismatches == 0


@pytest.mark.parametrize("name", ["mlp", "residual", "branches"])
def test_shrunk_network_has_a_part_of_the_channels(name: str, tmp_path: Path) -> None:
    whole = prepare(frontends.load(saved(tmp_path, name)[0]))
    small = shrunk(whole, 0.5)
    weights = [sum(layer.matrix().size for layer in layers_of(m)) for m in (whole, small)]
    assert weights[1] < 0.7 * weights[0]
    assert shrunk(whole, 1.0) is whole
    ports = [[*m.ir.graph.inputs, *m.ir.graph.outputs] for m in (whole, small)]
    assert [str(v.shape) for v in ports[0]] == [str(v.shape) for v in ports[1]]
    onnx.checker.check_model(onnx.load_from_string(model_bytes(small)))


def test_several_teachers_and_features_are_learned(tmp_path: Path) -> None:
    model, data = saved(tmp_path, "mlp")
    first, second = (n.name for n in prepare(frontends.load(model)).ir.graph if n.op_type == "Relu")
    found = distill(
        model, data, shrink=0.5, teachers=[model, model], features=[f"{second}={first}"],
        temperature=2.0, run=tmp_path / "run", **SHORT,
    )  # fmt: skip
    assert len(found.result["teachers"]) == 2
    assert found.result["taught"]["agreement"] == 1.0
    losses = [epoch["loss"] for epoch in found.result["epochs"]]
    assert min(losses) < 0.7 * losses[0]


@pytest.mark.slow
def test_distillation_goes_on_after_its_process_was_killed(tmp_path: Path) -> None:
    model, data = saved(tmp_path, "mlp")
    whole = distill(model, data, shrink=0.5, run=tmp_path / "whole", draw=80, **SHORT)
    code = (
        "import sys, json, time; from hwflow.compression.api import distill\n"
        "model, data, run, options = sys.argv[1:]\n"
        "distill(model, data, shrink=0.5, run=run, draw=80, say=lambda line: time.sleep(0.05),\n"
        "        **json.loads(options))"
    )
    other = tmp_path / "killed"
    arguments = [str(model), str(data), str(other), json.dumps(SHORT)]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    deadline = time.monotonic() + 60
    while not (other / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (other / RESULT).exists()
    distill(model, data, shrink=0.5, run=other, draw=80, **SHORT)
    for name in (RESULT, MODEL):
        assert (other / name).read_bytes() == (whole.folder / name).read_bytes()
    with pytest.raises(CompileError) as refused:
        distill(model, data, shrink=0.25, run=other, draw=80, **SHORT)
    assert [d.code for d in refused.value.diagnostics] == ["HW355"]
