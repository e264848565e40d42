"""Every layer and quantiser of Keras and QKeras is exact or refused; none is silently different."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.design import Design
from tests.cppsim import compare_with_cpp, merged
from tests.frontends.keras.case import APPROXIMATE
from tests.frontends.keras.coverage import (
    BUILT,
    CASES,
    REFUSED,
    findings,
    inputs,
    models,
    page,
    prediction,
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
        design = hwflow.compile(models()[case.name])
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
    said = {case.name: findings(case) for case in REFUSED}
    codes = {name: ", ".join(sorted({d.code for d in found})) for name, found in said.items()}
    assert codes == {case.name: case.outcome for case in REFUSED}
    for finding in (f for found in said.values() for f in found):
        assert finding.where
        assert finding.help or finding.supported, finding
    assert DOCUMENT.read_text("utf-8") == page(said), "run python -m tests.frontends.keras.coverage"


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("io_type", "every"),
    [("io_stream", 20), *(pytest.param(t, 4, marks=pytest.mark.slow) for t in IO_TYPES)],
)
def test_some_agree_with_their_cpp(io_type: str, every: int) -> None:
    designs: dict[str, Design] = {}
    for number, case in enumerate(BUILT[3::every]):
        designs[f"c{number}"] = hwflow.compile(models()[case.name], io_type=io_type)
    graph = merged({key: d.graph for key, d in designs.items()})
    rng = np.random.default_rng(0)
    data = {
        port.name: rng.integers(-4096, 4096, (50, *graph.types[port.value].shape)) / 256.0
        for port in graph.inputs
    }
    target = next(iter(designs.values())).target
    found = compare_with_cpp(graph, target, data)
    assert [m for m in found.layers if m.mismatches] == []
