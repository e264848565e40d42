"""Data files: which array is which, and what is made up where there is none."""

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.ir.graph import Graph
from hwflow.simulate.samples import as_data
from tests.cli.command import dense
from tests.cli.test_hostile_names import hostile_network

BRACKETS = b"\x93NUMPY\x01\x00\x04\x00" + b"(" * 4
ONE = np.arange(12, dtype=np.float32).reshape(3, 4)


def graph() -> Graph:
    return hwflow.compile(dense()).graph


@pytest.mark.parametrize("name", ["x", "inputs", "data", "anything"])
def test_a_single_input_is_found_under_several_names(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **{name: ONE, "labels": [0, 1, 2]})
    found = as_data(tmp_path / "d.npz", graph())
    np.testing.assert_array_equal(found.inputs["x"], ONE)
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 2]
    assert found.source == "d.npz"


def test_arrays_and_npy_files_are_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", ONE)
    for given in (ONE, {"x": ONE}, tmp_path / "d.npy", str(tmp_path / "d.npy")):
        found = as_data(given, graph())
        np.testing.assert_array_equal(found.inputs["x"], ONE)
        assert found.labels is None


def test_an_input_called_y_is_not_taken_for_labels() -> None:
    net = hwflow.compile(hostile_network(("y", "x"), "net")).graph
    arrays = {"x": ONE[:, :2], "y": ONE[:, 2:]}
    found = as_data(arrays, net)
    assert found.labels is None
    np.testing.assert_array_equal(found.inputs["y"], ONE[:, 2:])


def test_one_column_of_labels_is_as_good_as_none() -> None:
    found = as_data({"x": ONE, "y": np.array([[2], [1], [0]])}, graph())
    assert found.labels is not None
    assert found.labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    "labels", [np.zeros(2, int), np.zeros((3, 2, 2)), np.array(["a", "b", "c"]), np.array(1)]
)
def test_labels_that_do_not_fit(labels: object) -> None:
    with pytest.raises(CompileError, match="HW406"):
        as_data({"x": ONE, "y": np.asarray(labels)}, graph())


def test_accuracy_counts_labels() -> None:
    design = hwflow.compile(dense())
    rng = np.random.default_rng(0)
    x = rng.uniform(-4, 4, (100, 4)).astype(np.float32)
    outputs = next(iter(design.simulate(x).outputs.values()))
    labels = outputs.argmax(1)
    labels[:25] = (labels[:25] + 1) % 3
    for form in (labels, labels[:, None], np.eye(3)[labels]):
        (error,) = design.verify({"x": x, "y": form}, cpp=False).errors
        assert error.accuracy == 0.75


def test_flat_data_is_taken_in_the_same_order() -> None:
    design = hwflow.compile(Path(__file__).parents[2] / "examples" / "digits_cnn.onnx")
    (port,) = design.graph.inputs
    images = np.random.default_rng(0).uniform(0, 1, (5, 1, 8, 8)).astype(np.float32)
    whole = design.simulate({port.name: images}).outputs
    flat = design.simulate({port.name: images.reshape(5, 64)}).outputs
    for name, values in whole.items():
        np.testing.assert_array_equal(values, flat[name])


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "d.npy", ONE)
    monkeypatch.setattr("hwflow.core.data.MAX_BYTES", 10)
    with pytest.raises(CompileError, match=r"HW400(.|\n)*more than"):
        as_data(tmp_path / "d.npy", graph())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04N.", b"hello", BRACKETS])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(CompileError, match="HW400"):
        as_data(tmp_path / "d.npz", graph())
