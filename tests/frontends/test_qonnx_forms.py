"""qonnx's own operators have the numbers that qonnx computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from tiny_models import QONNX, constant, node

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.verify.verdict import State

LAST = "qonnx.custom_op.channels_last"
RNG = np.random.default_rng(0)
INPUT = node("Quant", ["x", "s", "z", "b"], "a", QONNX, signed=1, narrow=0, rounding_mode="ROUND")
WEIGHT = node("Quant", ["w", "s", "z", "b"], "v", QONNX, signed=1, narrow=0, rounding_mode="ROUND")
PARAMETERS = {"s": 0.5, "z": 0, "b": 5}
LATER = [node("Mul", ["a", "g"], "m"), node("Add", ["m", "h"], "n")]
GAIN = {"g": np.float32([0.3, -0.7]).reshape(2, 1, 1), "h": np.float32([0.1, 0.2]).reshape(2, 1, 1)}

Case = tuple[list[Any], dict[str, Any], tuple[int, ...], tuple[int, ...]]


def levels(rows: int, count: int) -> Any:
    return np.sort(RNG.normal(size=(rows, count)) * 4, axis=1)


def steps(x: str = "a", **attributes: Any) -> Any:
    return node("MultiThreshold", [x, "t"], "y", QONNX, out_dtype="UINT4", **attributes)


def windows(**attributes: Any) -> Any:
    shape = {"stride": [1, 1], "kernel_size": [2, 2], "input_shape": "(1, 4, 3, 2)"}
    return node("Im2Col", ["a"], "y", QONNX, **(shape | attributes))


def pooled(**attributes: Any) -> Any:
    one = {"stride": 2, "kernel": 2, "ibits": 5, "obits": 5, "signed": 1}
    return node("QuantAvgPool2d", ["a"], "y", QONNX, **(one | attributes))


def conv(**attributes: Any) -> list[Any]:
    rest = {
        "kernel_shape": [2, 2],
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": [0] * 4,
        "group": 1,
    }
    return [WEIGHT, node("Conv", ["a", "v"], "y", LAST, **(rest | attributes))]


MAP, ROWS = (1, 2, 4, 3), (1, 4, 3, 2)
CASES: dict[str, Case] = {
    "steps": ([steps()], {"t": levels(4, 3)}, (1, 4), (1, 4)),
    "steps, one row": ([steps()], {"t": levels(1, 7)}, (1, 4), (1, 4)),
    "steps at values": ([steps()], {"t": [[-1.5, 0.5, 0.5, 2]]}, (1, 4), (1, 4)),
    "steps out of order": ([steps()], {"t": [[3, -2.25, 0.1]]}, (1, 4), (1, 4)),
    "steps, scale and bias": (
        [steps(out_scale=0.5, out_bias=-1.0)], {"t": levels(2, 5)}, MAP, MAP,
    ),
    "steps, any scale and bias": (
        [steps(out_scale=0.3, out_bias=-0.7)], {"t": levels(2, 5)}, MAP, MAP,
    ),
    "steps, falling": ([steps(out_scale=-1.0, out_bias=3.0)], {"t": levels(2, 3)}, MAP, MAP),
    "steps, NHWC": ([steps(data_layout="NHWC")], {"t": levels(2, 3)}, ROWS, ROWS),
    "steps, NWC by rank": ([steps()], {"t": levels(3, 3)}, (1, 2, 3), (1, 2, 3)),
    "steps behind a line": ([*LATER, steps("n")], {"t": levels(2, 5), **GAIN}, MAP, MAP),
    "average": ([pooled()], {"s": 1}, (1, 2, 4, 4), (1, 2, 2, 2)),
    "average of nine, NHWC": (
        [pooled(kernel=3, stride=1, obits=3, data_layout="NHWC")], {"s": 1}, ROWS, (1, 2, 1, 2),
    ),
    "windows": ([windows()], {}, ROWS, (1, 3, 2, 8)),
    "windows, padded, strides": (
        [windows(stride=[2, 1], pad_amount=[1, 0, 2, 1], pad_value=-1)],
        {"s": 1}, ROWS, (1, 3, 3, 8),
    ),
    "windows, dilated": (
        [windows(dilations=[2, 1], depthwise=1)], {}, ROWS, (1, 2, 2, 8),
    ),
    "conv": (conv(), {"w": RNG.normal(size=(3, 2, 2, 2))}, ROWS, (1, 3, 2, 3)),
    "conv, depthwise": (
        conv(group=2, pads=[1, 0, 0, 1], strides=[2, 1]),
        {"w": RNG.normal(size=(2, 2, 2, 1))}, ROWS, (1, 2, 3, 2),
    ),
    "max": (
        [node("MaxPool", ["a"], "y", LAST, kernel_shape=[2, 2], strides=[2, 1], pads=[0] * 4)],
        {}, ROWS, (1, 2, 2, 2),
    ),
    "norm": (
        [node("BatchNormalization", ["a", *"oumi"], "y", LAST, epsilon=0.0, momentum=0.9)],
        {"o": [1, 2], "u": [0, 1], "m": [0, 1], "i": [1, 4]}, ROWS, ROWS,
    ),
}  # fmt: skip


ROUNDED = "steps, any scale and bias"


def proto_of(case: Case) -> onnx.ModelProto:
    nodes, values, shape, result = case
    info = helper.make_tensor_value_info
    shapes = dict.fromkeys(("a", "m", "n"), shape)
    shapes |= {"v": np.shape(values["w"])} if "w" in values else {}
    graph = helper.make_graph(
        [INPUT, *nodes],
        "forms",
        [info("x", TensorProto.FLOAT, shape)],
        [info("y", TensorProto.FLOAT, result)],
        [constant(name, value) for name, value in (PARAMETERS | values).items()],
        value_info=[info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
    )
    imports = [helper.make_opsetid(d, v) for d, v in (("", 13), (QONNX, 1), (LAST, 13))]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def by_qonnx(proto: onnx.ModelProto, x: Any) -> Any:
    wrapped = ModelWrapper(proto)
    wrapped.set_tensor_datatype("a", DataType["FLOAT32"])
    parts = [execute_onnx(wrapped, {"x": one[None].astype(np.float32)})["y"] for one in x]
    return np.concatenate(parts)


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_of_qonnx(name: str) -> None:
    case = CASES[name]
    proto = proto_of(case)
    kept = proto.SerializeToString()
    x = np.round(RNG.normal(size=(12, *case[2][1:])) * 32) / 8
    design = hwflow.compile(proto)
    assert proto.SerializeToString() == kept
    wanted = by_qonnx(proto, x)
    given = design.simulate(x).outputs["y"].astype(np.float32)
    if name == ROUNDED:  # qonnx rounds the product and the sum in float32
        given, wanted = (np.rint((y + 0.7) / 0.3) for y in (given, wanted))
    np.testing.assert_array_equal(given, wanted)
    found = design.verify(x, cpp=False)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0
    assert found.lossless.verdict is not None
    assert found.lossless.verdict.state is State.LOSSLESS


def test_hw387_thresholds_that_are_computed() -> None:
    nodes, values, shape, result = CASES["steps"]
    late = [node("Abs", ["a"], "r"), steps()]
    late[1].input[1] = "r"
    with pytest.raises(CompileError, match="HW387"):
        hwflow.compile(proto_of((late, values, shape, result)))
    assert hwflow.compile(proto_of((nodes, values, shape, result))).graph.outputs


UNKNOWN: dict[str, tuple[Any, str]] = {
    "attribute": (steps(rounding="up"), "attributes rounding"),
    "layout": (pooled(data_layout="CHWN"), "data_layout b'CHWN'"),
    "shape": (windows(input_shape="(1, 2)"), "other lengths"),
    "text": (windows(input_shape="(1, a, b, c)"), "another number or kind"),
    "nothing": (node("Im2Col", ["a"], "y", QONNX), "no attribute input_shape"),
    "rank": (node("BatchNormalization", ["a", *"oumi"], "y", LAST), "does not record the shape"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_hw388_names_what_is_not_known_of_a_form(name: str) -> None:
    one, text = UNKNOWN[name]
    proto = proto_of(([one], {"t": levels(4, 3), **{key: [1, 1] for key in "oumi"}}, ROWS, ROWS))
    del proto.graph.value_info[:]
    with pytest.raises(CompileError) as caught:
        load(proto)
    (finding,) = caught.value.diagnostics
    assert finding.code == "HW388"
    assert text in finding.found


def test_recording_shapes_helps() -> None:
    proto = proto_of(CASES["norm"])
    recorded = list(proto.graph.value_info)
    del proto.graph.value_info[:]
    with pytest.raises(CompileError, match="HW388"):
        load(proto)
    proto.graph.value_info.extend(recorded)
    assert load(proto).ir.graph
