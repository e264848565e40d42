"""Builds small models and compares their exact evaluation with fractions."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from hwflow.frontends import load
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.verify.references.exact import ExactReference
from tests.networks import DOMAIN, Builder
from tests.verify.exact.rational import evaluate, nearest


def prepared(proto: onnx.ModelProto) -> Any:
    return infer_shapes(clean_model(load(proto)))


def model(b: Builder, outputs: list[str], shape: tuple[int, ...], opset: int = 18) -> Any:
    """Return a model of the builder's nodes with the input ``x``."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes,
        "exact",
        [info("x", TensorProto.FLOAT, (1, *shape))],
        [info(name, TensorProto.FLOAT, None) for name in outputs],
        b.tensors,
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def values_of(proto: onnx.ModelProto) -> list[str]:
    """Return the names of the values that depend on the input."""
    found = {"x"}
    for node in proto.graph.node:
        if found & set(node.input):
            found |= set(node.output)
    return sorted(found - {"x"})


def assert_equals_fractions(proto: onnx.ModelProto, x: Any) -> dict[str, Any]:
    """Compare every value, the order of nodes and names as they were built."""
    names = values_of(proto)
    expected = evaluate(proto, x)
    found = ExactReference(prepared(proto)).run({"x": x}, names)
    for name in names:
        np.testing.assert_array_equal(found[name], nearest(expected[name]), err_msg=name)
    return found


def signed_quant(b: Builder, x: str, **changes: Any) -> str:
    """Append a quantiser with any parameters."""
    given = {"scale": 0.25, "zero": 0.0, "bits": 4.0, "signed": 1, "narrow": 0, "mode": "ROUND"}
    given |= changes
    operands = [x, *(b.constant(given[name]) for name in ("scale", "zero", "bits"))]
    return b.node(
        "Quant", operands, DOMAIN,
        signed=given["signed"], narrow=given["narrow"], rounding_mode=given["mode"],
    )  # fmt: skip


def weight(b: Builder, shape: tuple[int, ...], axis: int | None = None) -> str:
    """Append a quantised weight with a float scale, or one scale per entry of an axis."""
    levels = b.rng.integers(-7, 8, shape)
    count = [1] * len(shape)
    if axis is not None:
        count[axis] = shape[axis]
    scales = b.rng.uniform(0.01, 0.9, count if axis is not None else ()).astype(np.float32)
    values = (levels * scales).astype(np.float32)
    return signed_quant(b, b.constant(values), scale=scales)


def norm(b: Builder, x: str, channels: int) -> str:
    """Append a batch norm with random float32 parameters."""
    draw = b.rng.normal(size=(3, channels)).astype(np.float32)
    var = b.rng.uniform(0.1, 2, channels).astype(np.float32)
    operands = [x, *(b.constant(v) for v in (draw[0], draw[1], draw[2], var))]
    return b.node("BatchNormalization", operands, epsilon=1e-5)
