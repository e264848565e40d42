"""Written projects of small networks, for the tests of blocks."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

import hwflow
from tests.cli.command import dense
from tests.fixtures import model
from tests.networks import DOMAIN, Builder

EXAMPLES = Path(__file__).parents[2] / "examples"


def build(folder: Path, source: Any = None, data: Any = None, **target: Any) -> Path:
    """Write the project of a model with test vectors, and without compiling C++."""
    design = hwflow.compile(source or dense(), **target)
    return design.write(folder, design.verify(data, cpp=False))


def wide() -> onnx.ModelProto:
    """Return a dense layer whose sums have more than 32 bits."""
    b = Builder(np.random.default_rng(3))
    x = b.quant("x", 16, 2.0**-8, signed=True)
    return model(b, b.node("MatMul", [x, b.weight((5, 3), 16, 2.0**-8)]), (1, 5), (1, 3))


def two_ports() -> onnx.ModelProto:
    """Return a network of two inputs of different sizes and two outputs of different types."""
    b = Builder(np.random.default_rng(4))
    x = b.quant("x", 5, 1 / 4, signed=True)
    y = b.quant("y", 11, 1 / 16, signed=False)
    first = b.node("MatMul", [x, b.weight((5, 3), 4, 1 / 4)])
    first = b.quant(b.node("Relu", [first]), 4, 1 / 4, signed=False)
    both = b.node("Concat", [first, y], axis=1)
    second = b.node("MatMul", [both, b.weight((15, 7), 4, 1 / 4)])

    def value(name: str, size: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, size))

    ports = [[value("x", 5), value("y", 12)], [value(first, 3), value(second, 7)]]
    graph = helper.make_graph(b.nodes, "two_ports", *ports, b.tensors)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
