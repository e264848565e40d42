"""Models of opsets 6 to 8 keep their meaning, or are refused at the node that would change it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_models import constant, model, node, quant

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import load

RNG = np.random.default_rng(0)
MAP = (1, 2, 4, 4)
NORM = [constant(n, v) for n, v in {"g": [1, 2], "b": [0, 1], "m": [0, 1], "v": [1, 4]}.items()]
WEIGHTS = constant("w", RNG.integers(-4, 4, (3, 2, 2, 2)) / 4)
NORMED = ["x", "g", "b", "m", "v"]
OLD: dict[str, tuple[list[Any], list[Any]]] = {
    "conv, pool": (
        [
            node("Conv", ["x", "w"], "c", kernel_shape=[2, 2]),
            node("MaxPool", ["c"], "p", kernel_shape=[2, 2], strides=[2, 2]),
            node("Dropout", ["p"], "d"),
            node("Clip", ["d"], "y", min=-1.0, max=1.5),
        ],
        [WEIGHTS],
    ),
    "batch norm": ([node("BatchNormalization", NORMED, "y", epsilon=0.0)], NORM),
    "upsample": ([node("Upsample", ["x"], "y", scales=[1.0, 1.0, 2.0, 2.0])], []),
    "flatten, gemm": (
        [node("Flatten", ["x"], "f"), node("Gemm", ["f", "k", "c"], "y")],
        [constant("k", RNG.integers(-4, 4, (32, 3)) / 4), constant("c", [1, 2, 3])],
    ),
    "sum": ([node("Sum", ["x", "x"], "y")], []),
}


@pytest.mark.parametrize("opset", [7, 8])
@pytest.mark.parametrize("case", OLD)
def test_older_models_have_the_numbers_of_onnx_runtime(case: str, opset: int) -> None:
    nodes, constants = OLD[case]
    proto = model(nodes, constants, shape=MAP, opset=opset)
    kept = proto.SerializeToString()
    x = RNG.integers(-64, 64, (20, *MAP[1:])) / 8
    session = onnxruntime.InferenceSession(kept)
    wanted = [session.run(None, {"x": one[None].astype(np.float32)})[0] for one in x]
    design = hwflow.compile(proto, config={"input": {"x": {"type": "fixed<9,6>"}}})
    np.testing.assert_array_equal(design.simulate(x).outputs["y"], np.concatenate(wanted))
    assert proto.SerializeToString() == kept


def older(proto: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    proto.opset_import[0].version = opset
    return proto


@pytest.mark.parametrize("opset", [6, 7, 8])
def test_quantisers_of_older_models_stay(opset: int) -> None:
    found = load(older(quant(), opset)).ir.graph
    assert [n.op_type for n in found] == ["Quant"]
    assert found.opset_imports[""] == 9


SIX: dict[str, tuple[Any, list[Any], str]] = {
    "slopes": (node("PRelu", ["x", "g"], "y"), NORM, "slopes that differ"),
    "axis": (node("Add", ["x", "g"], "y", broadcast=1, axis=1), NORM, "an axis|axis that is named"),
    "training": (node("BatchNormalization", NORMED, "y"), NORM, "training"),
    "dropout": (node("Dropout", ["x"], "y"), [], "training"),
}


@pytest.mark.parametrize("case", SIX)
def test_hw386_names_what_opset_6_means_otherwise(case: str) -> None:
    one, constants, text = SIX[case]
    with pytest.raises(CompileError, match=text) as caught:
        load(model([one], constants, shape=MAP, opset=6))
    (finding,) = caught.value.diagnostics
    assert (finding.code, finding.where.split(":")[0]) == ("HW386", "n_y")
    for attribute in list(one.attribute):  # the help: the same, of a newer opset
        one.attribute.remove(attribute)
    if case == "axis":
        constants = [constant("g", [[[1]], [[2]]])]
    assert load(model([one], constants, shape=MAP, opset=18)).ir.graph


def test_opset_6_is_read_where_it_means_the_same() -> None:
    last = [node("BatchNormalization", NORMED, "a", is_test=1, epsilon=0.0)]
    last += [node("Add", ["a", "c"], "y", broadcast=1)]
    proto = model(last, [*NORM, constant("c", [1, 2, 3, 4])], shape=MAP, opset=6)
    x = RNG.integers(-64, 64, (20, *MAP[1:])) / 8
    gain, bias, mean, deviation = (
        np.array(v).reshape(2, 1, 1) for v in ([1, 2], [0, 1], [0, 1], [1, 2])
    )
    wanted = (x - mean) / deviation * gain + bias + np.array([1, 2, 3, 4])
    design = hwflow.compile(proto, config={"input": {"x": {"type": "fixed<9,6>"}}})
    np.testing.assert_array_equal(design.simulate(x).outputs["y"], wanted)


def test_hw386_says_why_the_converter_ends() -> None:
    with pytest.raises(CompileError, match=r"HW386.*\n.*\n.*spatial must have value 1"):
        load(model([node("BatchNormalization", NORMED, "y", spatial=0)], NORM, shape=MAP, opset=8))


def test_what_is_wrong_is_found_before_the_conversion() -> None:
    with pytest.raises(CompileError, match="HW010"):
        load(model([node("Relu", ["ghost"], "y")], opset=7))
    with pytest.raises(CompileError, match="HW013"):
        load(model([node("Relu", ["x"], "y")], opset=5))
