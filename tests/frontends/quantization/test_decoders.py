"""Float decoders and interaction networks are quantised, and are then built exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.simulate.float32 import Reference

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_a_transposed_convolution_is_quantised() -> None:
    rng = np.random.default_rng(0)
    weight = onnx.numpy_helper.from_array(rng.normal(size=(2, 3, 3, 3)).astype(np.float32), "w")
    graph = onnx.parser.parse_graph(
        "up (float[1, 2, 4, 3] x) => (float[1, 3, 4, 3] y) { wide = ConvTranspose"
        "<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]>(x, w)\n"
        "active = Relu(wide)\n y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(active) }"
    )
    graph.initializer.append(weight)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    data = rng.normal(size=(100, 2, 4, 3)).astype(np.float32)
    quantized = hwflow.quantize(model, data, "w=6,a=8")
    (found,) = hwflow.compile(quantized.model).simulate(data).outputs.values()
    (expected,) = Reference(quantized.model).run({"x": data}, ["y"]).values()
    np.testing.assert_array_equal(found.astype(np.float32).reshape(expected.shape), expected)


@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("name", ["digits_unet", "interaction"])
def test_examples_are_lossless(name: str, io_type: str) -> None:
    with np.load(EXAMPLES / f"{name}.npz") as data:
        found = hwflow.compile(EXAMPLES / f"{name}.onnx", io_type=io_type).verify(data["x"][-60:])
    assert found.faithful.holds
    assert found.lossless is not None
    assert found.lossless.holds
