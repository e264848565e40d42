"""Rewritings give what ONNX Runtime gives, on random forms of each operator, with short numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError
from tests.networks import DOMAIN, Builder


def network(
    shape: tuple[int, ...], op: str, constants: list[Any], outputs: int = 1, opset: int = 19,
    **attributes: Any,
) -> onnx.ModelProto:  # fmt: skip
    """Return a network of one node behind whole numbers."""
    b = Builder(np.random.default_rng(0))
    operands = [b.quant("x", 6, 1.0, signed=True)]
    operands += ["" if c is None else b.constant(c, np.asarray(c).dtype) for c in constants]
    names = [f"y{i}" for i in range(outputs)]
    b.nodes.append(helper.make_node(op, operands, names, name="node", **attributes))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes, "rewritten", [info("x", TensorProto.FLOAT, shape)],
        [info(n, TensorProto.FLOAT, None) for n in names], b.tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network without its quantiser, for ONNX Runtime and whole numbers."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    quant = other.graph.node[0]
    del other.graph.node[0]
    for node in other.graph.node:
        for i, name in enumerate(node.input):
            if name == quant.output[0]:
                node.input[i] = "x"
    del other.opset_import[1:]
    return other


def agrees(model: onnx.ModelProto, shape: tuple[int, ...], samples: int = 12) -> hwflow.Design:
    """Compare every output with ONNX Runtime, sample by sample."""
    try:
        session = onnxruntime.InferenceSession(bare(model).SerializeToString())
        x = np.random.default_rng(1).integers(-32, 32, (samples, *shape[1:])).astype(np.float32)
        expected = [session.run(None, {"x": sample[None]}) for sample in x]
    except Exception as error:  # a form that ONNX Runtime itself refuses
        assume(False)
        raise AssertionError from error
    design = hwflow.compile(model)
    found = design.simulate({"x": x}).outputs
    for i, name in enumerate(o.name for o in model.graph.output):
        whole = np.concatenate([e[i] for e in expected])
        np.testing.assert_array_equal(found[name].reshape(whole.shape), whole)
    return design


def weights(*shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(2).integers(-8, 8, shape).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), rank=st.sampled_from([1, 2]))
def test_transposed_convolution(data: st.DataObject, rank: int) -> None:
    each = st.tuples(*[st.integers(1, 3)] * rank)
    strides, kernel, dilations = (data.draw(each) for _ in range(3))
    group = data.draw(st.sampled_from([1, 2]))
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": group}
    form = data.draw(st.sampled_from(["pads", "auto", "shape"]))
    if form == "pads":
        attributes["pads"] = data.draw(st.tuples(*[st.integers(0, 2)] * 2 * rank))
        extra = tuple(data.draw(st.integers(0, s - 1)) for s in strides)
        attributes["output_padding"] = extra
    elif form == "auto":
        attributes["auto_pad"] = data.draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    else:
        attributes["output_shape"] = data.draw(st.tuples(*[st.integers(3, 9)] * rank))
    shape = (1, 4, *(5, 4)[:rank])
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if form != "pads":  # what would need negative padding is defined differently by each runtime
        assume(all(r >= s for r, s in zip(reach, strides, strict=True)))
    if form == "shape":
        full = [s * (n - 1) + r for s, n, r in zip(strides, shape[2:], reach, strict=True)]
        wanted = attributes["output_shape"]
        assume(all(f - r + 1 <= w <= f for f, w, r in zip(full, wanted, reach, strict=True)))
    agrees(
        network(shape, "ConvTranspose", [weights(4, 3, *kernel), weights(3 * group)], **attributes),
        shape,
    )


PLACES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@settings(max_examples=30, deadline=None)
@given(
    place=st.sampled_from(PLACES), rounding=st.sampled_from(ROUNDINGS),
    factors=st.tuples(*[st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0])] * 2),
)  # fmt: skip
def test_nearest_resize(place: str, rounding: str, factors: tuple[float, float]) -> None:
    shape = (1, 2, 6, 4)
    scales = np.array([1, 1, *factors], np.float32)
    model = network(shape, "Resize", [None, scales], mode="nearest",
                    coordinate_transformation_mode=place, nearest_mode=rounding)  # fmt: skip
    refused = ""
    try:
        hwflow.compile(model)
    except CompileError as error:
        refused = error.diagnostics[0].title
    if refused:  # float32 decides between two elements
        assert "rounding" in refused
        assert any(f != int(f) for f in factors) or place == "align_corners"
    else:
        agrees(model, shape)


def test_resize_to_sizes() -> None:
    shape = (1, 2, 3, 4)
    sizes = np.array([1, 2, 6, 12])
    agrees(network(shape, "Resize", [None, None, sizes], mode="nearest"), shape)


def test_split_of_an_output_and_unequal_parts() -> None:
    shape = (1, 7, 3)
    agrees(network(shape, "Split", [np.array([1, 4, 2])], 3, axis=1), shape)
    agrees(network(shape, "Split", [], 3, axis=-1, num_outputs=3), shape)


@pytest.mark.parametrize("index", [0, -2, [1, 1, -3], [[0, -1], [2, 0]], [[[1]]]])
@pytest.mark.parametrize("axis", [1, -1])
def test_gather_with_any_indices(index: Any, axis: int) -> None:
    shape = (1, 3, 5, 3)
    agrees(network(shape, "Gather", [np.array(index)], axis=axis), shape)


def test_gather_nd_between_two_transpositions() -> None:
    """What torch's exporter writes for x[:, [0, -1, 0]]."""
    shape = (1, 3, 4)
    model = network(shape, "GatherND", [np.array([[0], [-1], [0]])])
    gather, x = model.graph.node[1], model.graph.node[0].output[0]
    turn = helper.make_node("Transpose", [x], ["turned"], perm=[1, 0, 2])
    back = helper.make_node("Transpose", ["picked"], ["y0"], perm=[1, 0, 2])
    gather.input[0], gather.output[0] = "turned", "picked"
    model.graph.node.insert(1, turn)
    model.graph.node.append(back)
    design = agrees(model, shape)
    assert [n.op.kind for n in design.graph.nodes] == ["Input", "Gather"]


@pytest.mark.parametrize("before", [0, 1, 2])
def test_constants_are_joined_anywhere(before: int) -> None:
    shape = (1, 2, 3)
    parts = [weights(1, 2, 3), np.zeros((1, 1, 3), np.float32), np.full((1, 3, 3), 5, np.float32)]
    model = network(shape, "Concat", list(parts), axis=1)
    names = list(model.graph.node[1].input)
    model.graph.node[1].input[:] = [*names[1 : 1 + before], names[0], *names[1 + before :]]
    agrees(model, shape)


@pytest.mark.parametrize("axes", [[1], [-1], [2, 3], [1, 3]])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_sums_over_axes(axes: list[int], keepdims: int) -> None:
    shape = (1, 3, 4, 5)
    agrees(network(shape, "ReduceSum", [np.array(axes)], keepdims=keepdims), shape)


def test_a_matrix_from_the_left() -> None:
    shape = (1, 2, 4, 3)
    model = network(shape, "MatMul", [weights(5, 4)])
    model.graph.node[1].input[:] = reversed(model.graph.node[1].input)
    agrees(model, shape)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(mode: str) -> None:
    shape = (1, 12, 2, 3)
    agrees(network(shape, "DepthToSpace", [], blocksize=2, mode=mode), shape)


def test_space_to_depth() -> None:
    agrees(network((1, 3, 4, 6), "SpaceToDepth", [], blocksize=2), (1, 3, 4, 6))


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_bounds_are_a_clip(op: str) -> None:
    design = agrees(network((1, 4), op, [np.full(4, 3, np.float32)]), (1, 4))
    assert [n.op.kind for n in design.graph.nodes] == ["Input", "Clip"]


def test_names_of_results_stay() -> None:
    model = network((1, 4, 3), "Split", [], 2, axis=1, num_outputs=2)
    design = hwflow.compile(model)
    assert {n.source.name for n in design.graph.nodes if n.source} >= {"y0", "y1"}
    assert [n.origin for n in design.graph.nodes if n.op.kind == "Slice"] == ["node", "node"]


@pytest.mark.parametrize("attributes", [{}, {"alpha": 0.5, "beta": 2.0, "transB": 1}])
def test_a_gemm_that_adds_a_computed_value(attributes: dict[str, Any]) -> None:
    b = Builder(np.random.default_rng(0))
    x, weights = b.quant("x", 6, 1.0, signed=True), np.arange(16.0).reshape(4, 4) - 8
    constant = b.constant(weights, np.float32)
    b.nodes.append(helper.make_node("Relu", [x], ["more"], name="more"))
    b.nodes.append(helper.make_node("Gemm", [x, constant, "more"], ["y0"], name="n", **attributes))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes, "added", [info("x", TensorProto.FLOAT, (1, 4))],
        [info("y0", TensorProto.FLOAT, None)], b.tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid(DOMAIN, 1)]
    agrees(helper.make_model(graph, opset_imports=opsets, ir_version=9), (1, 4))


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_bounds_of_channels_and_of_several_operands(op: str) -> None:
    each = np.array([[[1]], [[-3]], [[0]]], np.float32)
    agrees(network((1, 3, 2, 2), op, [each]), (1, 3, 2, 2))
    agrees(network((1, 3, 2, 2), op, [each, np.float32(4)]), (1, 3, 2, 2))


def test_bounds_of_an_operand_and_functions_of_it() -> None:
    model = network((1, 4), "Max", [])
    del model.graph.node[1].input[:]
    relu = helper.make_node("Relu", ["r"], ["relu"])
    negative = helper.make_node("Neg", ["r"], ["neg"])
    model.graph.node[0].output[0] = "r"
    model.graph.node[1].input.extend(["r", "relu", "neg"])
    last = onnx.NodeProto()
    last.CopyFrom(model.graph.node[1])
    del model.graph.node[1]
    model.graph.node.extend([relu, negative, last])
    agrees(model, (1, 4))


@pytest.mark.parametrize(
    ("op", "constants"),
    [
        ("Sum", [weights(3, 1, 1)]), ("Sum", [weights(3, 1, 1), weights(2)]),
        ("Mean", [weights(3, 1, 1)]), ("Mean", [weights(2), np.float32(2), weights(3, 1, 1)]),
    ],
)  # fmt: skip
def test_sums_and_means_with_constants(op: str, constants: list[Any]) -> None:
    agrees(network((1, 3, 2, 2), op, constants), (1, 3, 2, 2))


@settings(max_examples=10, deadline=None)
@given(
    op=st.sampled_from(["ReduceSumSquare", "ReduceL1"]), keepdims=st.sampled_from([0, 1]),
    axes=st.sampled_from([[1], [2, 3], [-1], [1, 2, 3]]), opset=st.sampled_from([13, 18]),
)  # fmt: skip
def test_sums_of_squares_and_magnitudes(
    op: str, keepdims: int, axes: list[int], opset: int
) -> None:
    shape = (1, 3, 2, 2)
    if opset < 18:
        model = network(shape, op, [], opset=opset, axes=axes, keepdims=keepdims)
    else:
        model = network(shape, op, [np.array(axes)], opset=opset, keepdims=keepdims)
    agrees(model, shape)


@pytest.mark.parametrize("op", ["ReduceSumSquare", "ReduceL1"])
def test_sums_of_scaled_values_are_judged_exactly(op: str) -> None:
    b = Builder(np.random.default_rng(0))
    b.nodes.append(helper.make_node(op, [b.quant("x", 5, 0.3, signed=True)], ["y"], axes=[1]))
    info = helper.make_tensor_value_info
    ports = [info("x", TensorProto.FLOAT, (1, 4))], [info("y", TensorProto.FLOAT, None)]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    graph = helper.make_graph(b.nodes, "scaled", *ports, b.tensors)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    x = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32) * 2
    lossless = hwflow.compile(model).verify(x).lossless
    assert lossless is not None
    assert lossless.holds
    assert not lossless.float32_only


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), number=st.booleans(), first=st.booleans())
def test_choices_by_a_constant_condition(seed: int, number: bool, first: bool) -> None:
    rng = np.random.default_rng(seed)
    other = np.float32(3) if number else weights(3, 2, 2)
    model = network((1, 3, 2, 2), "Where", [rng.random((3, 2, 2)) < 0.5, other])
    x, condition, constant = model.graph.node[1].input
    model.graph.node[1].input[:] = [condition, *((x, constant) if first else (constant, x))]
    agrees(model, (1, 3, 2, 2))


@settings(max_examples=8, deadline=None)
@example(place="half_pixel", factors=(1.0, 1.0))
@given(
    place=st.sampled_from([*PLACES, "half_pixel_symmetric"]),
    factors=st.tuples(*[st.sampled_from([0.5, 1.0, 2.0, 4.0, 3.0])] * 2),
)  # fmt: skip
def test_linear_resize(place: str, factors: tuple[float, float]) -> None:
    shape, scales = (1, 2, 4, 3), np.array([1, 1, *factors], np.float32)
    model = network(shape, "Resize", [None, scales], mode="linear",
                    coordinate_transformation_mode=place)  # fmt: skip
    refused = ""
    try:
        hwflow.compile(model)
    except CompileError as error:
        refused = error.diagnostics[0].title
    if refused:
        assert "interpolates" in refused
        assert 3.0 in factors or place == "align_corners"
    else:
        agrees(model, shape)
