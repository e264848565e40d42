"""Every layer and quantiser of HGQ2 is exact or refused; none is silently different."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32 import Reference
from hwflow.verify.references.exact import ExactReference
from tests.frontends.construct_tables import (
    ANY,
    assert_agree_with_cpp,
    assert_refused_as_documented,
)

pytest.importorskip("hgq")

from tests.frontends.keras3.coverage import (
    BUILT,
    CASES,
    REFUSED,
    inputs,
    models,
    page,
    prediction,
    read,
    refusals,
)

pytestmark = pytest.mark.keras

DOCUMENT = Path(__file__).parents[3] / "docs" / "hgq.md"
SAMPLES = 60
IO_TYPES = ("io_parallel", "io_stream")


def test_names_are_unique() -> None:
    assert len({c.name for c in CASES}) == len(CASES)


def test_what_is_built_predicts_what_keras_predicts() -> None:
    """So do the QONNX model in exact arithmetic, and in float32 in ONNX Runtime."""
    found = {}
    for case in BUILT:
        keras, x = prediction(case, SAMPLES), inputs(case, SAMPLES)
        (ours,) = hwflow.compile(read(case), data=ANY).simulate(x).outputs.values()
        model = infer_shapes(clean_model(read(case)))
        (exact,) = ExactReference(model).run({"x": x}).values()
        (float32,) = Reference(model).run({"x": x}).values()
        wrong = [int((np.asarray(v) != keras).sum()) for v in (ours, exact, float32)]
        if any(wrong):
            found[case.name] = wrong
    assert found == {}


@pytest.mark.parametrize("name", ["MLP", "MLP, SAT", "CNN", "residual", "QConv1D, causal"])
def test_ports_lose_nothing_of_real_numbers(name: str) -> None:
    model = models()[name]
    shape = model.input_shape[1:]
    x = np.random.default_rng(1).normal(0, 3, (300, *shape)).astype(np.float32)
    (ours,) = hwflow.compile(model).simulate(x).outputs.values()
    assert np.array_equal(ours, model.predict(x, verbose=0))


def test_what_is_refused_says_why_and_where_as_documented() -> None:
    said = refusals()
    assert_refused_as_documented(REFUSED, said, DOCUMENT, page(said))


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("io_type", "every"),
    [("io_stream", 24), *(pytest.param(t, 3, marks=pytest.mark.slow) for t in IO_TYPES)],
)
def test_some_agree_with_their_cpp(io_type: str, every: int) -> None:
    designs = [hwflow.compile(read(case), data=ANY, io_type=io_type) for case in BUILT[1::every]]
    assert_agree_with_cpp(designs, 2000)
