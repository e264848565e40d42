"""QDQ models mean the same integers as QONNX models: by fractions, in every form they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import hwflow
from hwflow.frontends import load
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.verify.references.exact import ExactReference
from tests.qdq_models import RANGES, evaluate, model, node, pair, scalar, tensor
from tests.verify.exact.rational import nearest

T = TensorProto
FEW = settings(max_examples=60, deadline=None)
SCALES = (0.375, 0.25, 0.1, 1 / 3, 0.0078125, 1.7)
ACTIVATIONS = (T.INT2, T.UINT2, T.INT4, T.UINT4, T.INT8, T.UINT8, T.INT16, T.UINT16)


def prepared(proto: onnx.ModelProto) -> Any:
    """Return what was read, after a round trip through a file's bytes."""
    return infer_shapes(clean_model(load(ir.to_proto(load(proto).ir))))


def exactly(proto: onnx.ModelProto, x: Any) -> dict[str, Any]:
    """Return the outputs in exact arithmetic of the model that was read."""
    return ExactReference(prepared(proto)).run({"x": np.asarray(x, np.float64)})


def operators(proto: onnx.ModelProto) -> list[str]:
    return [n.op_type for n in clean_model(load(proto)).ir.graph]


def working(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with a layer behind each output of real numbers: ports alone are no design."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for output in copy.graph.output:
        if output.type.tensor_type.elem_type == T.FLOAT:
            name = f"{output.name}_out"
            copy.graph.node.append(node("LeakyRelu", [output.name], name, alpha=0.5))
            output.name = name
    return copy


def near_ties(scale: float, low: int, high: int) -> Any:
    """Return numbers at, next to and between the ties, and far outside."""
    ends = [low - 3, low - 2, low - 1, low, low + 1, -1, 0, 1, high - 1, high, high + 1, high + 2]
    ties = np.array([k / 2 for e in ends for k in range(2 * e - 3, 2 * e + 4)]) * np.float64(
        np.float32(scale)
    )
    x = np.concatenate([ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf)])
    return np.append(x, [1e30, -1e30])[:, None]


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the parameters of a pair of operators."""
    dtype = draw(st.sampled_from(ACTIVATIONS))
    low, high = RANGES[dtype]
    zero = draw(st.integers(low, high) | st.sampled_from([low, high, max(low, 0)]))
    clip = None
    if draw(st.booleans()):
        ends = sorted([draw(st.integers(low, high)), draw(st.integers(low, high))])
        bits = draw(st.integers(1, 8))
        start = draw(st.integers(low, high))
        some = (start, min(start + 2**bits - 1, high))
        clip = draw(st.sampled_from([(ends[0], ends[1]), some]))
    scale = draw(st.sampled_from(SCALES) | st.floats(2**-10, 1024, width=32))
    return {"scale": scale, "zero": zero, "dtype": dtype, "clip": clip}


def around(line: dict[str, Any]) -> Any:
    low, high = line["clip"] or RANGES[line["dtype"]]
    return near_ties(line["scale"], low - line["zero"], high - line["zero"])


@FEW
@given(line=lines())
def test_pairs_at_the_input_give_the_integers_of_the_definition(line: dict[str, Any]) -> None:
    proto = model(*pair("x", "y", **line), shape=(1, 1), opset=25)
    x = around(line)
    np.testing.assert_array_equal(exactly(proto, x)["y"], nearest(evaluate(proto, x)["y"]))


@FEW
@given(line=lines())
def test_pairs_inside_give_the_integers_of_the_definition(line: dict[str, Any]) -> None:
    first = pair("x", "h", scale=np.float32(line["scale"]) / 2, zero=0, dtype=T.INT16)
    second = pair("h", "y", **line)
    proto = model(first[0] + second[0], first[1] + second[1], shape=(1, 1), opset=25)
    x = around(line)
    np.testing.assert_array_equal(exactly(proto, x)["y"], nearest(evaluate(proto, x)["y"]))


@settings(max_examples=20, deadline=None)
@given(line=lines(), inner=st.booleans())
def test_the_hardware_gives_them_too(line: dict[str, Any], inner: bool) -> None:
    first = pair("x", "h", scale=np.float32(line["scale"]) / 2, zero=0, dtype=T.INT16)
    nodes, tensors = pair("h" if inner else "x", "y", **line)
    if inner:
        nodes, tensors = first[0] + nodes, first[1] + tensors
    proto = working(model(nodes, tensors, shape=(1, 1), opset=25))
    x = around(line)
    found = hwflow.compile(proto).simulate(x).outputs["y_out"]
    np.testing.assert_array_equal(found, nearest(evaluate(proto, x)["y_out"]))


def test_an_even_zero_point_stays_and_an_odd_one_is_a_range() -> None:
    even: dict[str, Any] = {"scale": 0.1, "zero": 100, "dtype": T.UINT8}
    odd = even | {"zero": 101}
    inside = pair("x", "h", scale=0.01, zero=0, dtype=T.INT16)
    for line, at_input, behind in (
        (even, ["Quant"], ["Quant"]),
        (odd, ["Quant"] * 2, ["Clip", "Quant"]),
    ):
        assert operators(model(*pair("x", "y", **line))) == at_input
        second = pair("h", "y", **line)
        proto = model(inside[0] + second[0], inside[1] + second[1])
        assert operators(proto) == ["Quant", *behind]


def test_an_odd_zero_point_is_no_zero_point_of_quant() -> None:
    """What a translation by names alone gives: it differs at half of all ties, and only there."""
    proto = model(*pair("x", "y", scale=0.25, zero=101, dtype=T.UINT8), shape=(1, 1))
    x = np.arange(-30, 30)[:, None] / 8
    y = np.rint(x / 0.25 + 101)
    ours = exactly(proto, x)["y"] / 0.25 + 101
    differ = y != ours
    assert differ.sum() == 30
    assert np.all(x[differ] / 0.25 % 1 == 0.5)


def line_of(name: str, scale: float, zero: int, dtype: int = T.UINT8) -> list[Any]:
    return [scalar(f"{name}_s", scale), tensor(f"{name}_z", dtype, zero)]


def quantize(x: str, name: str, y: str, **attrs: Any) -> Any:
    return node("QuantizeLinear", [x, f"{name}_s", f"{name}_z"], y, **attrs)


def dequantize(x: str, name: str, y: str, **attrs: Any) -> Any:
    return node("DequantizeLinear", [x, f"{name}_s", f"{name}_z"], y, **attrs)


A, B = line_of("a", 0.1, 77), line_of("b", 0.3, 20)
X = np.random.default_rng(0).normal(scale=10, size=(200, 4)).astype(np.float32)
INTEGERS = np.random.default_rng(1).integers(0, 256, (200, 4))

FORMS = {
    "two dequantisers of one": (
        model([quantize("x", "a", "q"), dequantize("q", "a", "u"), dequantize("q", "b", "v"),
               node("Add", ["u", "v"], "y")], A + B), X),
    "other scale and zero point": (
        model([quantize("x", "a", "q"), dequantize("q", "b", "y")], A + B), X),
    "integers leave": (model([quantize("x", "a", "y")], A, outputs={"y": T.UINT8}), X),
    "integers leave and go on": (
        model([quantize("x", "a", "o"), dequantize("o", "a", "u"), node("Relu", ["u"], "r"),
               quantize("r", "b", "q"), dequantize("q", "b", "y")], A + B,
              outputs={"q": T.UINT8, "y": T.FLOAT}), X),
    "integers enter": (model([dequantize("x", "a", "y")], A, dtype=T.UINT8), INTEGERS),
    "signed integers enter": (
        model([dequantize("x", "a", "y")], line_of("a", 0.1, -3, T.INT8), dtype=T.INT8),
        INTEGERS - 128),
    "integers enter and are moved": (
        model([node("Flatten", ["x"], "f"), dequantize("f", "a", "u"), dequantize("x", "b", "v"),
               node("Add", ["u", "v"], "y")], A + B, dtype=T.UINT8), INTEGERS),
    "integers enter and leave": (
        model([dequantize("x", "a", "u"), node("Relu", ["u"], "r"), quantize("r", "b", "y")],
              A + B, dtype=T.UINT8, outputs={"y": T.UINT8}), INTEGERS),
    "clip of what is used twice": (
        model([quantize("x", "a", "q"),
               node("Clip", ["q", "lo", "hi"], "c"), dequantize("q", "a", "u"),
               dequantize("c", "a", "v"), node("Add", ["u", "v"], "y")],
              [*A, tensor("lo", T.UINT8, 60), tensor("hi", T.UINT8, 91)]), X),
    "two clips": (
        model([quantize("x", "a", "q"), node("Clip", ["q", "lo"], "c"),
               node("Clip", ["c", "", "hi"], "d"), dequantize("d", "a", "y")],
              [*A, tensor("lo", T.UINT8, 60), tensor("hi", T.UINT8, 90)]), X),
    "moved between": (
        model([quantize("x", "a", "q"), node("Flatten", ["q"], "f"), dequantize("f", "a", "y")],
              A), X),
    "moved before": (
        model([node("Flatten", ["x"], "f"), quantize("f", "a", "q"), dequantize("q", "a", "y")],
              A), X),
    "joined as integers": (
        model([quantize("x", "a", "q"), dequantize("q", "a", "u"), node("Relu", ["u"], "r"),
               quantize("r", "a", "p"), node("Concat", ["q", "p"], "j", axis=1),
               dequantize("j", "a", "y")], A), X),
    "no zero point": (
        model([node("QuantizeLinear", ["x", "a_s"], "q"),
               node("DequantizeLinear", ["q", "a_s"], "y")], A), X),
    "output_dtype": (
        model([node("QuantizeLinear", ["x", "a_s"], "q", output_dtype=T.INT4),
               node("DequantizeLinear", ["q", "a_s"], "y")], A), X),
    "per axis": (
        model(*pair("x", "y", scale=[0.1, 0.2, 0.3, 0.25], zero=[3, 4, 0, 77], dtype=T.UINT8)),
        X),
    "per axis, behind a branch": (
        model([quantize("x", "a", "q"), dequantize("q", "a", "u"), node("Relu", ["u"], "r"),
               *pair("r", "v", scale=[0.1, 0.2, 0.3, 0.25], zero=[3, 4, 0, 77], dtype=T.UINT8)[0],
               dequantize("q", "a", "w"), node("Add", ["v", "w"], "y")],
              A + pair("r", "v", scale=[0.1, 0.2, 0.3, 0.25], zero=[3, 4, 0, 77],
                       dtype=T.UINT8)[1]), X),
    "per axis from the end, clipped": (
        model(*pair("x", "y", scale=[0.1, 0.2, 0.3, 0.25], zero=[3, 4, 0, 5], dtype=T.INT8,
                    clip=(-8, 7), axis=1)), X),
    "opset 10": (model(*pair("x", "y", scale=0.1, zero=77, dtype=T.UINT8), opset=10), X),
    "opset 10, inside": (
        model([*pair("x", "h", scale=0.05, zero=0, dtype=T.INT8)[0],
               *pair("h", "y", scale=0.1, zero=77, dtype=T.UINT8)[0]],
              [*pair("x", "h", scale=0.05, zero=0, dtype=T.INT8)[1],
               *pair("h", "y", scale=0.1, zero=77, dtype=T.UINT8)[1]], opset=10), X),
    "parameters from Constant nodes": (
        model([helper.make_node("Constant", [], ["a_s"], value=A[0]),
               helper.make_node("Constant", [], ["a_z"], value=A[1]),
               quantize("x", "a", "q"), dequantize("q", "a", "y")], []), X),
    "ONNX Runtime's domain": (
        model([quantize("x", "a", "q", domain="com.microsoft"),
               dequantize("q", "a", "y", domain="com.microsoft")],
              line_of("a", 0.001, 301, T.UINT16), opset=17), X),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    proto, x = FORMS[form]
    proto = working(proto)
    held = evaluate(proto, x)
    expected = {o.name: nearest(held[o.name]) for o in proto.graph.output}
    found = exactly(proto, x)
    if form == "integers leave":  # nothing is left to compute
        np.testing.assert_array_equal(found["y"], expected["y"])
        return
    simulated = hwflow.compile(proto).simulate(x).outputs
    assert sorted(simulated) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
        np.testing.assert_array_equal(simulated[name].astype(np.float64), values)


@pytest.mark.parametrize(
    ("pooled", "best"),
    [
        (
            node("MaxPool", ["q"], "p", kernel_shape=[2, 2], strides=[2, 2]),
            lambda y: y.reshape(-1, 2, 2, 2, 2, 2).max((3, 5)),
        ),
        (node("ReduceMax", ["q", "axes"], "p"), lambda y: y.max((2, 3), keepdims=True)),
        (node("Max", ["q", "r"], "p"), lambda y: np.maximum(y, y.swapaxes(2, 3))),
    ],
    ids=lambda case: getattr(case, "op_type", ""),
)
def test_pooled_as_integers(pooled: onnx.NodeProto, best: Any) -> None:
    start = quantize("x", "a", "q")
    turned = node("Transpose", ["q"], "r", perm=[0, 1, 3, 2])
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    nodes = [start, turned, pooled, dequantize("p", "a", "y")]
    proto = model(nodes, [*A, axes], shape=(1, 2, 4, 4))
    x = np.random.default_rng(2).normal(scale=10, size=(50, 2, 4, 4)).astype(np.float32)
    before = model([start, dequantize("q", "a", "y")], A, shape=(1, 2, 4, 4))
    np.testing.assert_array_equal(
        hwflow.compile(proto).simulate(x).outputs["y"], best(nearest(evaluate(before, x)["y"]))
    )
