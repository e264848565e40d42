"""Operators equal ONNX Runtime where float32 is exact; what has no exact evaluation is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

import hwflow.verify.references.exact
from hwflow.simulate.float32 import Reference
from hwflow.verify.references.exact import ExactReference, NoExactReferenceError
from tests.networks import Builder
from tests.verify.exact.models import model, prepared, signed_quant

MODELS = Path(__file__).parents[2] / "models"
EXPECTED = np.load(MODELS / "expected.npz")
ROUNDS = {"batchnorm", "batchnorm1d", "batchnorm_bias", "float_scale", "sigmoid", "softmax", "tanh"}


@pytest.mark.parametrize("name", sorted({p.stem for p in MODELS.glob("*.onnx")} - ROUNDS))
def test_equals_onnx_runtime_where_float32_is_exact(name: str) -> None:
    proto = prepared(MODELS / f"{name}.onnx")
    reference = ExactReference(proto)
    names = [n.outputs[0].name for n in proto.ir.graph]
    names = [n for n in names if n in reference.computed]
    x = EXPECTED[f"{name}.x"]
    expected = Reference(proto).run({"x": x}, names)
    found = reference.run({"x": x}, names)
    assert list(found) == list(expected)
    for value in expected:
        rounded = found[value].astype(np.float32)  # an unquantised bias fits no float32 sum
        np.testing.assert_array_equal(rounded, expected[value], err_msg=value)


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


POOL = {"kernel_shape": [3, 2], "strides": [2, 1]}
WHOLE: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", [], {"kernel_shape": [2, 4], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1}),
    ("AveragePool", [], {"kernel_shape": [2, 1], "strides": [2, 1], "auto_pad": "SAME_UPPER"}),
    (
        "AveragePool",
        [],
        {
            "kernel_shape": [3, 3],
            "strides": [2, 2],
            "pads": [0, 1, 1, 1],
            "ceil_mode": 1,
            "count_include_pad": 1,
        },
    ),
    ("ThresholdedRelu", [], {"alpha": 3.0}),
    ("ThresholdedRelu", [], {"alpha": -3.0}),
    ("Clip", [np.float32(-2), np.float32(5)], {}),
    ("PRelu", [np.float32([[[0.5]], [[-2]], [[0]], [[1]]])], {}),
    ("Abs", [], {}),
    ("Sign", [], {}),
    ("MaxPool", [], {**POOL, "pads": [1, 0, 1, 1]}),
    ("MaxPool", [], {**POOL, "ceil_mode": 1}),
    ("MaxPool", [], {**POOL, "auto_pad": "SAME_LOWER"}),
    ("MaxPool", [], {**POOL, "dilations": [2, 2]}),
    ("GlobalMaxPool", [], {}),
    ("ReduceMean", [ints(3)], {"keepdims": 1}),
    ("ReduceSum", [ints(1, -1)], {"keepdims": 0}),
    ("ReduceMax", [ints(1)], {"keepdims": 0}),
    ("ReduceMin", [ints(2, 3)], {"keepdims": 1}),
    ("Pad", [ints(0, 0, 1, 2, 0, 0, 0, 1), np.float32(5)], {}),
    ("Pad", [ints(0, 0, 1, 2, 0, 0, 0, 1)], {"mode": "edge"}),
    ("Slice", [ints(1, 0), ints(4, -1), ints(3, 2), ints(2, 1)], {}),
    ("Gather", [ints(2, 0, 0)], {"axis": 1}),
    ("DepthToSpace", [], {"blocksize": 2}),
    ("SpaceToDepth", [], {"blocksize": 2}),
    ("Tile", [ints(1, 1, 2, 1)], {}),
    ("Reshape", [ints(1, -1, 3)], {}),
    ("Squeeze", [ints(0)], {}),
    ("Unsqueeze", [ints(2)], {}),
    ("Transpose", [], {"perm": [0, 3, 1, 2]}),
    ("Resize", [np.zeros(0, np.float32), ints(), ints(1, 4, 12, 12)], {"mode": "nearest"}),
    ("ArgMax", [], {"axis": 1, "keepdims": 0}),
    ("ArgMin", [], {"axis": 3, "select_last_index": 1}),
    ("MatMul", [np.arange(18, dtype=np.float32).reshape(6, 3)], {}),
]


@pytest.mark.parametrize(
    "case", range(len(WHOLE)), ids=[f"{i}-{w[0]}" for i, w in enumerate(WHOLE)]
)
@pytest.mark.parametrize("scaled", [False, True])
def test_operators_on_whole_numbers_equal_onnx_runtime(case: int, scaled: bool) -> None:
    """Once on the data itself, once behind a scale and an offset for each channel."""
    op, parameters, attrs = WHOLE[case]
    b = Builder(np.random.default_rng(0))
    x = "x"
    if scaled:
        factor = b.constant(np.array([3, -2, 0.5, 8]).reshape(1, 4, 1, 1))
        x = b.node("Add", [b.node("Mul", [x, factor]), b.constant(np.array(2.0))])
    operands = [b.constant(p, np.asarray(p).dtype) if np.size(p) else "" for p in parameters]
    y = b.node(op, [x, *operands], **attrs)
    data = np.random.default_rng(1).integers(-9, 10, (7, 4, 6, 6)).astype(np.float32)
    proto = prepared(model(b, [y], (4, 6, 6)))
    expected = Reference(proto).run({"x": data})[y]
    found = ExactReference(proto).run({"x": data})[y]
    np.testing.assert_array_equal(found.astype(np.float32), expected)


def test_the_model_is_not_changed() -> None:
    proto = prepared(MODELS / "batchnorm.onnx")
    before = [node.name for node in proto.ir.graph]
    ExactReference(proto)
    assert [node.name for node in proto.ir.graph] == before


def test_indices_of_the_largest() -> None:
    b = Builder(np.random.default_rng(0))
    x = signed_quant(b, "x", scale=0.1, bits=3)
    first = b.node("ArgMax", [x], axis=1, keepdims=0)
    last = b.node("ArgMax", [x], axis=1, keepdims=1, select_last_index=1)
    data = np.random.default_rng(0).normal(0, 0.3, (50, 6)).astype(np.float32)
    found = ExactReference(prepared(model(b, [first, last, x], (6,)))).run({"x": data})
    levels = found[x]
    np.testing.assert_array_equal(found[first].ravel(), levels.argmax(1))
    np.testing.assert_array_equal(found[last].ravel(), 5 - levels[:, ::-1].argmax(1))


@pytest.mark.parametrize("largest", [0, 1])
def test_the_ranking_of_equal_numbers(largest: int) -> None:
    b = Builder(np.random.default_rng(0))
    x = signed_quant(b, "x", scale=np.float32([[0.1, 0.1, 0.2, 0.3]]), bits=3)
    b.nodes.append(
        helper.make_node("TopK", [x, b.constant(ints(3), np.int64)], ["v", "i"], largest=largest)
    )
    data = np.random.default_rng(0).normal(0, 0.3, (50, 4)).astype(np.float32)
    found = ExactReference(prepared(model(b, [x, "v", "i"], (4,)))).run({"x": data})
    sign = -1 if largest else 1
    order = np.argsort(sign * found[x], axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(found["i"], order)
    np.testing.assert_array_equal(found["v"], np.take_along_axis(found[x], order, 1))


@pytest.mark.parametrize(
    ("op", "attrs"),
    [("LogSoftmax", {"axis": 1}), ("Hardmax", {}), ("Cast", {"to": 10})],
)
def test_what_has_no_exact_evaluation_is_named(op: str, attrs: dict[str, Any]) -> None:
    b = Builder(np.random.default_rng(0))
    y = b.node(op, ["x"], **attrs)
    with pytest.raises(NoExactReferenceError, match=op):
        ExactReference(prepared(model(b, [y], (3,))))


@pytest.mark.parametrize(("value", "judged"), [(-2.0, True), (1.5, False), (300.0, False)])
def test_a_cast_to_integers_is_exact_where_it_changes_nothing(value: float, judged: bool) -> None:
    b = Builder(np.random.default_rng(0))
    y = b.node("Cast", [b.node("Cast", ["x"], to=3)], to=1)
    reference = ExactReference(prepared(model(b, [y], (2,))))
    data = {"x": np.array([[value, 3.0]])}
    if judged:
        np.testing.assert_array_equal(reference.run(data)[y], data["x"])
    else:
        with pytest.raises(NoExactReferenceError, match="Cast of values that it changes"):
            reference.run(data)


def test_a_value_that_no_node_computes() -> None:
    with pytest.raises(KeyError):
        ExactReference(prepared(MODELS / "conv1d.onnx")).run({"x": EXPECTED["conv1d.x"]}, ["ghost"])


def test_a_model_without_exact_evaluation_is_judged_by_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(hwflow.verify.references.exact.BUILDERS, "Conv")
    found = hwflow.compile(MODELS / "conv1d.onnx").verify(EXPECTED["conv1d.x"], cpp=False).lossless
    assert found is not None
    assert (found.holds, found.float32) == (True, None)
    assert "Conv has no exact evaluation" in found.float32_only
