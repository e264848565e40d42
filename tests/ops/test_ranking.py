"""ArgMax, ArgMin and TopK against ONNX Runtime, and their ranges against all inputs."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Op, RefusedError
from hwflow.ir.tensor import TensorType
from hwflow.ops.arg_max import ArgMax
from hwflow.ops.top_k import TopK
from tests.ops.chain import compute, convert, onnx_node
from tests.ops.onnx_nodes import channels_last

NARROW = FixedType(2, 2)
"""Four values: ties everywhere."""


def drawn(shape: tuple[int, ...], seed: int) -> FixedArray:
    rng = np.random.default_rng(seed)
    return FixedArray(rng.integers(NARROW.raw_min, NARROW.raw_max + 1, (20, *shape)), NARROW)


def wanted(op_type: str, x: npt.NDArray[Any], *constants: Any, **attributes: Any) -> list[Any]:
    """Return all results of ONNX Runtime for a batch, in ONNX order of axes."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    names = ["x", *(f"c{i}" for i in range(len(constants)))]
    outputs = ["values", "indices"] if op_type == "TopK" else ["y"]
    graph = helper.make_graph(
        [helper.make_node(op_type, names, outputs, **attributes)],
        "node",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_empty_tensor_value_info(o) for o in outputs],
        [numpy_helper.from_array(c, n) for c, n in zip(constants, names[1:], strict=True)],
    )
    opsets = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, {"x": x.astype(np.float32)}))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["ArgMax", "ArgMin"]), st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.data(), st.integers(0, 1), st.integers(0, 1), st.integers(0, 99),
)  # fmt: skip
def test_labels_are_those_of_onnx(
    op_type: str, shape: list[int], data: st.DataObject, keepdims: int, last: int, seed: int
) -> None:
    axis = data.draw(st.integers(1, len(shape)))
    order = channels_last(len(shape) + 1)
    x = drawn(tuple(shape), seed)
    hardware = FixedArray(x.raw.transpose(0, *order), x.dtype)
    options = {"axis": axis, "keepdims": keepdims, "select_last_index": last}
    known = TensorType.full(hardware.shape[1:], x.dtype)
    ops = convert(onnx_node(op_type, [known], axes=order, **options))
    found = compute(ops, hardware).raw
    (expected,) = wanted(op_type, x.values, **options)
    left = order if keepdims else tuple(a - (a > axis) for a in order if a != axis)
    expected = expected.transpose(0, *left)
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data(), st.integers(0, 1),
    st.booleans(), st.integers(0, 99),
)  # fmt: skip
def test_rankings_are_those_of_onnx(
    shape: list[int], data: st.DataObject, largest: int, indices: bool, seed: int
) -> None:
    axis = data.draw(st.integers(1, len(shape)))
    k = data.draw(st.integers(1, shape[axis - 1]))
    order = channels_last(len(shape) + 1)
    x = drawn(tuple(shape), seed)
    hardware = FixedArray(x.raw.transpose(0, *order), x.dtype)
    known = TensorType.full(hardware.shape[1:], x.dtype)
    node = onnx_node("TopK", [known, [k]], axes=order, axis=axis, largest=largest)
    found = compute(convert(replace(node, result=int(indices))), hardware).values
    options = {"axis": axis, "largest": largest}
    results = wanted("TopK", x.values, np.array([k], np.int64), **options)
    np.testing.assert_array_equal(found, results[int(indices)].transpose(0, *order))


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("last_wins", [True, False])
def test_ranges_hold_what_can_happen_and_nothing_else(largest: bool, last_wins: bool) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        lo = rng.integers(-2, 2, 3)
        hi = np.minimum(lo + rng.integers(0, 3, 3), 1)
        x = TensorType((3,), NARROW, lo, hi)
        every = np.array(list(product(*(range(a, b + 1) for a, b in zip(lo, hi, strict=True)))))
        ops: list[Op] = [
            ArgMax(largest=largest, last_wins=last_wins),
            TopK(largest=largest, count=2, indices=False),
        ]
        for op in ops:
            known, found = op.infer(x), op.compute(FixedArray(every, NARROW)).raw
            np.testing.assert_array_equal(known.lo, found.min(axis=0))
            np.testing.assert_array_equal(known.hi, found.max(axis=0))


@pytest.mark.parametrize(
    ("op_type", "code", "constants", "attributes"),
    [
        ("ArgMax", "HW216", [], {}),
        ("ArgMin", "HW216", [], {"axis": -2}),
        ("TopK", "HW216", [[1]], {"axis": 0}),
        ("TopK", "HW210", [[0]], {}),
        ("TopK", "HW210", [[1]], {"sorted": 0}),
        ("TopK", "HW210", [], {}),
    ],
)
def test_refusals(op_type: str, code: str, constants: list[Any], attributes: Any) -> None:
    node = onnx_node(op_type, [TensorType.full((3,), NARROW), *constants], **attributes)
    with pytest.raises(RefusedError) as refused:
        convert(node)
    assert refused.value.diagnostic.code == code


def test_a_label_has_a_hardware_axis_though_onnx_has_none() -> None:
    x = TensorType.full((4,), NARROW)
    (op,) = convert(onnx_node("ArgMax", [x], axis=1, keepdims=0))
    assert op.infer(x).shape == (1,)
