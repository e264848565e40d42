"""The operators of the torch engine, one by one, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.simulate.torch.program import Program
from hwflow.simulate.torch.settings import full_precision
from tests.golden_graphs import DEVICES


def single(op_type: str, arrays: list[np.ndarray | None], **attributes: Any) -> onnx.ModelProto:
    """One node whose first input is fed and whose others are constants."""
    outputs = attributes.pop("outputs", 1)
    names = [f"i{i}" if array is not None else "" for i, array in enumerate(arrays)]
    node = helper.make_node(op_type, names, [f"y{i}" for i in range(outputs)], **attributes)
    constants = [
        onnx.numpy_helper.from_array(array, name)
        for array, name in zip(arrays[1:], names[1:], strict=True)
        if array is not None
    ]
    assert arrays[0] is not None
    fed = helper.make_tensor_value_info(
        "i0", helper.np_dtype_to_tensor_dtype(arrays[0].dtype), arrays[0].shape
    )
    results = [onnx.ValueInfoProto(name=f"y{i}") for i in range(outputs)]
    graph = helper.make_graph([node], "single", [fed], results, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def reals(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.integers(-9, 10, shape) / 2).astype(np.float32)


def scale(*values: float) -> np.ndarray:
    return np.array(values, np.float32) if len(values) > 1 else np.array(values[0], np.float32)


def zero(*values: int, of: Any = np.int8) -> np.ndarray:
    return np.array(values, of) if len(values) > 1 else np.array(values[0], of)


X, I = reals(3, 4, 5), np.random.default_rng(4).integers(-20, 21, (3, 4, 5))  # noqa: E741
BYTES = np.random.default_rng(5).integers(0, 256, (2, 3, 4, 6)).astype(np.uint8)
FORMS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("Cast", [X], {"to": TensorProto.INT32}),
    ("Cast", [I], {"to": TensorProto.BOOL}),
    ("Clip", [X], {}),
    ("Clip", [X, scale(-1)], {}),
    ("Clip", [X, None, scale(2)], {}),
    ("Clip", [X, scale(2), scale(-1)], {}),
    ("Clip", [I, np.int64(-(2**60)), np.int64(7)], {}),
    ("Max", [X, scale(1)], {}),
    ("Max", [X], {}),
    ("Min", [X, scale(1), reals(4, 1), scale(-1)], {}),
    ("Max", [X, reals(5)], {}),
    ("Div", [I, whole(-7)], {}),
    ("Div", [X, scale(3)], {}),
    ("Div", [X, reals(5) + np.float32(9.5)], {}),
    ("Mod", [I, whole(-7)], {}),
    ("Mod", [I, whole(7)], {"fmod": 1}),
    ("BitwiseAnd", [I, whole(12)], {}),
    ("Gather", [X, whole(-1, 0, 2)], {"axis": 1}),
    ("Gather", [X, np.array([[1, -3]], np.int32)], {"axis": -1}),
    ("Gather", [X, np.array(1)], {}),
    ("Slice", [X, whole(1, -1), whole(2**62, -(2**62)), whole(0, 2), whole(1, -2)], {}),
    ("Slice", [X, whole(-3), whole(-1), whole(-1)], {}),
    ("Slice", [X, whole(0, 1), whole(3, 9), None, whole(2, 3)], {}),
    ("Split", [X, whole(1, 3)], {"axis": 1, "outputs": 2}),
    ("Split", [X], {"axis": 2, "outputs": 2, "num_outputs": 2}),
    ("Concat", [X, reals(3, 2, 5)], {"axis": -2}),
    ("Squeeze", [reals(1, 3, 1), whole(-1)], {}),
    ("Squeeze", [reals(1, 3, 1)], {}),
    ("Unsqueeze", [X, whole(-1, 0)], {}),
    ("Flatten", [X], {"axis": 2}),
    ("Flatten", [X], {"axis": 0}),
    ("Reshape", [X, whole(0, -1)], {}),
    ("Reshape", [X, whole(-1)], {}),
    ("Transpose", [X], {}),
    ("Transpose", [X], {"perm": [2, 0, 1]}),
    ("Pad", [X, whole(0, 1, -1, 2, 0, 3), scale(-4)], {}),
    ("Pad", [I, whole(0, 1, 0, 2, 0, 3)], {}),
    ("ReduceSum", [X], {"keepdims": 0}),
    ("ReduceSum", [I.astype(np.int32), whole(-1)], {}),
    ("ReduceSum", [X], {"noop_with_empty_axes": 1}),
    ("ReduceMax", [X, whole(0, 2)], {"keepdims": 0}),
    ("ReduceMin", [I, whole(1)], {}),
    ("TopK", [I % 3, whole(3)], {"outputs": 2}),
    ("TopK", [I % 3, whole(2)], {"axis": 1, "largest": 0, "outputs": 2}),
    ("TopK", [I % 3, whole(1)], {"axis": 0, "outputs": 2}),
    ("TopK", [I % 3, whole(1)], {"axis": 0, "largest": 0, "outputs": 2}),
    ("MatMul", [reals(5), reals(5, 2)], {}),
    ("Gemm", [reals(4, 3), reals(4, 2), reals(2)], {"transA": 1}),
    ("Gemm", [reals(3, 4), reals(2, 4)], {"transB": 1}),
    ("Conv", [reals(2, 3, 9), reals(4, 3, 3), reals(4)],
     {"kernel_shape": [3], "pads": [2, 0], "strides": [2]}),
    ("Conv", [reals(2, 4, 6, 5), reals(4, 2, 3, 2)],
     {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "group": 2}),
    ("MaxPool", [reals(2, 3, 9)], {"kernel_shape": [4], "strides": [2]}),
    ("MaxPool", [BYTES], {"kernel_shape": [3, 2], "strides": [1, 3]}),
    ("QuantizeLinear", [X, scale(0.75)], {}),
    ("QuantizeLinear", [X * 99, scale(1), zero(-3)], {}),
    ("QuantizeLinear", [X, scale(0.1, 0.3, 1, 2), zero(1, 2, -3, 0)], {"axis": 1}),
    ("DequantizeLinear", [BYTES, scale(1), zero(0, of=np.uint8)], {}),
    ("DequantizeLinear", [BYTES, scale(1, 0.3, 2), zero(128, 3, 0, of=np.uint8)], {"axis": -3}),
]  # fmt: skip


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", range(len(FORMS)), ids=lambda i: f"{i}-{FORMS[i][0]}")
def test_operators_do_what_onnx_runtime_does(form: int, device: str) -> None:
    op_type, arrays, attributes = FORMS[form]
    model = single(op_type, arrays, **attributes)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, {"i0": arrays[0]})
    with full_precision(1):
        found = Program(model, torch.device(device)).run({"i0": arrays[0]})
    for result, array in zip(found.values(), expected, strict=True):
        assert result.dtype == array.dtype
        np.testing.assert_array_equal(result, array)


REFUSED: list[tuple[str, list[Any], dict[str, Any], str]] = [
    ("Exp", [X], {}, "no such operator"),
    ("Cast", [X], {"to": TensorProto.FLOAT16}, "to = 10"),
    ("Pad", [X, whole(0, 0, 1, 0, 0, 1)], {"mode": "edge"}, "mode = edge"),
    ("MaxPool", [BYTES], {"kernel_shape": [2, 2], "ceil_mode": 1}, "ceil_mode = 1"),
    ("Conv", [reals(1, 1, 5), reals(1, 1, 2)], {"kernel_shape": [2], "dilations": [2]},
     "dilations = [2]"),
    ("Conv", [reals(1, 1, 5), reals(1, 1, 2)], {}, "over 0 axes"),
    ("Gemm", [reals(2, 2), reals(2, 2)], {"alpha": 2.0}, "alpha = 2.0"),
    ("Relu", [X], {"unknown": 3}, "unknown = 3"),
]  # fmt: skip


def refusal(model: onnx.ModelProto) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        Program(model, torch.device("cpu"))
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(("op_type", "arrays", "attributes", "what"), REFUSED)
def test_unknown_forms_of_operators_are_named(
    op_type: str, arrays: list[Any], attributes: dict[str, Any], what: str
) -> None:
    model = single(op_type, arrays, **attributes)
    found = refusal(model)
    assert (found.code, found.found) == ("HW572", what)
    assert op_type in found.where


def test_a_shape_that_is_computed_is_refused() -> None:
    nodes = [helper.make_node("Abs", ["s"], ["t"]), helper.make_node("Reshape", ["s", "t"], ["y"])]
    graph = helper.make_graph(
        nodes, "computed",
        [helper.make_tensor_value_info("s", TensorProto.INT64, [2])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, None)],
    )  # fmt: skip
    found = refusal(helper.make_model(graph))
    assert (found.code, found.found) == ("HW572", "input 1 is not a constant")
