"""Trainings: front, goal, folder, and that an end in the middle changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.compression.folder import CHECKPOINT, MODEL, RESULT, Folder
from hwflow.compression.judging import check
from hwflow.compression.qat import design_of, front_of, train
from hwflow.core.errors import CompileError
from hwflow.exploration.request import Request as Wish
from hwflow.exploration.run import explore
from tests.compression.trainings import begun, request, square, trained

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def test_written_model_is_the_chosen_point(tmp_path: Path) -> None:
    found = trained(tmp_path, epochs=12)
    chosen = found.result["chosen"]
    design = hwflow.compile(tmp_path / "run" / MODEL, io_type="io_stream")
    assert design.estimate().total.lut.value == chosen["lut"]
    assert found.result["compared"] == chosen["samples"] == found.result["float"]["samples"]
    held_out = hwflow.load(tmp_path / "run" / MODEL)
    assert held_out.source == MODEL


def test_goal_is_met_or_said_not_to_be(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    loose = trained(tmp_path / "a", goal="ebops=1e6")
    assert loose.reached
    assert loose.result["chosen"]["loss"] == min(p["loss"] for p in loose.result["points"])
    tight = trained(tmp_path / "b", goal="ebops=1")
    assert not tight.reached
    assert tight.result["chosen"]["ebops"] == min(p["ebops"] for p in tight.result["points"])


def test_luts_in_the_loss_are_set_right_by_the_estimate(tmp_path: Path) -> None:
    found = trained(tmp_path, goal="lut=700", epochs=1, io_type="io_parallel")
    training = begun(request(tmp_path, goal="lut=700", io_type="io_parallel"))
    training.set_right()
    learned, asked = training.network.learned(), training.request
    design = design_of(training.network.skeleton, learned, asked)
    cost = float(training.cost().detach())
    assert cost == pytest.approx(design.estimate().total.lut_synth.value, rel=1e-6)
    assert training.state.fixed < 0.2 * cost
    assert found.result["chosen"]["lut_synth"] > 700
    assert not found.reached


def test_training_goes_on_after_its_process_was_killed(tmp_path: Path) -> None:
    whole = trained(tmp_path, epochs=8)
    asked = request(tmp_path, epochs=8)
    code = (
        "import sys; from pathlib import Path\n"
        "from hwflow.compression.qat import train; from hwflow.compression.request import Request\n"
        "train(Request.from_json(sys.argv[1]), Path(sys.argv[2]))"
    )
    other = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", code, asked.to_json(), str(other)])
    deadline = time.monotonic() + 60
    while not (other / CHECKPOINT).is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (other / RESULT).exists()
    train(asked, other)
    for name in (RESULT, MODEL):
        assert (other / name).read_bytes() == (whole.folder / name).read_bytes()


def test_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)
    with pytest.raises(CompileError) as refused:
        trained(tmp_path, seed=1)
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW355", "another seed")


def test_damaged_checkpoint_is_refused_and_its_help_works(tmp_path: Path) -> None:
    first = trained(tmp_path)
    before = (first.folder / RESULT).read_bytes()
    path = first.folder / CHECKPOINT
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CompileError) as refused:
        trained(tmp_path)
    assert [d.code for d in refused.value.diagnostics] == ["HW352"]
    path.unlink()
    assert trained(tmp_path).folder == first.folder
    assert (first.folder / RESULT).read_bytes() == before


@pytest.mark.parametrize("goal", ["ebops", "ebops=-1", "dsp=4", "lut=many", ""])
def test_unknown_goal_is_refused(goal: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError) as refused:
        trained(tmp_path, goal=goal)
    assert [d.code for d in refused.value.diagnostics] == ["HW351"]
    assert not (tmp_path / "run").exists()


def test_points_on_disk_are_those_of_the_front(tmp_path: Path) -> None:
    from hwflow.compression.training.loop import Epoch

    found = trained(tmp_path, epochs=10)
    kept = sorted(int(p.stem) for p in (found.folder / "points").iterdir())
    assert kept == sorted(p["epoch"] for p in found.result["points"])
    learned = Folder(found.folder).read_point(kept[0])
    assert all(np.isfinite(array).all() for array in learned.arrays().values())
    passed = [(3, 1.0), (2, 2.0), (2, 1.5), (4, 1.0), (1, 9.0)]
    rows = [
        Epoch(number=i, ebops=cost, lut=0, cost=cost, loss=loss, agreement=None, factor=0)
        for i, (cost, loss) in enumerate(passed)
    ]
    assert [e.number for e in front_of(rows)] == [4, 2, 0]


def test_request_survives_as_text(tmp_path: Path) -> None:
    asked = request(tmp_path, seed=3)
    assert type(asked).from_json(asked.to_json()) == asked
    assert json.loads(asked.to_json())["granularity"] == {
        "weights": "weight", "activations": "channel"
    }  # fmt: skip


def test_integers_are_not_drawn_and_the_help_works(tmp_path: Path) -> None:
    asked = request(tmp_path)
    with np.load(asked.data) as arrays:
        whole = {"x": np.rint(arrays["x"] * 4).astype(np.int64), "y": arrays["y"]}
    np.savez(asked.data, **whole)
    with pytest.raises(CompileError) as refused:
        train(replace(asked, draw=50), tmp_path / "drawn")
    assert [d.code for d in refused.value.diagnostics] == ["HW353"]
    assert train(replace(asked, epochs=1), tmp_path / "given").result["compared"] > 0


def test_design_that_differs_from_the_training_is_noticed(tmp_path: Path) -> None:
    training = begun(request(tmp_path))
    learned = training.network.learned()
    design = design_of(training.network.skeleton, learned, training.request)
    assert check(training, design, training.material) > 0
    with torch.no_grad():
        training.network.constants[-1].value[0] += 0.25
    with pytest.raises(CompileError) as refused:
        check(training, design, training.material)
    assert [d.code for d in refused.value.diagnostics] == ["HW354"]


def test_network_that_is_quantised_is_refused_and_the_help_works(tmp_path: Path) -> None:
    found = trained(tmp_path, epochs=1)
    asked = request(tmp_path, model=str(found.folder / MODEL))
    with pytest.raises(CompileError) as refused:
        train(asked, tmp_path / "again")
    assert [d.code for d in refused.value.diagnostics] == ["HW357"]
    assert "hwflow explore" in (refused.value.diagnostics[0].help or "")
    wish = Wish(model=asked.model, data=asked.data, boards=("pynq-z2",), bits="w=3,4 a=4")
    found_again = explore(replace(wish, group=(".*",)), tmp_path / "explored")
    assert found_again.result["certified"]


def test_autoencoder_learns_its_input_and_reads_no_labels(tmp_path: Path) -> None:
    asked = request(tmp_path, task="autoencoder", goal="ebops=1e6")
    square(asked)
    with np.load(asked.data) as arrays:
        np.savez(asked.data, x=arrays["x"], y=np.linspace(0, 1, len(arrays["x"])))
    chosen = train(asked, tmp_path / "run").result["chosen"]
    assert 0 < chosen["mean_squared_error"] < 10
    assert "accuracy" not in chosen
    assert "label_squared_error" not in chosen


def test_regression_learns_labels_like_its_output_and_refuses_others(tmp_path: Path) -> None:
    asked = request(tmp_path, task="regression", goal="ebops=1e6", hard=1.0)
    with np.load(asked.data) as arrays:
        x = arrays["x"]
    np.savez(asked.data, x=x, y=np.linspace(0, 1, len(x)))
    with pytest.raises(CompileError) as refused:
        train(asked, tmp_path / "refused")
    assert [d.code for d in refused.value.diagnostics] == ["HW368"]
    np.savez(asked.data, x=x, y=x[:, :3] * 0.5)
    found = train(replace(asked, epochs=30), tmp_path / "labels").result
    assert found["chosen"]["label_squared_error"] < 0.5 * found["float"]["label_squared_error"]
    np.savez(asked.data, x=x)
    assert "label_squared_error" not in train(asked, tmp_path / "none").result["chosen"]


def test_last_softmax_is_left_out(tmp_path: Path) -> None:
    asked = request(tmp_path, goal="ebops=1e6", epochs=1)
    proto = onnx.load(asked.model)
    scores = proto.graph.output[0].name
    proto.graph.node.append(onnx.helper.make_node("Softmax", [scores], ["p"], axis=-1))
    proto.graph.output[0].name = "p"
    onnx.save(proto, asked.model)
    found = train(asked, tmp_path / "run")
    assert found.result["float"]["agreement"] == 1.0
    written = onnx.load(tmp_path / "run" / MODEL).graph
    assert [v.name for v in written.output] == ["p"]
    assert "Softmax" not in [node.op_type for node in written.node]


def test_network_without_weights_is_refused(tmp_path: Path) -> None:
    asked = request(tmp_path)
    proto = onnx.load(asked.model)
    del proto.graph.node[1:], proto.graph.initializer[:]
    proto.graph.node[0].CopyFrom(onnx.helper.make_node("Relu", ["x"], ["y"]))
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("y", 1, [1, 6]))
    onnx.save(proto, asked.model)
    with pytest.raises(CompileError) as refused:
        train(asked, tmp_path / "run")
    assert [d.code for d in refused.value.diagnostics] == ["HW313"]
    assert not (tmp_path / "run").exists()
