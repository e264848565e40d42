"""``FixedQuant`` behind what the hardware holds and behind what it does not, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwflow
from hwflow.fixed import Overflow, Rounding
from hwflow.frontends import load
from hwflow.ir.qonnx.fixed_quant import DOMAIN, OP, OVERFLOWS, function
from hwflow.ir.qonnx.model import QONNX_DOMAIN
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.verify.references.exact import ExactReference

SHAPE = (6, 6, 3)
KIF = {
    "k": np.array([1, 0, 1, 1, 0, 1]),
    "i": np.array([1, 2, 0, -1, 1, 3]),
    "f": np.array([2, 0, 3, 1, -2, 1]),
}
"""For six channels; the last but one has no bits."""


def model(before: list[Any], kif: dict[str, Any], **modes: str) -> onnx.ModelProto:
    """Return quantised input, some nodes from ``q`` to ``z``, and a FixedQuant."""
    constants = {"scale": 0.125, "zero": 0.0, "bits": 8.0, "third": 1 / 3}
    values = {**constants, **{n: np.reshape(v, (-1, 1, 1)) for n, v in kif.items()}}
    nodes = [
        helper.make_node("Quant", ["x", "scale", "zero", "bits"], ["q"], domain=QONNX_DOMAIN),
        *before,
        helper.make_node(OP, ["z", "k", "i", "f"], ["y"], domain=DOMAIN, **modes),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, [1, 6, 6, 3])],
        [info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in values.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid(*o) for o in (("", 20), (QONNX_DOMAIN, 1), (DOMAIN, 1))]
    return helper.make_model(graph, opset_imports=opsets, functions=[function()], ir_version=10)


BEFORE = {
    "plain": [helper.make_node("Identity", ["q"], ["z"])],
    "third": [helper.make_node("Mul", ["q", "third"], ["z"])],
    "tanh": [helper.make_node("Tanh", ["q"], ["z"])],
    "mean": [helper.make_node("AveragePool", ["q"], ["z"], kernel_shape=[3, 3])],
    "relu": [helper.make_node("Relu", ["q"], ["z"])],
}


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("before", BEFORE)
def test_the_hardware_is_exact(before: str, overflow: Overflow) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(-1500, 1500, (40, *SHAPE)) / 64
    for rounding in Rounding:
        proto = model(BEFORE[before], KIF, rounding_mode=rounding, overflow_mode=overflow)
        (ours,) = hwflow.compile(proto).simulate(data).outputs.values()
        exact = ExactReference(infer_shapes(clean_model(load(proto)))).run({"x": data})["y"]
        assert np.array_equal(ours, exact), rounding


def test_a_relu_is_part_of_the_assignment() -> None:
    proto = model(BEFORE["relu"], KIF, rounding_mode="RND", overflow_mode="WRAP")
    kinds = [n.op.kind for n in hwflow.compile(proto).graph.nodes]
    assert kinds == ["Input", "FixedQuant"]


@pytest.mark.parametrize(
    ("change", "modes"),
    [
        ({"f": np.full(6, 70)}, {}),
        ({"k": np.full(6, 2)}, {}),
        ({"i": np.full(6, 0.5)}, {}),
        ({}, {"overflow_mode": "WRAP_SM"}),
        ({}, {"rounding_mode": "UP"}),
    ],
)
def test_what_is_no_format_is_refused(change: dict[str, Any], modes: dict[str, str]) -> None:
    given = {"rounding_mode": "RND", "overflow_mode": "WRAP"} | modes
    with pytest.raises(hwflow.CompileError) as caught:
        hwflow.compile(model(BEFORE["plain"], KIF | change, **given))
    assert [d.code for d in caught.value.diagnostics] == ["HW285"]
