"""`HWFLOW_DUMP` gets what each pass changed: models as ONNX files, graphs as text."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.ir.text import print_graph
from hwflow.passes import PIPELINE

MODEL = Path(__file__).parents[2] / "examples" / "digits_mlp.onnx"


def test_models_and_graphs_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "dump"
    monkeypatch.setenv("HWFLOW_DUMP", str(folder))
    design = hwflow.compile(MODEL)
    monkeypatch.delenv("HWFLOW_DUMP")
    files = sorted(folder.iterdir())
    names = {f"{number:02}-{step.name}": step for number, step in enumerate(PIPELINE, 1)}
    assert {f.stem for f in files} <= set(names)
    lower = next(i for i, f in enumerate(files) if f.stem.endswith("-lower"))
    assert lower >= 2
    assert {f.suffix for f in files[:lower]} == {".onnx"}
    assert {f.suffix for f in files[lower:]} == {".txt"}
    assert files[-1].read_text("utf-8") == print_graph(design.graph)
    contents = [f.read_bytes() for f in files]
    assert all(a != b for a, b in pairwise(contents))

    x = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)
    (expected,) = design.simulate(x).outputs.values()
    for file in files[:lower]:  # each is a model that computes the same
        onnx.checker.check_model(onnx.load(file), full_check=False)
        (found,) = hwflow.compile(file).simulate(x).outputs.values()
        np.testing.assert_array_equal(found, expected)


def test_nothing_is_written_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HWFLOW_DUMP", raising=False)
    monkeypatch.chdir(tmp_path)
    hwflow.compile(MODEL)
    assert list(tmp_path.iterdir()) == []
