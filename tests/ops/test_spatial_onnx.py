"""Spatial and shape operators against ONNX Runtime, bit for bit, and what they refuse."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.op import RefusedError
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.depthwise_conv1d import DepthwiseConv1D
from hwflow.ops.depthwise_conv2d import DepthwiseConv2D
from tests.ops.onnx_nodes import Node
from tests.strategies import cast_exactly

UNSIGNED = FixedType(5, 2, signed=False)


def weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return (rng.integers(-8, 8, shape) / 4).astype(np.float32)


def check(node: Node) -> None:
    x = node.data()
    expected = node.expected(x)
    assert np.array_equal(node.computed(x), expected)


@pytest.mark.parametrize("seed", range(60))
def test_random_convolutions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 3))
    groups = int(rng.choice([1, 1, 2, 3]))
    per_group, filters = int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel = [int(k) for k in rng.integers(1, 4, rank)]
    dilations = [int(d) for d in rng.choice([1, 1, 2, 3], rank)]
    size = [int(s) for s in rng.integers(8, 12, rank)]
    attributes = {"strides": [int(s) for s in rng.integers(1, 4, rank)], "dilations": dilations}
    mode = rng.choice(["pads", "SAME_UPPER", "SAME_LOWER", "VALID", "none"])
    if mode == "pads":
        attributes["pads"] = [int(p) for p in rng.integers(0, 3, 2 * rank)]
    elif mode != "none":
        attributes["auto_pad"] = str(mode)
        attributes["dilations"] = [1] * rank  # ONNX Runtime takes no dilation with SAME
    w = weights(rng, (filters, per_group, *kernel))
    bias = weights(rng, (filters,)) if rng.integers(2) else None
    constants = [w] if bias is None else [w, bias]
    shape = (groups * per_group, *size)
    dtype = UNSIGNED if rng.integers(2) else FixedType(6, 3)
    check(Node("Conv", shape, constants, dtype=dtype, group=groups, **attributes))


def test_convolution_defaults() -> None:
    rng = np.random.default_rng(0)
    node = Node("Conv", (2, 6, 5), [weights(rng, (3, 2, 3, 2))])
    assert type(node.ops()[0]) is Conv2D
    check(node)


@pytest.mark.parametrize(
    ("size", "filters", "kind"),
    [((7,), 4, DepthwiseConv1D), ((5, 6), 4, DepthwiseConv2D), ((7,), 8, Conv1D),
     ((5, 6), 8, Conv2D)],
)  # fmt: skip
def test_depthwise_and_its_multiplier(size: tuple[int, ...], filters: int, kind: type) -> None:
    w = weights(np.random.default_rng(1), (filters, 1, *(3,) * len(size)))
    node = Node("Conv", (4, *size), [w], group=4)
    assert type(node.ops()[0]) is kind
    check(node)


def test_per_channel_scales_give_wider_weights() -> None:
    rng = np.random.default_rng(2)
    scales = 2.0 ** -np.arange(4).reshape(4, 1, 1, 1)
    w = (rng.integers(-8, 8, (4, 2, 3, 3)) * scales).astype(np.float32)
    check(Node("Conv", (2, 5, 5), [w]))


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
def test_random_pooling(op_type: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 3))
    kernel = [
        int(k)
        for k in (
            rng.integers(1, 5, rank) if op_type == "MaxPool" else 2 ** rng.integers(0, 3, rank)
        )
    ]
    attributes = {
        "kernel_shape": kernel,
        "strides": [int(s) for s in rng.integers(1, 4, rank)],
        "ceil_mode": int(rng.integers(2)),
    }
    if rng.integers(2):
        attributes["pads"] = [int(rng.integers(k)) for k in (*kernel, *kernel)]
    if op_type == "AveragePool":
        attributes["count_include_pad"] = 1
        attributes["ceil_mode"] = 0
    shape = (int(rng.integers(1, 4)), *(int(s) for s in rng.integers(5, 9, rank)))
    dtype = UNSIGNED if rng.integers(2) else FixedType(6, 3)
    check(Node(op_type, shape, dtype=dtype, opset=19, **attributes))


@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("rounding", Rounding)
def test_means_are_rounded_once(rounding: Rounding, include: int) -> None:
    """Every mean against the rational number, rounded by the definition of the mode."""
    node = Node(
        "AveragePool", (2, 5, 7), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
        count_include_pad=include,
    )  # fmt: skip
    to = FixedType(5, 2, True, rounding, Overflow.SAT)
    (op,) = node.ops()
    assert isinstance(op, AveragePool)
    x = node.data()
    result = node.computed(x, [replace(op, result_t=to)])
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    there = np.pad(np.ones(x.shape), ((0, 0), (0, 0), (1, 1), (1, 1)))
    for index in np.ndindex(*result.shape):
        n, c, y, z = index
        window = (n, c, slice(2 * y, 2 * y + 3), slice(2 * z, 2 * z + 3))
        count = 9 if include else int(there[window].sum())
        mean = Fraction(float(padded[window].sum())) / count
        assert result[index] == cast_exactly(mean, to) * to.step


@pytest.mark.parametrize("op_type", ["AveragePool", "GlobalAveragePool", "ReduceMean"])
def test_means_without_a_type_are_nearest_on_a_fine_grid(op_type: str) -> None:
    attributes = {"kernel_shape": [3, 3]} if op_type == "AveragePool" else {}
    constants = [np.array([2, 3])] if op_type == "ReduceMean" else []
    node = Node(op_type, (2, 3, 5), constants, **attributes)
    x = node.data()
    (op,) = node.ops()
    step = op.infer(node.view().activations[0]).dtype.step
    axes = (2, 3)
    exact = x.mean(axis=axes, keepdims=True) if op_type != "AveragePool" else node.expected(x)
    assert np.abs(node.computed(x) - exact).max() <= step / 2 + 2.0**-22
    assert step <= node.dtype.step / 2**13


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((4, 2, 8), (2, 3)), ((4, 2, 8), (-1, -2)), ((4, 8), (2,)), ((4, 8), (1,)), ((8,), (1,)),
     ((4, 2, 8), (1,)), ((4, 2, 8), (3,)), ((4, 2, 8), (1, 2, 3)), ((4, 2, 8), (1, 3)),
     ((4, 2, 4, 2), (2, 3, 4)), ((4, 2, 4, 2), (1, 4))],
)  # fmt: skip
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("op_type", ["ReduceMean", "ReduceMax"])
def test_reductions(
    op_type: str, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: int
) -> None:
    check(Node(op_type, shape, [np.array(axes)], keepdims=keepdims))
    check(Node(op_type, shape, opset=13, axes=list(axes), keepdims=keepdims))


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 8)])
def test_global_pooling(op_type: str, shape: tuple[int, ...]) -> None:
    check(Node(op_type, shape))


@pytest.mark.parametrize(
    ("shape", "constants", "attributes", "opset"),
    [
        ((2, 3, 4), [np.array([0, 0, 1, 2, 0, 0, 0, 1])], {}, 13),
        ((2, 3, 4), [np.array([0, 1, 0, 0, 0, 0, 0, 1]), np.float32(0.5)], {}, 13),
        ((2, 3, 4), [np.array([1, 1]), None, np.array([-1])], {}, 18),
        ((2, 3, 4), [np.array([1, 2, 0, 1]), None, np.array([2, 3])], {"mode": "reflect"}, 18),
        ((2, 5), [np.array([0, 0, 1, 0, 0, 2])], {"mode": "edge"}, 13),
        ((2, 5), [np.array([0, 0, 1, 0, 0, 2])], {"mode": "wrap"}, 19),
        ((2, 3, 4), [], {"pads": [0, 0, 1, 2, 0, 0, 0, 1], "value": -1.5}, 2),
    ],
)
def test_padding(
    shape: tuple[int, ...], constants: list[np.ndarray], attributes: dict[str, object], opset: int
) -> None:
    check(Node("Pad", shape, constants, opset=opset, **attributes))


def test_a_fill_value_finer_or_larger_than_the_input_widens_the_type() -> None:
    pads = np.array([0, 1, 0, 0])
    check(Node("Pad", (3,), [pads, np.float32(100.25)]))
    check(Node("Pad", (3,), [pads, np.float32(-0.015625)], dtype=UNSIGNED))


@pytest.mark.parametrize(
    ("op_type", "shape", "constants", "attributes", "opset"),
    [
        ("Reshape", (2, 3, 4), [np.array([1, 6, 4])], {}, 18),
        ("Reshape", (2, 3, 4), [np.array([0, -1])], {}, 18),
        ("Flatten", (2, 3, 4), [], {}, 18),
        ("Flatten", (2, 3, 4), [], {"axis": -3}, 18),
        ("Squeeze", (1, 3, 1), [np.array([1, -1])], {}, 18),
        ("Squeeze", (1, 3, 1), [], {"axes": [3]}, 11),
        ("Unsqueeze", (2, 3), [np.array([1, -1])], {}, 18),
        ("Transpose", (2, 3, 4), [], {"perm": [0, 2, 3, 1]}, 18),
        ("Transpose", (2, 3), [], {"perm": [0, 2, 1]}, 18),
        ("Squeeze", (1,), [np.array([1])], {}, 18),
        ("Slice", (4, 6), [np.array([1]), np.array([99]), np.array([2]), np.array([2])], {}, 18),
        ("Slice", (4, 6), [np.array([-1]), np.array([-9]), np.array([1]), np.array([-2])], {}, 18),
        ("Slice", (4, 6), [np.array([0, 1]), np.array([2**63 - 1, 3])], {}, 18),
        ("Slice", (4, 6), [], {"starts": [1, 0], "ends": [3, 2], "axes": [1, 2]}, 9),
    ],
)
def test_moves(
    op_type: str, shape: tuple[int, ...], constants: list[np.ndarray],
    attributes: dict[str, object], opset: int,
) -> None:  # fmt: skip
    node = Node(op_type, shape, constants, opset=opset, **attributes)
    x = node.data()[:1]  # a constant shape may hold the batch
    assert np.array_equal(node.computed(x), node.expected(x))


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (Node("Transpose", (2, 3), perm=[1, 0, 2]), "HW216"),
        (Node("Transpose", (2, 3)), "HW216"),
        (Node("Flatten", (2, 3), axis=0), "HW216"),
        (Node("Reshape", (2, 3), [np.array([6])]), "HW216"),
        (Node("Reshape", (2, 3), [np.array([2, 3])]), "HW216"),
        (Node("Squeeze", (1, 3)), "HW216"),
        (Node("Squeeze", (1, 3), [np.array([0])]), "HW216"),
        (Node("Unsqueeze", (2, 3), [np.array([0])]), "HW216"),
        (Node("ReduceMean", (2, 3)), "HW216"),
        (Node("ReduceMean", (2, 3), [np.array([0])]), "HW216"),
        (Node("MaxPool", (2, 7, 7), kernel_shape=[2, 2], dilations=[2, 2]), "HW215"),
        (Node("MaxPool", (2, 3, 3, 3), kernel_shape=[2, 2, 2]), "HW215"),
        (Node("MaxPool", (2, 3, 3), kernel_shape=[4, 4]), "HW214"),
        (Node("Pad", (2, 3), [np.array([0, 0, -1, 0, 0, 0])]), "HW217"),
        (Node("Pad", (2, 3), [np.array([1, 0, 0, 0, 0, 0])]), "HW216"),
        (Node("Pad", (2, 3), [np.array([0, 0, 1, 0, 0, 0]), np.float32(-np.inf)]), "HW217"),
        (Node("Conv", (2, 3, 3, 3), [np.ones((1, 2, 1, 1, 1), np.float32)]), "HW210"),
        (Node("Slice", (2, 3), [np.array([0]), np.array([1])]), "HW216"),
    ],
    ids=lambda v: v if isinstance(v, str) else f"{v.op_type}-{v.attributes or v.constants}",
)
def test_refused(node: Node, code: str) -> None:
    assert node.refusal() == code


def test_weights_that_nobody_quantised_are_refused() -> None:
    floats = np.random.default_rng(0).normal(size=(1, 1, 2)).astype(np.float32)
    node = Node("Conv", (1, 4), [floats])
    view = node.view()
    constants = [replace(c, quantized=False) for c in view.inputs[1:]]
    with pytest.raises(RefusedError) as refused:
        Conv2D.from_onnx(replace(view, inputs=(view.inputs[0], *constants)))
    assert refused.value.diagnostic.code == "HW211"
