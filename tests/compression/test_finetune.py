"""The loop that trains float networks: what it changes, what it keeps, and that it goes on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hwflow import frontends
from hwflow.compression.material import Material, material_of
from hwflow.compression.teachers import Teachers, outputs_of
from hwflow.frontends.ensemble import model_bytes
from hwflow.frontends.quantization.layers import array_of, layers_of, store
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.samples import split
from hwflow.ir.qonnx.model import QonnxModel
from tests.exploration.spaces import saved

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def given(folder: Path, name: str = "mlp", **features: str) -> tuple[QonnxModel, Material]:
    """Return a network whose weights are drawn anew, and samples with the old one as teacher."""
    path, data = saved(folder, name)
    teacher = prepare(frontends.load(path))
    student = clone(teacher)
    rng = np.random.default_rng(2)
    for layer in layers_of(student):
        store(layer.weight, array_of(layer.weight) + 0.3 * rng.normal(size=layer.weight.shape))
    teachers = Teachers(prepare(student), (teacher,), features=features)
    samples = split(teacher, data)
    return prepare(student), material_of(teachers, samples, task="classification", drawn=0, seed=0)


def settings(**changes: Any) -> Any:
    from hwflow.compression.training.finetune import Settings

    return Settings(**{"epochs": 8, "batch": 16, "rate": 1e-2, "hard": 0.0, **changes})


def test_student_learns_its_teacher_by_the_loss_that_is_computed_by_hand(tmp_path: Path) -> None:
    from hwflow.compression.training.finetune import finetune

    student, material = given(tmp_path)
    found = finetune(student, material, settings(temperature=2.0))
    part, temperature = material.validate, 2.0
    for model, passed in ((student, found.epochs[0]), (found.model, found.best)):
        (ours,) = outputs_of(model, part.inputs).values()
        (theirs,) = part.taught.values()
        p, q = (_softmax(np.float64(z) / temperature) for z in (theirs, ours))
        kept = (p * np.log(p / q)).sum(1).mean() * temperature**2
        assert passed.loss == pytest.approx(kept, rel=1e-5)
    assert found.best.loss < 0.5 * found.epochs[0].loss


def _softmax(scores: Any) -> Any:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("name", ["mlp", "residual"])
def test_network_in_training_computes_what_its_file_does(name: str, tmp_path: Path) -> None:
    from hwflow.compression.training.floats import FloatNetwork

    student, material = given(tmp_path, name)
    network = FloatNetwork(student, {})
    feeds = {n: torch.from_numpy(a) for n, a in material.train.inputs.items()}
    with torch.no_grad():
        ours = network.logits(feeds)
    for output, theirs in outputs_of(student, material.train.inputs).items():
        assert ours[output].numpy() == pytest.approx(theirs, abs=1e-5)


def test_masked_weights_stay_zero_and_their_gradients_are_seen(tmp_path: Path) -> None:
    from hwflow.compression.training.finetune import finetune

    student, material = given(tmp_path)
    name = next(iter(layers_of(student))).weight.name or ""
    mask = np.random.default_rng(0).random(student.ir.graph.initializers[name].shape) < 0.5
    seen = []

    def watch(weights: Any, gradients: Any) -> None:
        seen.append(np.abs(gradients[name][~mask]).sum() > 0)
        assert not weights[name][~mask].any()

    found = finetune(student, material, settings(epochs=2), masks={name: mask}, watch=watch)
    trained = array_of(found.model.ir.graph.initializers[name])
    assert len(seen) == 2 * -(-material.train.size // 16)
    assert all(seen)
    assert np.array_equal(trained != 0, mask)


def test_no_better_epoch_ends_the_training_and_the_best_is_kept(tmp_path: Path) -> None:
    from hwflow.compression.training.finetune import finetune

    student, material = given(tmp_path)
    found = finetune(student, material, settings(epochs=40, rate=1.0, patience=3))
    assert found.best == min(found.epochs, key=lambda e: e.loss)
    assert len(found.epochs) < 40
    assert found.epochs[-1].number - found.best.number == 3
    teachers = replace(material, held_out=material.train)  # has no part in what is chosen
    again = finetune(student, teachers, settings(epochs=40, rate=1.0, patience=3))
    assert model_bytes(again.model) == model_bytes(found.model)


def test_features_are_learned_behind_a_map_of_another_width(tmp_path: Path) -> None:
    from hwflow.compression.training.finetune import finetune

    student, _ = given(tmp_path)
    hidden = [node.outputs[0].name or "" for node in student.ir.graph if node.op_type == "Relu"]
    _, material = given(tmp_path, **{hidden[1]: hidden[0]})
    (theirs,) = material.train.features.values()
    assert theirs.shape[1] == 8
    found = finetune(student, material, settings(epochs=30))
    plain = finetune(student, given(tmp_path)[1], settings(epochs=30))
    distances = [_unexplained(m, material, hidden[1]) for m in (found.model, plain.model)]
    assert distances[0] < 0.9 * distances[1]


def _unexplained(model: QonnxModel, material: Material, name: str) -> float:
    """Return the part of the teacher's features that no linear map of the student's gives."""
    from hwflow.compression.teachers import values_at

    ours = values_at(model, dict(material.train.inputs), [name])[name]
    (theirs,) = material.train.features.values()
    rest = theirs - ours @ np.linalg.lstsq(ours, theirs, rcond=None)[0]
    return float((rest**2).sum() / (theirs**2).sum())


def test_training_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path: Path) -> None:
    from hwflow.compression.training.finetune import finetune

    student, material = given(tmp_path)
    path = tmp_path / "state.pt"
    lines: list[str] = []

    def stop(line: str) -> None:
        lines.append(line)
        if len(lines) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(student, material, settings(), checkpoint=path, say=stop)
    found = finetune(student, material, settings(), checkpoint=path, say=lines.append)
    assert len(lines) == 9
    whole = finetune(student, material, settings())
    assert found.epochs == whole.epochs
    assert model_bytes(found.model) == model_bytes(whole.model)
    onnx.checker.check_model(onnx.load_from_string(model_bytes(found.model)))
