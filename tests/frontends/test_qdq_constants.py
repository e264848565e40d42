"""Constant integers of QDQ models keep their exact values: weights, and biases of any width."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto

import hwflow
from hwflow.frontends import load
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import constants, fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.verify.references.exact import ExactReference
from tests.qdq_models import RANGES, evaluate, model, node, pair, scalar, tensor
from tests.verify.exact.rational import nearest

T = TensorProto
X = np.random.default_rng(0).normal(scale=10, size=(200, 4)).astype(np.float32)
PORT = pair("x", "h", scale=0.1, zero=77, dtype=T.UINT8)


def prepared(proto: onnx.ModelProto) -> QonnxModel:
    """Return what was read, after a round trip through a file's bytes."""
    return infer_shapes(clean_model(load(ir.to_proto(load(proto).ir))))


@pytest.mark.parametrize("dtype", sorted(RANGES), ids=lambda d: str(T.DataType.Name(d)))
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("zero", [0, 1])
def test_constants_are_exact(dtype: int, axis: int | None, zero: int) -> None:
    rng = np.random.default_rng(dtype)
    low, high = RANGES[dtype]  # type: ignore[index]
    reach = min(high, 2**29 - 1)  # float64 holds the products up to here
    weights = rng.integers(max(low, -reach), reach + 1, (5, 3))
    weights[0, 0], weights[1, 1] = max(low + 1, -reach), reach - 1
    size = 1 if axis is None else weights.shape[axis]
    scales = rng.uniform(0.001, 1, size).astype(np.float32)
    zeros = rng.integers(0, 2, size) * zero
    if axis is None:
        scales, zeros = scales[0], zeros[0]
    tensors = [
        tensor("w", dtype, weights),
        tensor("s", T.FLOAT, scales),
        tensor("z", dtype, zeros),
    ]
    attrs: dict[str, Any] = {} if axis is None else {"axis": axis}
    nodes = [
        node("DequantizeLinear", ["w", "s", "z"], "v", **attrs),
        node("Gemm", ["x", "v"], "y"),
    ]
    proto = model(nodes, tensors, shape=(1, 5), opset=25)
    expected = evaluate(model(nodes[:1], tensors), np.zeros((1, 5)))["v"]
    folded = fold_constants(prepared(proto))
    (gemm,) = folded.ir.graph
    found = constants(folded)[gemm.inputs[1].name or ""]  # type: ignore[union-attr]
    assert [Fraction(v) for v in found.values.ravel().tolist()] == list(expected.ravel())
    assert found.quantized == (dtype != T.INT32)


def test_clipped_and_moved_weights() -> None:
    rng = np.random.default_rng(3)
    tensors = [
        tensor("w", T.INT8, rng.integers(-128, 128, (3, 4))),
        tensor("lo", T.INT8, -7), tensor("hi", T.INT8, 7),
        tensor("s", T.FLOAT, rng.uniform(0.1, 1, 3).astype(np.float32)),
        tensor("z", T.INT8, [0, 0, 0]), *PORT[1],
    ]  # fmt: skip
    clipped = [node("Clip", ["w", "lo", "hi"], "c"),
               node("DequantizeLinear", ["c", "s", "z"], "v", axis=0)]  # fmt: skip
    moved = [node("Transpose", ["w"], "m", perm=[1, 0]),
             node("DequantizeLinear", ["m", "s", "z"], "u", axis=1)]  # fmt: skip
    layers = [node("Gemm", ["h", "v"], "y", transB=1), node("MatMul", ["h", "u"], "t")]
    outputs = {"y": T.FLOAT, "t": T.FLOAT}
    proto = model([*PORT[0], *clipped, *moved, *layers], tensors, outputs=outputs)
    found = hwflow.compile(proto).simulate(X).outputs
    held = evaluate(model([*PORT[0], *clipped, layers[0]], tensors), X)
    np.testing.assert_array_equal(found["y"], nearest(held["y"]))
    weights = evaluate(model(clipped[1:], [t for t in tensors if t.name != "c"] + [
        tensor("c", T.INT8, onnx.numpy_helper.to_array(tensors[0]))]), X)["v"]  # fmt: skip
    np.testing.assert_array_equal(found["t"], nearest(np.dot(held["h"], weights.T)))


def test_a_wide_bias_is_kept_whole() -> None:
    rng = np.random.default_rng(4)
    bias = rng.integers(-(2**29) + 1, 2**29, 3)
    tensors = [*PORT[1], tensor("w", T.INT8, rng.integers(-127, 128, (4, 3))), scalar("ws", 0.003),
               tensor("b", T.INT32, bias), scalar("bs", 1.7e-9)]  # fmt: skip
    nodes = [*PORT[0],
             node("DequantizeLinear", ["w", "ws"], "v"),
             node("DequantizeLinear", ["b", "bs"], "c"),
             node("Gemm", ["h", "v", "c"], "y")]  # fmt: skip
    proto = model(nodes, tensors)
    np.testing.assert_array_equal(
        ExactReference(prepared(proto)).run({"x": X})["y"], nearest(evaluate(proto, X)["y"])
    )
