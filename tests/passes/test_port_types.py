"""Quantisers at an input say its type, or the host applies them; one cause is one finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError
from tests.networks import DOMAIN, Builder

PER_CHANNEL = np.float32([[0.25], [0.5], [0.125]])


def model(b: Builder, y: str, shape: tuple[int, ...] = (1, 3, 4)) -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes, "net", [info("x", TensorProto.FLOAT, shape)], [info(y, TensorProto.FLOAT, None)],
        b.tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def refusals(source: onnx.ModelProto) -> list[tuple[str, str]]:
    with pytest.raises(CompileError) as caught:
        hwflow.compile(source)
    return [(d.code, d.found) for d in caught.value.diagnostics]


def real_numbers() -> dict[str, Any]:
    """Return numbers on ties, beside them and out of range."""
    x = np.random.default_rng(0).integers(-200, 200, (60, 3, 4)) / 16
    x[:20] += 2.0**-14
    return {"x": x.astype(np.float32)}


@pytest.mark.parametrize("rounding", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP"])
@pytest.mark.parametrize("scale", [0.25, PER_CHANNEL], ids=["one scale", "per channel"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_quantiser_at_an_input_needs_no_data(rounding: str, scale: Any, signed: bool) -> None:
    b = Builder(np.random.default_rng(0))
    q = b.quant("x", 4, scale, signed=signed, narrow=not signed, rounding=rounding)
    design = hwflow.compile(model(b, b.node("Relu", [q])))
    found = design.verify(real_numbers(), cpp=False)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0, found.lossless.first


def test_a_bipolar_quantiser_at_an_input_needs_no_data() -> None:
    b = Builder(np.random.default_rng(0))
    b.nodes.append(helper.make_node("BipolarQuant", ["x", b.constant(0.5)], ["q"], domain=DOMAIN))
    design = hwflow.compile(model(b, b.node("Relu", ["q"])))
    found = design.verify(real_numbers(), cpp=False)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0, found.lossless.first


@pytest.mark.cpp
def test_integers_times_scales_of_channels_are_the_same_in_cpp() -> None:
    b = Builder(np.random.default_rng(0))
    q = b.quant("x", 4, PER_CHANNEL, signed=True, rounding="CEIL")
    found = hwflow.compile(model(b, b.node("Relu", [q]))).verify(real_numbers())
    assert found.faithful is not None
    assert found.faithful.holds
    assert found.lossless is not None
    assert found.lossless.holds


def test_quantisers_that_differ_need_a_type() -> None:
    """Their functions are tabulated over the numbers that data says the input has."""
    b = Builder(np.random.default_rng(0))
    parts = [b.quant("x", 5, scale, signed=True) for scale in (0.07, 0.11)]
    source = model(b, b.quant(b.node("Add", parts), 6, 0.13, signed=True))
    ((code, found),) = refusals(source)
    assert code == "HW230"
    assert "no one type" in found
    data = {"x": np.arange(-48, 48).reshape(8, 3, 4) / 16}
    checked = hwflow.compile(source, data=data).verify(data, cpp=False)
    assert checked.lossless is not None
    assert checked.lossless.mismatches == 0, checked.lossless.first


def rounded(b: Builder) -> str:
    """Append what is no quantiser: two scales."""
    v = b.node("Round", [b.node("Div", ["x", b.constant(0.25)])])
    v = b.node("Clip", [v, b.constant(-8.0), b.constant(7.0)])
    return b.node("Mul", [v, b.constant(0.3)])


def test_a_rounding_at_an_input_is_one_finding() -> None:
    b = Builder(np.random.default_rng(0))
    assert [code for code, _ in refusals(model(b, rounded(b)))] == ["HW201"]


def test_a_rounding_behind_an_estimator_is_one_finding() -> None:
    b = Builder(np.random.default_rng(0))
    v = rounded(b)
    y = b.node("Add", ["x", b.node("Sub", [v, "x"])])
    assert [code for code, _ in refusals(model(b, y))] == ["HW201"]


def test_an_input_that_is_read_beside_a_rounding_is_another_finding() -> None:
    b = Builder(np.random.default_rng(0))
    y = b.node("Add", ["x", rounded(b)])
    assert [code for code, _ in refusals(model(b, y))] == ["HW230", "HW201"]
