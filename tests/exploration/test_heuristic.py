"""Heuristic searches come near the certified front, whatever their seed."""

from pathlib import Path

import numpy as np
import pytest

from hwflow.exploration.explorer import Explorer
from hwflow.exploration.request import Request
from hwflow.exploration.run import EVALUATIONS, explore
from hwflow.exploration.store import open_store
from tests.benchmarks.explore_search import Known

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_searches_cover_the_certified_front_of_the_digits(tmp_path: Path) -> None:
    asked = Request(
        model=str(EXAMPLES / "digits_float.onnx"), data=str(EXAMPLES / "digits.npz"),
        boards=("pynq-z2",), bits="w=2:6 a=3:7",
    )  # fmt: skip
    explore(asked, tmp_path / "run", exhaustive=True)
    with open_store(tmp_path / "run", new=False) as store:
        counts = np.concatenate([found for _, found in store.counts()])
    known = Known.of(Explorer.of(asked), counts)
    assert len(counts) == 5**8
    assert known.covered(np.arange(len(counts))) == pytest.approx(1, rel=1e-12)
    assert known.covered(known.first) < 0.98  # which searching improves
    for seed in range(10):
        found = known.searched(seed, EVALUATIONS)
        assert len(np.unique(found)) == len(found) <= EVALUATIONS
        assert known.covered(found) >= 0.98
