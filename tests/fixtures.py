"""Small QONNX models made in memory, for tests and benchmarks."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.networks import DOMAIN, Builder


def model(
    b: Builder, output: str, shape_in: tuple[int, ...], shape_out: tuple[int, ...]
) -> onnx.ModelProto:
    """Return the model that a builder collected; its input is called ``x``."""
    graph = helper.make_graph(
        b.nodes,
        "fixture",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape_out)],
        b.tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def table_network(bits: int) -> onnx.ModelProto:
    """Return a dense layer with a sigmoid of ``bits`` wide inputs behind it."""
    b = Builder(np.random.default_rng(5))
    x = b.quant("x", 6, 1 / 8, signed=True)
    x = b.node("MatMul", [x, b.weight((4, 6), 4, 1 / 4)])
    x = b.quant(x, bits, 2.0 ** (4 - bits), signed=True)
    return model(b, b.node("Sigmoid", [x]), (1, 4), (1, 6))


def deep_cnn(layers: int, size: int = 16, channels: int = 8) -> onnx.ModelProto:
    """Return a CNN of ``layers`` convolutions with bias, relu and quantiser, and a dense end."""
    b = Builder(np.random.default_rng(layers))
    x = b.quant("x", 6, 1 / 16, signed=True)
    shape = (1, 1, size, size)
    last = 1
    for _ in range(layers):
        operands = [x, b.weight((channels, last, 3, 3), 4, 1 / 16), b.bias(channels)]
        x = b.node("Conv", operands, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = b.quant(b.node("Relu", [x]), 4, 1 / 8, signed=False)
        last = channels
    x = b.node("GlobalMaxPool", [x])
    x = b.node("Flatten", [x], axis=1)
    x = b.node("Gemm", [x, b.weight((channels, 10), 6, 1 / 16), b.bias(10)])
    return model(b, x, shape, (1, 10))
