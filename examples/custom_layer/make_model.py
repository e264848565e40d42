"""Writes a burst detector on I/Q samples: quantiser, ComplexMagnitude, quantiser, matched filters.

Run it with: python make_model.py detector.onnx
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SAMPLES, FILTERS = 16, 4
QONNX = "qonnx.custom_op.general"

COMPLEX_MAGNITUDE = """
<opset_import: ["" : 13], domain: "com.example">
ComplexMagnitude <steps> (x) => (y) {
    zero = Constant <value_ints = [0]> ()
    one = Constant <value_ints = [1]> ()
    two = Constant <value_ints = [2]> ()
    end = Constant <value_ints = [9223372036854775807]> ()
    re = Slice(x, zero, end, one, two)
    im = Slice(x, one, end, one, two)
    re_square = Mul(re, re)
    im_square = Mul(im, im)
    square = Add(re_square, im_square)
    size = Sqrt(square)
    scale = Constant <value_float : float = @steps> ()
    scaled = Mul(size, scale)
    whole = Floor(scaled)
    y = Div(whole, scale)
}
"""
"""What the operator means in floating point: magnitudes, rounded down to 1 / steps."""


def quant(name: str, x: str, y: str, scale: float, bits: int, *, signed: bool) -> onnx.NodeProto:
    """Return a QONNX quantiser whose parameters are initializers named after it."""
    inputs = [x, f"{name}_scale_{scale}", "zero", f"bits_{bits}"]
    return helper.make_node(
        "Quant", inputs, [y], name, domain=QONNX,
        signed=int(signed), narrow=0, rounding_mode="ROUND",
    )  # fmt: skip


def make_model() -> onnx.ModelProto:
    """Return the model: 16 complex samples in, 4 scores out."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-7, 8, (SAMPLES, FILTERS)) / 8
    nodes = [
        quant("input_quant", "iq", "samples", 1 / 64, 8, signed=True),
        helper.make_node(
            "ComplexMagnitude", ["samples"], ["size"], "magnitude", domain="com.example", steps=64.0
        ),
        quant("size_quant", "size", "size_q", 1 / 16, 6, signed=False),
        quant("weight_quant", "weight", "weight_q", 1 / 8, 4, signed=True),
        helper.make_node("MatMul", ["size_q", "weight_q"], ["sums"], "filters"),
        quant("score_quant", "sums", "scores", 1 / 8, 8, signed=True),
    ]
    constants = {"weight": weights, "zero": np.zeros(())}
    for node in nodes:
        for name in node.input:
            kind, _, value = name.rpartition("_")
            if kind == "bits" or kind.endswith("_scale"):
                constants[name] = np.array(float(value))
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("iq", TensorProto.FLOAT, ["batch", 2 * SAMPLES])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", FILTERS])],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in constants.items()],
    )
    imports = [("", 13), (QONNX, 1), ("com.example", 1)]
    return helper.make_model(
        graph,
        functions=[onnx.parser.parse_function(COMPLEX_MAGNITUDE)],
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in imports],
        ir_version=8,
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(make_model().SerializeToString())
