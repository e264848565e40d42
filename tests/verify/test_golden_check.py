"""The golden model that is written against the simulation: it holds, and a wrong one is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.codegen.golden.model import GoldenModel
from hwflow.project.design import Design
from hwflow.verify.comparison import full_simulation
from hwflow.verify.golden import LAYER_SAMPLES, check_golden

EXAMPLES = Path(__file__).parents[2] / "examples"


def images(count: int) -> np.ndarray:
    return np.load(EXAMPLES / "digits.npz")["x"][:count]


def broken(content: bytes) -> bytes:
    """Return a model whose largest float constant has one other element."""
    model = onnx.load_from_string(content)
    array, place = max(
        ((onnx.numpy_helper.to_array(t), t) for t in model.graph.initializer),
        key=lambda pair: pair[0].size if pair[0].dtype.kind == "f" else 0,
    )
    changed = array.copy()
    changed.flat[changed.size // 2] += 1
    place.CopyFrom(onnx.numpy_helper.from_array(changed, place.name))
    return model.SerializeToString()


@pytest.fixture(scope="module")
def design() -> Design:
    return hwflow.compile(EXAMPLES / "digits_residual.onnx")


def test_outputs_are_compared_for_all_data_and_layers_for_some(design: Design) -> None:
    data = images(LAYER_SAMPLES + 44)
    found = design.verify(data, cpp=False)
    assert found.golden is not None
    assert (found.golden.holds, found.golden.samples) == (True, len(data))
    sizes = {name: t.size for name, t in design.graph.types.items()}
    compared = {layer.name: layer.elements for layer in found.golden.layers}
    leaving = design.graph.output_values
    assert compared == {
        name: size * (len(data) if name in leaving else LAYER_SAMPLES)
        for name, size in sizes.items()
    }


@pytest.mark.parametrize("name", ["digits_residual", "digits_mlp"])
def test_a_file_that_gives_other_bits_is_found(name: str) -> None:
    design = hwflow.compile(EXAMPLES / f"{name}.onnx")
    content = broken(design.golden.content or b"")
    found = replace(design, stored_golden=GoldenModel(content)).verify(images(300), cpp=False)
    assert found.golden is not None
    assert not found.golden.holds
    assert not found.bit_exact
    first = found.golden.first
    assert first is not None
    assert first.layer in design.graph.output_values
    step = design.graph.types[first.layer].dtype.step
    raw = full_simulation(design.graph, {design.graph.inputs[0].name: images(300)}).layers
    assert first.expected == raw[first.layer].values[first.index] != first.found
    assert (first.found / step).is_integer()


def test_data_that_float32_does_not_hold_enters_in_float64() -> None:
    design = hwflow.compile(EXAMPLES / "digits_mlp.onnx")
    (port,) = design.graph.inputs
    data = {port.name: images(20).reshape(20, -1) + np.ldexp(1.0, -40)}
    simulation = full_simulation(design.graph, data)
    found = check_golden(design.graph, design.golden.content, data, simulation)
    assert found is not None
    assert found.holds
