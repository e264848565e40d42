"""Every layer and quantiser of Keras and QKeras is exact or refused; none is silently different."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwflow
from tests.frontends.construct_tables import (
    ANY,
    assert_agree_with_cpp,
    assert_refused_as_documented,
)
from tests.frontends.keras.case import APPROXIMATE
from tests.frontends.keras.coverage import (
    BUILT,
    CASES,
    REFUSED,
    inputs,
    models,
    page,
    prediction,
    refusals,
)

pytestmark = pytest.mark.keras

DOCUMENT = Path(__file__).parents[3] / "docs" / "keras.md"
SAMPLES = 100
IO_TYPES = ("io_parallel", "io_stream")


def test_names_are_unique() -> None:
    assert len({c.name for c in CASES}) == len(CASES)


def differences(*, graph: bool) -> dict[str, tuple[int, float, float]]:
    """Return the cases that differ from Keras: how many values, and the first pair."""
    found = {}
    for case in BUILT:
        design = hwflow.compile(models()[case.name], data=ANY)
        (ours,) = design.simulate(inputs(case.shape, SAMPLES)).outputs.values()
        keras = prediction(case, SAMPLES, graph=graph)
        assert ours.shape == keras.shape, case.name
        allowed = 0.0
        if case.outcome == APPROXIMATE:
            assert any(node.op.approximate for node in design.graph.nodes)
            allowed = 0.01
        wrong = np.abs(ours - keras) > allowed
        if wrong.any():
            found[case.name] = (int(wrong.sum()), ours[wrong][0], keras[wrong][0])
    return found


def test_what_is_built_predicts_what_keras_predicts() -> None:
    assert differences(graph=False) == {}


@pytest.mark.slow
def test_what_is_built_predicts_what_keras_predicts_as_a_graph() -> None:
    assert differences(graph=True) == {}


def test_what_is_refused_says_why_and_where_as_documented() -> None:
    said = refusals()
    assert_refused_as_documented(REFUSED, said, DOCUMENT, page(said))


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("io_type", "every"),
    [("io_stream", 40), *(pytest.param(t, 4, marks=pytest.mark.slow) for t in IO_TYPES)],
)
def test_some_agree_with_their_cpp(io_type: str, every: int) -> None:
    designs = [
        hwflow.compile(models()[case.name], data=ANY, io_type=io_type) for case in BUILT[3::every]
    ]
    assert_agree_with_cpp(designs, 4096)
