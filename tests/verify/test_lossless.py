"""Who judges whether a design is lossless, and how float32 execution of the model is counted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.ops.shared.port_data import real_values
from hwflow.project.design import Design
from hwflow.verify.comparison import full_simulation
from hwflow.verify.lossless import Comparison, ModelValues
from tests.networks import Builder
from tests.verify.exact.models import model, signed_quant

MLP = Path(__file__).parents[2] / "examples" / "digits_mlp.onnx"


@pytest.fixture(scope="module")
def design() -> Design:
    return hwflow.compile(MLP)


@pytest.fixture(scope="module")
def simulation(design: Design) -> Any:
    with np.load(MLP.with_name("digits.npz")) as data:
        return full_simulation(design.graph, {"x": data["x"][:50]})


def own_values(design: Design, simulation: Any) -> dict[str, Any]:
    """Return the hardware's values under the names of the model's."""
    return {
        node.source.name: real_values(simulation.layers[node.name], node.source)
        for node in design.graph.nodes
        if node.source is not None
    }


def judged(design: Design, simulation: Any, **changes: Any) -> Any:
    exact = own_values(design, simulation)
    quantized = frozenset(exact) - {"logits"}
    float32 = {name: value.astype(np.float32) for name, value in exact.items()}
    values = ModelValues(float32, exact, quantized)
    return Comparison(design.graph, simulation).lossless(replace(values, **changes))


def test_values_that_agree(design: Design, simulation: Any) -> None:
    found = judged(design, simulation)
    assert (found.holds, found.first, found.float32_only) == (True, None, "")
    assert found.float32.differs == found.float32.unquantized_differs == 0
    assert found.float32.unquantized == 500
    assert found.float32.elements + 500 == sum(layer.elements for layer in found.layers)
    assert all(layer.float32_differs == 0 for layer in found.layers)


def test_float32_that_differs_is_counted_and_not_held_against_the_hardware(
    design: Design, simulation: Any
) -> None:
    exact = own_values(design, simulation)
    float32 = {name: value.astype(np.float32) for name, value in exact.items()}
    names = [n.source.name for n in design.graph.nodes if n.source and n.source.name != "logits"]
    float32[names[1]] = float32[names[1]].copy()
    float32[names[1]].flat[3:6] += np.float32(1)
    float32["logits"] = np.nextafter(float32["logits"], np.float32(9))
    found = judged(design, simulation, float32=float32)
    assert found.holds
    assert (found.float32.differs, found.float32.unquantized_differs) == (3, 500)
    layer = next(n for n in design.graph.nodes if n.source and n.source.name == names[1])
    assert found.float32.first == layer.origin
    counts = {m.name: m.float32_differs for m in found.layers}
    assert counts[layer.name] == 3
    assert sum(counts.values()) == 503


def test_exact_values_decide_to_the_last_bit_of_float64(design: Design, simulation: Any) -> None:
    exact = own_values(design, simulation)
    exact["logits"] = exact["logits"].copy()
    exact["logits"][7, 2] = np.nextafter(exact["logits"][7, 2], 99.0)
    found = judged(design, simulation, exact=exact)
    assert (found.holds, found.mismatches) == (False, 1)
    assert (found.first.index, found.first.cause) == (
        (7, 2),
        "no setting and no approximate layer explains it: an error in hwflow",
    )


def test_float32_alone_rounds_both_sides(design: Design, simulation: Any) -> None:
    found = judged(design, simulation, exact=None, float32_only="no evaluation of LSTM")
    assert (found.holds, found.float32, found.float32_only) == (True, None, "no evaluation of LSTM")
    assert all(layer.float32_differs is None for layer in found.layers)


def test_ties_that_float32_decides_otherwise_are_counted() -> None:
    """A mean of four levels lies on a tie of the same scale; in float32, 0.1 moves it off."""
    b = Builder(np.random.default_rng(1))
    x = signed_quant(b, "x", scale=0.1)
    mean = b.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    proto = model(b, [signed_quant(b, mean, scale=0.1)], (2, 4, 4))
    data = np.random.default_rng(0).normal(0, 0.5, (500, 2, 4, 4)).astype(np.float32)
    found = hwflow.compile(proto).verify(data, cpp=False).lossless
    assert found is not None
    assert found.float32 is not None
    assert (found.holds, found.mismatches, found.float32_only) == (True, 0, "")
    assert 0 < found.float32.differs < 400
    assert found.float32.first == found.layers[-1].origin
