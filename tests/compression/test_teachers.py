"""Teachers: the mean of several, values inside, and those that do not fit."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from hwflow import frontends
from hwflow.compression.teachers import Teachers, outputs_of, teachers_of, value_named
from hwflow.core.errors import CompileError
from hwflow.frontends.quantization.layers import array_of, layers_of, store
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel
from tests.exploration.spaces import saved


def networks(folder: Path) -> tuple[QonnxModel, QonnxModel, dict[str, np.ndarray]]:
    """Return two networks of one form, and samples."""
    path, data = saved(folder, "mlp")
    one = prepare(frontends.load(path))
    two = clone(one)
    for layer in layers_of(two):
        store(layer.weight, array_of(layer.weight)[::-1])
    with np.load(data) as arrays:
        return one, prepare(two), {"x": arrays["x"]}


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_probabilities_of_teachers_are_averaged(temperature: float, tmp_path: Path) -> None:
    one, two, inputs = networks(tmp_path)
    both = Teachers(one, (one, two), temperature)
    ((taught,), _) = (list(a.values()) for a in both.answers(inputs, classes=True))
    each = [next(iter(outputs_of(m, inputs).values())) for m in (one, two)]
    mean = np.mean([softmax(np.float64(z) / temperature) for z in each], axis=0)
    assert softmax(np.float64(taught) / temperature) == pytest.approx(mean, abs=1e-6)
    (numbers,) = both.answers(inputs, classes=False)[0].values()
    assert numbers == pytest.approx((each[0] + each[1]) / 2, abs=1e-6)


def test_logits_are_taken_before_a_softmax(tmp_path: Path) -> None:
    one, _, inputs = networks(tmp_path)
    path = tmp_path / "mlp.onnx"
    proto = onnx.load(path)
    scores = proto.graph.output[0].name
    proto.graph.node.append(onnx.helper.make_node("Softmax", [scores], ["p"], axis=-1))
    proto.graph.output[0].name = "p"
    onnx.save(proto, path)
    soft = teachers_of(one, [frontends.load(path)], temperature=1.0)
    (taught,) = soft.answers(inputs, classes=True)[0].values()
    (logits,) = outputs_of(one, inputs).values()
    assert np.array_equal(taught, logits)
    (numbers,) = soft.answers(inputs, classes=False)[0].values()
    assert numbers == pytest.approx(softmax(logits), abs=1e-6)


def test_teacher_with_other_outputs_is_refused(tmp_path: Path) -> None:
    one, _, _ = networks(tmp_path)
    proto = onnx.load(tmp_path / "mlp.onnx")
    last = proto.graph.node.pop()
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(last.input[0], 1, [1, 6]))
    onnx.save(proto, tmp_path / "other.onnx")
    with pytest.raises(CompileError) as refused:
        teachers_of(one, [frontends.load(tmp_path / "other.onnx")], temperature=1.0)
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW365", "outputs [6]")
    assert finding.supported == "[3], as in mlp.onnx"


def test_feature_that_is_not_there_is_refused_and_the_names_it_lists_work(tmp_path: Path) -> None:
    one, _, inputs = networks(tmp_path)
    with pytest.raises(CompileError) as refused:
        teachers_of(one, [], temperature=1.0, features=["nowhere=neither"])
    codes = {d.code for d in refused.value.diagnostics}
    assert codes == {"HW366"}
    listed = refused.value.diagnostics[0].supported.split(": ")[1].split(", ")
    pairs = [f"{name}={name}" for name in listed]
    found = teachers_of(one, [], temperature=1.0, features=pairs)
    _, inner = found.answers(inputs, classes=True)
    assert set(inner) == {value_named(one, name) for name in listed}
