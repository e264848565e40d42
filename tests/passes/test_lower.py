"""From ONNX nodes to operators: layout, names, ports, and every refusal at once."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.core.config import make_config
from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.ir.graph import Graph
from hwflow.passes import PIPELINE
from hwflow.passes.lowering.lower import lower
from hwflow.simulate.samples import mixed_data
from tests.fixtures import model
from tests.networks import Builder
from tests.passes.graphs import CONTEXT, kinds


def lowered(proto: onnx.ModelProto, **settings: Any) -> Graph:
    """Return the graph as ``lower`` leaves it."""
    state: Any = load(proto)
    for step in PIPELINE:
        if step.name == "lower":
            return lower(state, make_config(settings))
        state = step.run(state, CONTEXT)
    raise AssertionError


def conv_net(*, flatten: bool) -> onnx.ModelProto:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 4, 1 / 4, signed=True)
    x = b.node("Conv", [x, b.weight((2, 3, 2, 2), 4, 1 / 4)])
    x = b.node("Flatten", [x]) if flatten else x
    return model(b, x, (1, 3, 5, 4), (1, 24) if flatten else (1, 2, 4, 3))


def test_images_are_channels_last() -> None:
    graph = lowered(conv_net(flatten=False))
    assert graph.types["x"].shape == (5, 4, 3)
    assert graph.inputs[0].axes == graph.outputs[0].axes == (2, 3, 1)
    assert "Transpose" not in kinds(graph)


def test_a_flatten_sees_the_models_order() -> None:
    graph = lowered(conv_net(flatten=True))
    assert kinds(graph)[-2:] == ["Transpose", "Reshape"]


def test_plain_inputs_keep_their_order() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 4, 1 / 4, signed=True)
    graph = lowered(
        model(b, b.node("MatMul", [x, b.weight((4, 2), 4, 1 / 4)]), (1, 3, 4), (1, 3, 2))
    )
    assert graph.types["x"].shape == (3, 4)
    assert graph.outputs[0].axes == (1, 2)


@pytest.mark.parametrize(
    ("elem_type", "text"),
    [(TensorProto.UINT8, "ufixed<8,8>"), (TensorProto.INT8, "fixed<8,8>")],
)
def test_integer_inputs_have_their_own_type(elem_type: int, text: str) -> None:
    b = Builder(np.random.default_rng(0))
    proto = model(b, b.node("Relu", ["x"]), (1, 4), (1, 4))
    proto.graph.input[0].type.tensor_type.elem_type = elem_type
    proto.graph.output[0].type.tensor_type.elem_type = elem_type
    assert str(lowered(proto).types["x"].dtype).startswith(text[:-1])


def test_a_set_input_type_wins() -> None:
    graph = lowered(conv_net(flatten=False), input={"x": {"type": "fixed<9,3>"}})
    assert str(graph.types["x"].dtype).startswith("fixed<9,3")


def test_one_value_with_two_names_is_refused() -> None:
    proto = conv_net(flatten=False)
    first = proto.graph.output[0]
    proto.graph.node.append(helper.make_node("Identity", [first.name], ["again"]))
    proto.graph.output.append(helper.make_tensor_value_info("again", TensorProto.FLOAT, None))
    with pytest.raises(CompileError, match="HW219"):
        lowered(proto)


def test_an_input_as_an_output_is_refused() -> None:
    proto = conv_net(flatten=False)
    proto.graph.output.append(proto.graph.input[0])
    with pytest.raises(CompileError, match="HW219"):
        lowered(proto)


def test_every_refusal_comes_at_once() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.node("LRN", ["x"], size=3)
    x = b.node("MatMul", [x, b.constant(b.rng.normal(size=(4, 4)))])
    x = b.node("Det", [b.node("Div", [x, x])])
    with pytest.raises(CompileError) as caught:
        lowered(model(b, x, (1, 4, 4, 4), (1, 4)))
    assert [d.code for d in caught.value.diagnostics] == [
        "HW201",
        "HW211",
        "HW210",
        "HW201",
    ]
    assert all(d.where for d in caught.value.diagnostics)


def test_a_value_with_two_users_is_computed_once() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 4, 1 / 4, signed=True)
    y = b.node("MatMul", [x, b.weight((4, 4), 4, 1 / 4)])
    proto = model(b, b.node("Add", [b.node("Relu", [y]), y]), (1, 4), (1, 4))
    design = hwflow.compile(proto)
    assert kinds(design.graph).count("Dense") == 1
    found = design.verify(mixed_data(design.graph, 200), cpp=False)
    assert found.lossless is not None
    assert found.lossless.holds
