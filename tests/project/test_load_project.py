"""Written projects opened as hls4ml's users open theirs."""

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from tests.package.builds import EXAMPLES, build, two_ports


def test_a_project_predicts_what_its_vectors_say(tmp_path: Path) -> None:
    folder = build(tmp_path / "net", EXAMPLES / "digits_mlp.onnx", EXAMPLES / "digits.npz")
    vectors = folder / "sim" / "vectors"
    (x,) = (np.load(p) for p in vectors.glob("input_*.npy") if ".raw" not in p.name)
    (y,) = (np.load(p) for p in vectors.glob("output_*.npy") if ".raw" not in p.name)
    project = hwflow.load_project(folder)
    assert np.array_equal(project.predict(x), y)
    with pytest.raises(CompileError, match="HW403"):
        project.predict(x[:, 1:])


def test_several_inputs_and_outputs_are_lists(tmp_path: Path) -> None:
    folder = build(tmp_path / "net", two_ports())
    project = hwflow.load_project(folder)
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(7, 5)), rng.normal(size=(7, 12))]
    first, second = project.predict(x)
    assert (first.shape, second.shape) == ((7, 3), (7, 7))
    expected = project.design.simulate(dict(zip(("x", "y"), x, strict=True))).outputs
    for found, values in zip((first, second), expected.values(), strict=True):
        assert np.array_equal(found, values)
    with pytest.raises(ValueError, match="shorter"):
        project.predict(x[:1])
