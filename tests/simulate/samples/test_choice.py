"""The vectors that reach the most: counted again from the vectors themselves."""

import json
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.data import read_data
from hwflow.simulate.coverage.goals import Goals
from hwflow.simulate.numpy import goals_reached
from hwflow.simulate.samples import made_data
from tests.fixtures import table_network

ROOT = Path(__file__).parents[3]
MLP = ROOT / "examples" / "digits_mlp.onnx"
DIGITS = ROOT / "examples" / "digits.npz"


def test_few_vectors_reach_what_all_samples_reach() -> None:
    design = hwflow.compile(MLP)
    graph, goals = design.graph, Goals.of(design.graph)
    vectors = design.vectors(DIGITS, samples=400, cover=True)
    x = vectors.ports[0].values.values
    given = read_data(DIGITS, ["x"]).inputs["x"]
    pool = np.concatenate([given.reshape(len(given), -1), made_data(graph).inputs["x"]])
    together = goals_reached(graph, goals, {"x": pool}).any(0)
    reached = goals_reached(graph, goals, {"x": x})
    assert np.array_equal(reached.any(0), together)
    assert len(x) < 150
    for sample in range(len(x)):  # none is there for nothing
        assert (reached[sample] & (reached.sum(0) == 1)).any() or sample in _spare(reached)
    assert f"{together.sum():,} of {goals.count:,} goals" in vectors.source


def _spare(reached: np.ndarray) -> set[int]:
    """Return samples that greedy choice took before others made them unnecessary."""
    alone = [(row & (reached.sum(0) == 1)).any() for row in reached]
    spare = {number for number, needed in enumerate(alone) if not needed}
    assert len(spare) <= len(reached) // 5
    return spare


def test_real_samples_come_first_and_made_up_ones_are_counted() -> None:
    design = hwflow.compile(MLP)
    vectors = design.vectors(DIGITS, cover=True)
    told = json.loads(vectors.files(["npy"])["vectors.json"])
    made = told["made_up_samples"]
    assert 0 < made < told["samples"] == vectors.samples
    assert f"{vectors.samples - made} samples of digits.npz" in told["data"]
    given = read_data(DIGITS, ["x"]).inputs["x"].reshape(-1, 64)
    step = design.graph.types["x"].dtype.step
    real = {tuple(row) for row in np.clip(np.rint(given / step), 0, 31).astype(int).tolist()}
    rows = [tuple(row) for row in vectors.ports[0].values.raw.tolist()]
    assert all(row in real for row in rows[: vectors.samples - made])


@pytest.mark.parametrize("samples", [1, 7])
def test_fewer_vectors_than_would_reach_everything(samples: int) -> None:
    vectors = hwflow.compile(table_network(8)).vectors(samples=samples, cover=True)
    assert vectors.samples == samples


def test_a_build_ships_them(tmp_path: Path) -> None:
    design = hwflow.compile(MLP)
    design.write(tmp_path / "net", design.verify(DIGITS, cpp=False))
    told = json.loads((tmp_path / "net" / "sim" / "vectors" / "vectors.json").read_text())
    assert told["samples"] == design.vectors(DIGITS, cover=True).samples
    assert "goals of coverage" in told["data"]
    assert 0 < told["made_up_samples"] < told["samples"]
