"""The passes on the QONNX level: clean_model, infer_shapes, fold_constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from hwflow.frontends import load
from hwflow.ir.qonnx.model import QonnxModel, constants
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes

QONNX = "qonnx.custom_op.general"


def build(nodes: list[onnx.NodeProto], opset: int = 13, **tensors: Any) -> QonnxModel:
    """Return a model with input ``x`` of shape (1, 2, 6) and output ``y``."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in tensors.items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
    return load(helper.make_model(graph, opset_imports=imports, ir_version=8))


def make(op_type: str, inputs: list[str], output: str, **attrs: Any) -> onnx.NodeProto:
    domain = QONNX if op_type in ("Quant", "BipolarQuant", "Mystery") else ""
    return helper.make_node(op_type, inputs, [output], domain=domain, **attrs)


def ops(model: QonnxModel) -> list[str]:
    return [node.op_type for node in model.ir.graph]


def test_clean_model_removes_what_computes_nothing() -> None:
    value = numpy_helper.from_array(np.float32(2))
    model = build(
        [
            make("Constant", [], "c", value=value),
            make("Identity", ["x"], "a"),
            helper.make_node("Dropout", ["a"], ["b", "mask"], ratio=0.5),
            make("Cast", ["b"], "d", to=TensorProto.FLOAT),
            make("Mul", ["d", "c"], "e"),
            make("Relu", ["e"], "dead"),
            make("Identity", ["e"], "y"),
        ],
        opset=9,
        unused=np.float32(1),
    )
    infer_shapes(model)  # a cast is idle only where the type is known
    clean_model(model)
    assert ops(model) == ["Mul"]
    assert list(model.ir.graph.initializers) == ["c"]
    assert [v.name for v in model.ir.graph.outputs] == ["y"]
    assert all(node.name for node in model.ir.graph)


def test_clean_model_keeps_casts_and_dropout_in_training() -> None:
    model = build(
        [make("Cast", ["x"], "a", to=TensorProto.INT32), make("Dropout", ["a", "", "t"], "y")],
        t=np.array(True),
    )
    assert ops(clean_model(infer_shapes(model))) == ["Cast", "Dropout"]


def test_shapes_are_inferred_through_quantisers_and_computed_reshapes() -> None:
    quant = {"narrow": 0, "signed": 1, "rounding_mode": "ROUND"}
    model = build(
        [
            make("Quant", ["x", "s", "z", "b"], "q", **quant),
            make("Shape", ["q"], "shape"),
            make("Gather", ["shape", "zero"], "batch", axis=0),
            make("Unsqueeze", ["batch"], "batches", axes=[0]),
            make("Concat", ["batches", "minus"], "target", axis=0),
            make("Reshape", ["q", "target"], "flat"),
            make("BipolarQuant", ["flat", "s"], "y"),
        ],
        opset=9,
        s=np.float32(0.5), z=np.float32(0), b=np.float32(4), zero=np.int64(0),
        minus=np.array([-1]),
    )  # fmt: skip
    infer_shapes(model)
    shapes = {v.name: v.shape for n in model.ir.graph for v in n.outputs}
    assert shapes["q"] == ir.Shape([1, 2, 6])
    assert shapes["flat"] == shapes["y"] == ir.Shape([1, 12])
    assert ops(fold_constants(model)) == ["Quant", "Reshape", "BipolarQuant"]
    np.testing.assert_array_equal(constants(model)["target"].values, [1, -1])


def test_stale_shapes_in_the_file_are_dropped() -> None:
    model = build([make("Relu", ["x"], "a"), make("Relu", ["a"], "y")])
    first = next(iter(model.ir.graph))
    first.outputs[0].shape = ir.Shape([7, 7])
    infer_shapes(model)
    assert first.outputs[0].shape == ir.Shape([1, 2, 6])


def test_constants_know_whether_they_are_quantised() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, 4)).astype(np.float32)
    quant = {"narrow": 1, "signed": 1, "rounding_mode": "ROUND"}
    model = build(
        [
            make("Quant", ["w", "s", "z", "b"], "wq", **quant),
            make("Transpose", ["wq"], "wt", perm=[1, 0]),
            make("Transpose", ["wt"], "wtt", perm=[1, 0]),
            make("Mul", ["wtt", "half"], "scaled"),
            make("MatMul", ["x", "wtt"], "a"),
            make("MatMul", ["x", "scaled"], "c"),
            make("Add", ["a", "c"], "y"),
        ],
        w=weights, s=np.float32(0.3), z=np.float32(0), b=np.float32(3), half=np.float32(0.5),
    )  # fmt: skip
    fold_constants(infer_shapes(model))
    found = constants(model)
    levels = np.clip(np.rint(weights / np.float32(0.3)), -3, 3)
    exact = levels.astype(np.float64) * np.float64(np.float32(0.3))
    assert ops(model) == ["MatMul", "MatMul", "Add"]
    assert found["wtt"].quantized
    np.testing.assert_array_equal(found["wtt"].values, exact)
    assert not found["scaled"].quantized
    np.testing.assert_array_equal(found["scaled"].values, exact / 2)
    stored = model.ir.graph.initializers["wtt"].const_value
    assert stored is not None
    np.testing.assert_array_equal(stored.numpy(), exact.astype(np.float32))


def test_a_constant_output_is_an_initializer() -> None:
    model = build([make("Relu", ["w"], "y"), make("Relu", ["x"], "unused")], w=np.float32([1, -1]))
    folded = fold_constants(infer_shapes(model))
    assert ops(folded) == []
    (output,) = folded.ir.graph.outputs
    assert output is folded.ir.graph.initializers["y"]
    assert constants(folded)["y"].values.tolist() == [1.0, 0.0]


def test_passes_change_the_model_in_place_and_may_run_again() -> None:
    model = build([make("Mul", ["x", "c"], "y")], c=np.float32(2))
    for _ in range(2):
        for run in (clean_model, infer_shapes, fold_constants):
            assert run(model) is model
    assert ops(model) == ["Mul"]
