"""Heuristic searches come near the certified front, whatever their seed.

The jets are a Keras MLP and its data, by their paths: ``JETS_MODEL`` and ``JETS_DATA``.
"""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwflow.exploration.explorer import Explorer
from hwflow.exploration.request import Request
from hwflow.exploration.run import EVALUATIONS, explore
from hwflow.exploration.store import open_store
from tests.benchmarks.explore_search import Known

EXAMPLES = Path(__file__).parents[2] / "examples"


def files(name: str, folder: Path) -> tuple[Path, Path]:
    """Return the paths of a model and its data."""
    if name == "digits":
        return EXAMPLES / "digits_float.onnx", EXAMPLES / "digits.npz"
    given = [os.environ.get(variable) for variable in ("JETS_MODEL", "JETS_DATA")]
    if not all(given):
        pytest.skip("JETS_MODEL and JETS_DATA name no files")
    from tests.benchmarks.bench_explore import logits_model  # optuna: only where it is asked for

    model, data = map(Path, filter(None, given))
    onnx.save(logits_model(model), folder / "jets.onnx")
    return folder / "jets.onnx", data


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "jets"])
def test_searches_cover_the_certified_front(tmp_path: Path, name: str) -> None:
    model, data = files(name, tmp_path)
    asked = Request(
        model=str(model), data=str(data), boards=("pynq-z2",), bits="w=2:6 a=3:7"
    )  # fmt: skip
    explore(asked, tmp_path / "run", exhaustive=True)
    with open_store(tmp_path / "run", new=False) as store:
        counts = np.concatenate([found for _, found in store.counts()])
    known = Known.of(Explorer.of(asked), counts)
    assert len(counts) == 5**8
    assert known.covered(np.arange(len(counts))) == pytest.approx(1, rel=1e-12)
    assert known.covered(known.first) < 0.98  # which searching improves
    covered = {}
    for seed in range(10):
        found = known.searched(seed, EVALUATIONS)
        assert len(np.unique(found)) == len(found) <= EVALUATIONS
        covered[seed] = known.covered(found)
    assert len(covered) == 10
    assert {seed: share for seed, share in covered.items() if share < 0.98} == {}
