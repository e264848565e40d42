"""Quantisers written as arithmetic give what ONNX Runtime gives; others are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.ir.qonnx.model import is_quantizer
from tests.networks import Builder

INFO = helper.make_tensor_value_info


def finished(b: Builder, y: str, shape: tuple[Any, ...] = ("n", 6)) -> onnx.ModelProto:
    graph = helper.make_graph(
        b.nodes, "written", [INFO("x", TensorProto.FLOAT, shape)],
        [INFO(y, TensorProto.FLOAT, None)], b.tensors,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def estimated(b: Builder, op: str, x: str, *more: str) -> str:
    """Return an operator behind a straight-through estimator."""
    return b.node("Add", [x, b.node("Sub", [b.node(op, [x, *more]), x])])


def written(b: Builder, x: str, form: dict[str, Any]) -> str:
    """Append a quantiser of a form and return its result."""
    s = np.float32(form["scale"])
    scale = b.node("Abs", [b.constant(-s)]) if form["computed"] else b.constant(s)
    zero, bounds = form["zero"], [b.constant(np.float32(v)) for v in form["bounds"]]

    def limited(v: str) -> str:
        if form["clip"] == "Clip":
            return b.node("Clip", [v, *bounds])
        return b.node("Min", [b.node("Max", [v, bounds[0]]), bounds[1]])

    v = b.node("Div", [x, scale])
    if form["place"] == "before":
        v = limited(v)
    if form["shift"] == "before" and zero:
        v = b.node("Add", [v, b.constant(np.float32(zero))])
    v = (estimated if form["estimated"] else lambda b, op, x: b.node(op, [x]))(b, form["op"], v)
    if form["shift"] == "behind" and zero:
        v = b.node("Add", [v, b.constant(np.float32(zero))])
    if form["place"] == "behind":
        v = limited(v)
    if zero:
        v = b.node("Sub", [v, b.constant(np.float32(zero))])
    v = b.node("Mul", [v, scale])
    return b.node("Add", [x, b.node("Sub", [v, x])]) if form["whole"] else v


FORMS = st.fixed_dictionaries(
    {
        "scale": st.sampled_from([0.0625, 0.25, 0.07, 0.3]),
        "computed": st.booleans(),
        "zero": st.sampled_from([0, 0, 3, 4]),
        "bounds": st.sampled_from([(-8, 7), (0, 15), (-7, 7), (-5, 8), (0, 100)]),
        "clip": st.sampled_from(["Clip", "MaxMin"]),
        "place": st.sampled_from(["before", "behind"]),
        "shift": st.sampled_from(["before", "behind"]),
        "op": st.sampled_from(["Round", "Round", "Floor", "Ceil"]),
        "estimated": st.booleans(),
        "whole": st.booleans(),
    }
)


@settings(max_examples=25, deadline=None)
@given(form=FORMS, seed=st.integers(0, 99))
def test_written_quantisers_are_read_exactly_or_refused(form: dict[str, Any], seed: int) -> None:
    b = Builder(np.random.default_rng(seed))
    w = b.constant(b.rng.integers(-8, 8, (6, 3)) / 8)
    q = written(b, "x", form)
    model = finished(b, b.node("MatMul", [q, w]))
    try:
        design = hwflow.compile(model)
    except CompileError as error:
        refused = error.diagnostics[0]
    else:
        refused = None
    uneven = form["bounds"] in ((-5, 8), (0, 100))
    odd = form["zero"] % 2 == 1 and form["shift"] == "before"
    if refused is not None:
        assert refused.code == "HW201", refused
        assert odd if form["op"] == "Round" else uneven
        return
    assert form["op"] == "Round" or not uneven
    steps = b.rng.integers(-40, 40, (40, 6))
    binary = form["scale"] in (0.0625, 0.25)
    x = (steps * form["scale"] / 2).astype(np.float32)  # half of them on ties
    if not binary:  # near ties float32 and exact quotients differ
        x += np.float32(form["scale"] / 8)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    found = design.simulate({"x": x}).outputs[model.graph.output[0].name]
    if binary:
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_weights_of_learned_steps_are_the_models_levels() -> None:
    """float32 and float64 divisions fall on other sides of a tie: the model's own are taken."""
    rng = np.random.default_rng(0)
    s = np.float32(0.07)
    values = ((rng.integers(-30, 30, (6, 40)) + 0.5).astype(np.float32) * s).astype(np.float32)
    b = Builder(rng)
    scale, bounds = b.constant(s), [b.constant(v) for v in (-128.0, 127.0)]
    w = b.node("Div", [b.constant(values), scale])
    w = b.node("Mul", [b.node("Clip", [b.node("Round", [w]), *bounds]), scale])
    model = finished(b, b.node("MatMul", [b.node("Round", ["x"]), w]))
    levels = np.rint(values / s)
    assert (levels != np.rint(values.astype(np.float64) / np.float64(s))).any()
    quantisers = [n for n in load(model).ir.graph if is_quantizer(n)]
    assert len(quantisers) == 1


@pytest.mark.parametrize(
    ("behind", "why"),
    [
        (0.0626, "another scale"),
        (-0.0625, "a negative scale"),
    ],
)
def test_what_is_no_quantiser_is_left_alone(behind: float, why: str) -> None:
    b = Builder(np.random.default_rng(0))
    v = b.node("Round", [b.node("Div", ["x", b.constant(0.0625)])])
    v = b.node("Clip", [v, b.constant(-8.0), b.constant(7.0)])
    model = finished(b, b.node("Mul", [v, b.constant(behind)]))
    with pytest.raises(CompileError) as caught:
        hwflow.compile(model)
    (finding,) = caught.value.diagnostics
    assert (finding.code, finding.found) == ("HW201", "ONNX operator Round"), why
    assert "Quant" in finding.help
