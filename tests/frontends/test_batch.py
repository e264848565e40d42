"""A recorded batch is one sample after the other, or is refused at the node that depends on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from tiny_models import constant, node

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import load

BATCH = 8
QUANT = [
    node("QuantizeLinear", ["x", "s", "z"], "q"),
    node("DequantizeLinear", ["q", "s", "z"], "a"),
    node("DequantizeLinear", ["w8", "ws"], "w"),
]
RNG = np.random.default_rng(0)
PARAMETERS = [
    constant("s", 0.25),
    constant("z", 3, np.int8),
    constant("w8", RNG.integers(-8, 8, (24, 3)), np.int8),
    constant("ws", 0.125),
]
FULLY = node("MatMul", ["f", "w"], "y")
COMPUTED = [
    node("Shape", ["a"], "sizes"),
    node("Gather", ["sizes", "zero"], "batch"),
    node("Unsqueeze", ["batch", "axes"], "first"),
    node("Concat", ["first", "rest"], "shape", axis=0),
    node("Reshape", ["a", "shape"], "f"),
]
KEPT: dict[str, tuple[list[Any], list[Any]]] = {
    "flatten": ([node("Flatten", ["a"], "f"), FULLY], []),
    "reshape with -1": (
        [node("Reshape", ["a", "shape"], "f"), FULLY],
        [constant("shape", [BATCH, -1], np.int64)],
    ),
    "reshape": (
        [node("Reshape", ["a", "shape"], "f"), FULLY],
        [constant("shape", [BATCH, 24], np.int64)],
    ),
    "reshape from the shape": (
        [*COMPUTED, FULLY],
        [
            constant("zero", 0, np.int64),
            constant("axes", [0], np.int64),
            constant("rest", [-1], np.int64),
        ],
    ),
}
REFUSED: dict[str, tuple[list[Any], list[Any], str]] = {
    "merged with rows": (
        [node("Reshape", ["a", "shape"], "y")],
        [constant("shape", [2, -1], np.int64)],
        "n_y: Reshape",
    ),
    "constants for each sample": (
        [node("Add", ["a", "c"], "y")],
        [constant("c", np.arange(BATCH * 24).reshape(BATCH, 2, 3, 4) / 4)],
        "n_y: Add",
    ),
    "order of samples": (
        [node("Gather", ["a", "i"], "y", axis=0)],
        [constant("i", range(BATCH), np.int64)],
        "n_y: Gather",
    ),
    "divided by the batch": (
        [*COMPUTED[:2], node("Cast", ["batch"], "n", to=1), node("Div", ["a", "n"], "y")],
        [constant("zero", 0, np.int64)],
        "n_n: Cast",
    ),
}


def recorded(nodes: list[Any], constants: list[Any], batch: int = BATCH) -> onnx.ModelProto:
    graph = helper.make_graph(
        [*QUANT, *nodes],
        "recorded",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, 2, 3, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [*PARAMETERS, *constants],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("case", KEPT)
def test_a_recorded_batch_is_that_many_samples(case: str) -> None:
    proto = recorded(*KEPT[case])
    x = RNG.normal(size=(BATCH, 2, 3, 4)).astype(np.float32) * 8
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    (wanted,) = session.run(None, {"x": x})
    design = hwflow.compile(proto)
    assert [d.code for d in design.warnings] == ["HW385"]
    np.testing.assert_array_equal(
        design.simulate(x).outputs["y"].astype(np.float32), wanted.astype(np.float32)
    )


@pytest.mark.parametrize("case", REFUSED)
def test_what_depends_on_the_batch_is_refused_and_named(case: str) -> None:
    nodes, constants, where = REFUSED[case]
    with pytest.raises(CompileError) as caught:
        load(recorded(nodes, constants))
    (finding,) = caught.value.diagnostics
    assert (finding.code, finding.where.split(",")[0]) == ("HW018", where)
    assert finding.help == "export with an example input of batch 1"


def test_exporting_with_a_batch_of_one_helps() -> None:
    nodes, constants, _ = REFUSED["constants for each sample"]
    one = [constant("c", np.arange(24).reshape(1, 2, 3, 4) / 4)]
    with pytest.raises(CompileError):
        load(recorded(nodes, constants))
    assert load(recorded(nodes, one, batch=1)).warnings == ()


def test_inputs_of_different_batches_are_refused() -> None:
    proto = recorded([node("Add", ["a", "b"], "y")], [])
    proto.graph.input.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, (1, 2, 3, 4)))
    with pytest.raises(CompileError, match=r"HW018.*\n.*\n.*x: \[8, 2, 3, 4\], b: \[1, 2"):
        load(proto)
