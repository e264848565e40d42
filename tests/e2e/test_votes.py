"""Classifiers that return a label, and ensembles, through the whole flow."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.simulate.samples import mixed_data
from tests.cppsim import compare_with_cpp, merged
from tests.frontends.test_ensemble import network

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples" / "digits.npz"


def digits_with_label(keepdims: int = 0) -> onnx.ModelProto:
    """Return the digits network with the label instead of the logits."""
    proto = onnx.load(ROOT / "examples" / "digits_mlp.onnx")
    (out,) = proto.graph.output
    node = helper.make_node("ArgMax", [out.name], ["label"], axis=1, keepdims=keepdims)
    proto.graph.node.append(node)
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, None))
    return proto


@pytest.mark.parametrize(("keepdims", "shape"), [(0, (1797,)), (1, (1797, 1))])
def test_a_label_is_that_of_the_logits(keepdims: int, shape: tuple[int, ...]) -> None:
    logits = hwflow.compile(ROOT / "examples" / "digits_mlp.onnx").verify(DATA, cpp=False)
    found = hwflow.compile(digits_with_label(keepdims)).verify(DATA, cpp=False)
    label = found.simulation.outputs["label"]
    assert label.shape == shape
    wanted = logits.simulation.outputs["logits"].argmax(1)
    np.testing.assert_array_equal(label.reshape(-1), wanted)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0
    (error,) = found.errors
    assert error.argmax_agreement == 1.0
    assert error.accuracy == error.reference_accuracy == logits.errors[0].accuracy
    assert error.accuracy is not None
    assert error.accuracy > 0.9


def agree(backend: str, io_type: str) -> None:
    networks = [network(seed) for seed in range(3)]
    models = {
        "digits": digits_with_label(),
        "two": hwflow.ensemble(networks[:2]),
        "three": hwflow.ensemble(networks),
        "label": hwflow.ensemble(networks, label=True),
    }
    designs = {k: hwflow.compile(m, backend=backend, io_type=io_type) for k, m in models.items()}
    graph = merged({key: design.graph for key, design in designs.items()})
    data = mixed_data(graph, 200).inputs
    found = compare_with_cpp(graph, designs["two"].target, data)
    assert [m for m in found.layers if m.mismatches] == []


@pytest.mark.cpp
def test_labels_and_votes_are_faithful() -> None:
    agree("Vitis", "io_stream")


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "io_type"),
    [("Vitis", "io_parallel"), ("Vivado", "io_parallel"), ("Vivado", "io_stream")],
)
def test_labels_and_votes_are_faithful_on_every_target(backend: str, io_type: str) -> None:
    agree(backend, io_type)


@pytest.mark.cpp
def test_a_label_reaches_the_report(tmp_path: Path) -> None:
    design = hwflow.compile(digits_with_label())
    folder = design.write(tmp_path / "out", design.verify(DATA))
    assert "Accuracy" in (folder / "report.html").read_text()
    assert "accuracy" in (folder / "report.md").read_text().lower()
