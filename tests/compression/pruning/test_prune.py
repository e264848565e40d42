"""Prunings: goals, patterns, folders, and that an end in the middle changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.compression.folder import MODEL, RESULT
from hwflow.compression.pruning.prune import Pruned
from hwflow.compression.reductions import prune
from hwflow.core.errors import CompileError
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.simulate.float32 import Reference
from tests.exploration.spaces import saved

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

SHORT: dict[str, Any] = {"epochs": 6, "steps": 2, "batch": 16, "goal": "sparsity=0.5"}


def ran(folder: Path, name: str = "mlp", run: str = "run", **changes: Any) -> Pruned:
    path, data = saved(folder, name)
    return prune(path, data, run=folder / run, **{**SHORT, **changes})


def counted(path: Path) -> tuple[int, int]:
    """Return the weights of a model that are not 0, and all."""
    arrays = [layer.matrix() for layer in layers_of(prepare(hwflow.load(path)))]
    return sum(int((a != 0).sum()) for a in arrays), sum(a.size for a in arrays)


@pytest.mark.parametrize(
    "method", ["l1", pytest.param("gradient", marks=pytest.mark.slow), "movement"]
)
def test_half_of_the_weights_leave(method: str, tmp_path: Path) -> None:
    found = ran(tmp_path, method=method)
    before, left = counted(tmp_path / "mlp.onnx")[0], counted(found.folder / MODEL)[0]
    assert found.reached
    assert left <= before / 2
    assert left == found.result["after"]["weights"]
    assert left >= 0.2 * before  # what has no path to the output any more leaves as well
    assert sum(row["weights"][1] for row in found.result["layers"]) == left


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["weight", "channel"])
def test_the_design_that_is_left_meets_the_goal(pattern: str, tmp_path: Path) -> None:
    found = ran(tmp_path, "residual", goal="lut=7000", pattern=pattern, io_type="io_stream")
    quantized = hwflow.quantize(found.folder / MODEL, tmp_path / "residual.npz")
    total = hwflow.compile(quantized.model, io_type="io_stream").estimate().total
    assert total.lut_synth.value == found.result["after"]["lut_synth"]
    assert found.reached == (total.lut_synth.value <= 7000)
    assert found.reached
    assert found.result["before"]["lut_synth"] > 7000


def test_channels_leave_the_file(tmp_path: Path) -> None:
    found = ran(tmp_path, pattern="channel", goal="sparsity=0.6")
    live, size = counted(found.folder / MODEL)
    assert live == size < 0.4 * counted(tmp_path / "mlp.onnx")[1]


def test_goal_that_cannot_be_met_is_said_so(tmp_path: Path) -> None:
    found = ran(tmp_path, goal="lut=1", steps=1)
    assert not found.reached
    assert found.result["after"]["constant"]  # no path from input to output is left


@pytest.mark.slow
def test_goal_that_is_met_already_changes_no_structure(tmp_path: Path) -> None:
    found = ran(tmp_path, goal="lut=1e9")
    assert found.reached
    assert counted(found.folder / MODEL) == counted(tmp_path / "mlp.onnx")


@pytest.mark.slow
def test_pruned_network_is_quantised_built_and_faithful(tmp_path: Path) -> None:
    found = ran(tmp_path, "residual", pattern="channel", goal="sparsity=0.5")
    data = tmp_path / "residual.npz"
    with np.load(data) as arrays:
        x = arrays["x"]
    quantized = hwflow.quantize(found.folder / MODEL, data)
    design = hwflow.compile(quantized.model, io_type="io_stream")
    verdict = design.verify(x[:20])
    assert verdict.faithful
    ours = next(iter(design.simulate(x[:20]).outputs.values()))
    floats = next(iter(Reference(prepare(hwflow.load(found.folder / MODEL))).run({"x": x[:20]})
                       .values()))  # fmt: skip
    assert np.abs(ours - floats).max() < 0.2 * np.abs(floats).max()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["l1", "movement"])
def test_pruning_goes_on_after_its_process_was_killed(method: str, tmp_path: Path) -> None:
    whole = ran(tmp_path, method=method, steps=3, epochs=8)
    code = (
        "import sys, json; from hwflow.compression.reductions import prune\n"
        "prune(sys.argv[1], sys.argv[2], run=sys.argv[3], **json.loads(sys.argv[4]))"
    )
    other = tmp_path / "killed"
    paths = [str(tmp_path / n) for n in ("mlp.onnx", "mlp.npz", "killed")]
    options = {**SHORT, "method": method, "steps": 3, "epochs": 8}
    process = subprocess.Popen([sys.executable, "-c", code, *paths, json.dumps(options)])
    deadline = time.monotonic() + 120
    while not list(other.glob("steps/*.onnx")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (other / RESULT).exists()
    ran(tmp_path, run="killed", method=method, steps=3, epochs=8)
    for name in (RESULT, MODEL):
        assert (other / name).read_bytes() == (whole.folder / name).read_bytes()


@pytest.mark.slow
def test_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    ran(tmp_path)
    with pytest.raises(CompileError) as refused:
        ran(tmp_path, pattern="channel")
    assert [d.code for d in refused.value.diagnostics] == ["HW355"]


@pytest.mark.slow
def test_multipliers_that_stay_are_refused_and_the_help_works(tmp_path: Path) -> None:
    options = {"pattern": "dsp", "goal": "dsp=36", "bits": "w=14,a=14", "reuse_factor": 2}
    with pytest.raises(CompileError) as refused:
        ran(tmp_path, strategy="resource", **options)
    (finding,) = refused.value.diagnostics
    assert finding.code == "HW361"
    assert not (tmp_path / "run").exists()
    assert ran(tmp_path, strategy="latency", **options).reached
    assert "--pattern channel" in (finding.help or "")
    channels = ran(tmp_path, "mlp", "channels", strategy="resource", **{**options,
                   "pattern": "channel", "goal": "sparsity=0.3", "reuse_factor": 1})  # fmt: skip
    assert channels.reached
