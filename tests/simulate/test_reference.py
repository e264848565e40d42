"""The float reference computes what torch did when the models were made, and what qonnx does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.ir.qonnx.quantizer import ROUNDING
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32 import Reference
from tests.networks import Builder

MODELS = Path(__file__).parents[1] / "models"
EXPECTED = np.load(MODELS / "expected.npz")
NAMES = sorted(p.stem for p in MODELS.glob("*.onnx"))
NOT_EXACT = {"float_scale": 1e-6, "softmax": 1e-6}
"""Scales that are no powers of two, and exp: float32 sums in another order differ a little."""


def passed(path: Path) -> Any:
    return fold_constants(infer_shapes(clean_model(load(path))))


@pytest.mark.parametrize("name", NAMES)
def test_equals_torch(name: str) -> None:
    x, y = EXPECTED[f"{name}.x"], EXPECTED[f"{name}.y"]
    reference = Reference(passed(MODELS / f"{name}.onnx"))
    assert reference.batched
    found = reference.run({"x": x})["y"]
    assert found.dtype == np.float32
    if name in NOT_EXACT:
        np.testing.assert_allclose(found, y, rtol=0, atol=NOT_EXACT[name])
    else:
        np.testing.assert_array_equal(found, y)


@pytest.mark.parametrize("name", NAMES)
def test_folding_changes_nothing(name: str) -> None:
    x = EXPECTED[f"{name}.x"][:4]
    raw = Reference(load(MODELS / f"{name}.onnx"))
    assert not raw.batched  # shapes are not known yet: one sample at a time
    one_by_one = raw.run({"x": x})["y"]
    if name in NOT_EXACT:
        return
    np.testing.assert_array_equal(
        Reference(passed(MODELS / f"{name}.onnx")).run({"x": x})["y"], one_by_one
    )


def test_intermediate_values() -> None:
    model = passed(MODELS / "conv1d.onnx")
    reference = Reference(model)
    x = EXPECTED["conv1d.x"]
    names = [node.outputs[0].name or "" for node in model.ir.graph]
    found = reference.run({"x": x}, names)
    assert list(found) == ["y", *names[:-1]]
    for node in model.ir.graph:
        shape = node.outputs[0].shape
        assert shape is not None
        assert found[node.outputs[0].name or ""].shape == (len(x), *shape.numpy()[1:])
    np.testing.assert_array_equal(found["y"], EXPECTED["conv1d.y"])
    assert list(reference.run({"x": x})) == ["y"]
    with pytest.raises(KeyError):
        reference.run({"x": x}, ["ghost"])


def one_node(op_type: str, parameters: list[Any], **attrs: Any) -> onnx.ModelProto:
    """Return a model of one quantiser with opset 9, the oldest there is."""
    names = [f"p{i}" for i in range(len(parameters))]
    domain = "qonnx.custom_op.general"
    graph = helper.make_graph(
        [helper.make_node(op_type, ["x", *names], ["y"], domain=domain, **attrs)],
        "one",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 513])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 513])],
        [numpy_helper.from_array(np.float32(p), n) for p, n in zip(parameters, names, strict=True)],
    )
    version = 2 if len(parameters) == 5 else 1
    imports = [helper.make_opsetid("", 9), helper.make_opsetid(domain, version)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


GRID = (np.arange(-256, 257) / 32).astype(np.float32)[None]
SWITCHES = [(s, n) for s in (0, 1) for n in (0, 1)]
CASES = [
    *(
        ("Quant", [0.25, z, b], {"signed": s, "narrow": n, "rounding_mode": mode})
        for mode in (*ROUNDING, "HALF_EVEN")
        for s, n in SWITCHES
        for z, b in ((0, 1), (0, 2), (0, 5), (3, 4))
    ),
    *(("Trunc", [0.125, 0, 8, b], {"rounding_mode": m}) for m in ROUNDING for b in (4, 8)),
    *(
        ("Trunc", [0.125, 0, 8, 0.5, b], {"rounding_mode": m, "signed": s, "narrow": n})
        for m in ROUNDING
        for s, n in SWITCHES
        for b in (3, 6)
    ),
    ("BipolarQuant", [0.5], {}),
    ("Quant", [0.1, 0, 4], {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_equals_qonnx(case: int) -> None:
    pytest.importorskip("qonnx")
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    op_type, parameters, attrs = CASES[case]
    proto = one_node(op_type, parameters, **attrs)
    expected = execute_onnx(ModelWrapper(proto), {"x": GRID})["y"]
    np.testing.assert_array_equal(Reference(load(proto)).run({"x": GRID})["y"], expected)


def test_batches_of_any_size_give_the_same() -> None:
    model = passed(MODELS / "dynamo_conv.onnx")
    x = np.random.default_rng(0).normal(size=(300, 2, 8, 8))
    reference = Reference(model)
    whole = reference.run({"x": x})["y"]
    single = np.concatenate([reference.run({"x": x[i : i + 1]})["y"] for i in range(300)])
    np.testing.assert_array_equal(whole, single)


def moving(b: Builder) -> str:
    """Weights in another shape, a constant beside the activation, slices and sums."""
    weight = b.node("Reshape", [b.constant(np.arange(12) / 4), b.constant([6, 2], np.int64)])
    x = b.node("Concat", ["x", b.constant([[[1.0, 2.0]]])], axis=1)
    x = b.node("Reshape", [x, b.constant([1, 1, 6], np.int64)])
    x = b.node("MatMul", [b.node("ReduceSum", [x, b.constant([1], np.int64)], keepdims=0), weight])
    x = b.node("Unsqueeze", [x, b.constant([2], np.int64)])
    return b.node("Gather", [x, b.constant([1, 0, 0], np.int64)], axis=1)


@pytest.mark.parametrize("joined", [False, True])
def test_what_runs_with_one_sample_runs_with_many(joined: bool) -> None:
    """A batch is opened only where shapes carry it; what joins constants runs one by one."""
    b = Builder(np.random.default_rng(0))
    y = moving(b)
    if not joined:
        b.nodes[1].op_type, b.nodes[1].input[1] = "Add", b.constant([[[1.0, 2.0], [3, 4], [5, 6]]])
        del b.nodes[1].attribute[:]
    shape = (1, 2 if joined else 3, 2)
    graph = helper.make_graph(
        b.nodes, "moving", [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info(y, 1, None)], b.tensors,
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    x = np.random.default_rng(1).normal(size=(300, *shape[1:])).astype(np.float32)
    reference = Reference(infer_shapes(clean_model(load(proto))))
    assert reference.batched is not joined
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    expected = np.concatenate([session.run(None, {"x": sample[None]})[0] for sample in x])
    np.testing.assert_allclose(reference.run({"x": x})[y], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "HW401"),
        ({"z": np.zeros((1, 8))}, "HW401"),
        ({"x": np.zeros((1, 7))}, "HW403"),
        ({"x": np.zeros((0, 8))}, "HW403"),
        ({"x": np.zeros(8)}, "HW403"),
        ({"x": np.float32(0)}, "HW403"),
    ],
)
def test_data_that_does_not_fit(data: dict[str, Any], code: str) -> None:
    with pytest.raises(CompileError, match=code):
        Reference(passed(MODELS / "signed.onnx")).run(data)


def test_operators_that_nothing_runs_are_a_clear_error() -> None:
    proto = one_node("FloatQuant", [1.0, 4, 3, 7, 240], rounding_mode="ROUND")
    with pytest.raises(CompileError, match="HW033"):
        Reference(load(proto)).run({"x": GRID})


@pytest.mark.parametrize(("name", "accuracy"), [("digits_mlp", 0.96), ("digits_cnn", 0.96)])
def test_the_examples_read_digits(name: str, accuracy: float) -> None:
    examples = Path(__file__).parents[2] / "examples"
    model = infer_shapes(clean_model(load(examples / f"{name}.onnx")))
    reference = Reference(model)
    assert reference.batched
    shape = model.ir.graph.inputs[0].shape
    assert shape is not None
    data = np.load(examples / "digits.npz")
    found = reference.run({"x": data["x"].reshape(-1, *shape.numpy()[1:])})["logits"]
    assert (found.argmax(1) == data["y"]).mean() > accuracy
