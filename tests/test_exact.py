"""The exact reference equals fractions element by element, qonnx and ONNX Runtime where exact."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import hwflow.exact
from hwflow.exact import ExactReference, NoExactReferenceError
from hwflow.exact.sums import matmul
from hwflow.frontends import load
from hwflow.passes.clean_model import clean_model
from hwflow.passes.infer_shapes import infer_shapes
from hwflow.reference import Reference
from tests.networks import DOMAIN, Builder
from tests.rational import MODES, evaluate, nearest
from tests.test_reference import CASES, GRID, one_node

SCALES = (0.1, 0.037, 1 / 3, 0.25, 1.7)
FEW = settings(max_examples=25, deadline=None)


def prepared(proto: onnx.ModelProto) -> Any:
    return infer_shapes(clean_model(load(proto)))


def model(b: Builder, outputs: list[str], shape: tuple[int, ...], opset: int = 18) -> Any:
    """Return a model of the builder's nodes with the input ``x``."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes,
        "exact",
        [info("x", TensorProto.FLOAT, (1, *shape))],
        [info(name, TensorProto.FLOAT, None) for name in outputs],
        b.tensors,
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def values_of(proto: onnx.ModelProto) -> list[str]:
    """Return the names of the values that depend on the input."""
    found = {"x"}
    for node in proto.graph.node:
        if found & set(node.input):
            found |= set(node.output)
    return sorted(found - {"x"})


def assert_equals_fractions(proto: onnx.ModelProto, x: Any) -> dict[str, Any]:
    """Compare every value, the order of nodes and names as they were built."""
    names = values_of(proto)
    expected = evaluate(proto, x)
    found = ExactReference(prepared(proto)).run({"x": x}, names)
    for name in names:
        np.testing.assert_array_equal(found[name], nearest(expected[name]), err_msg=name)
    return found


def signed_quant(b: Builder, x: str, **changes: Any) -> str:
    """Append a quantiser with any parameters."""
    given = {"scale": 0.25, "zero": 0.0, "bits": 4.0, "signed": 1, "narrow": 0, "mode": "ROUND"}
    given |= changes
    operands = [x, *(b.constant(given[name]) for name in ("scale", "zero", "bits"))]
    return b.node(
        "Quant", operands, DOMAIN,
        signed=given["signed"], narrow=given["narrow"], rounding_mode=given["mode"],
    )  # fmt: skip


@FEW
@given(
    scale=st.sampled_from(SCALES) | st.floats(2**-10, 1024, width=32),
    zero=st.integers(-3, 9),
    bits=st.integers(1, 8),
    mode=st.sampled_from(sorted(MODES)),
    signed=st.integers(0, 1),
    narrow=st.integers(0, 1),
)
def test_quantisers_on_ties_and_next_to_them(
    scale: float, zero: int, bits: int, mode: str, signed: int, narrow: int
) -> None:
    exact = np.float64(np.float32(scale))
    ties = np.arange(-20, 21) / 2 * exact
    x = np.concatenate([ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf)])[:, None]
    if signed and bits <= 2:
        narrow = 0
    b = Builder(np.random.default_rng(0))
    y = signed_quant(b, "x", scale=scale, zero=zero, bits=bits, signed=signed, narrow=narrow,
                     mode=mode)  # fmt: skip
    assert_equals_fractions(model(b, [y], (1,)), x)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_equals_qonnx_where_float32_is_exact(case: int) -> None:
    pytest.importorskip("qonnx")
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    op_type, parameters, attrs = CASES[case]
    if parameters[0] == 0.1:
        pytest.skip("float32 rounds")
    proto = one_node(op_type, parameters, **attrs)
    expected = execute_onnx(ModelWrapper(proto), {"x": GRID})["y"]
    found = ExactReference(prepared(proto)).run({"x": GRID})["y"]
    np.testing.assert_array_equal(found, expected)


def weight(b: Builder, shape: tuple[int, ...], axis: int | None = None) -> str:
    """Append a quantised weight with a float scale, or one scale per entry of an axis."""
    levels = b.rng.integers(-7, 8, shape)
    count = [1] * len(shape)
    if axis is not None:
        count[axis] = shape[axis]
    scales = b.rng.uniform(0.01, 0.9, count if axis is not None else ()).astype(np.float32)
    values = (levels * scales).astype(np.float32)
    return signed_quant(b, b.constant(values), scale=scales)


def norm(b: Builder, x: str, channels: int) -> str:
    """Append a batch norm with random float32 parameters."""
    draw = b.rng.normal(size=(3, channels)).astype(np.float32)
    var = b.rng.uniform(0.1, 2, channels).astype(np.float32)
    operands = [x, *(b.constant(v) for v in (draw[0], draw[1], draw[2], var))]
    return b.node("BatchNormalization", operands, epsilon=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_dense_networks(seed: int) -> None:
    b = Builder(np.random.default_rng(seed))
    scale = SCALES[seed % len(SCALES)]
    x = signed_quant(b, "x", scale=scale, zero=seed % 3, bits=5)
    h = b.node("MatMul", [x, weight(b, (6, 5), 1)])
    h = b.node("Add", [h, b.constant(b.rng.normal(size=5))]) if seed % 2 else h
    h = norm(b, h, 5)
    kinds: dict[int, dict[str, Any]] = {0: {"op": "Relu"}, 1: {"op": "LeakyRelu", "alpha": 0.1}}
    kind = dict(kinds.get(seed % 3, {"op": "Relu"}))
    h = b.node(kind.pop("op"), [h], **kind)
    h = signed_quant(b, h, scale=b.rng.uniform(0.05, 0.4, 5), zero=1, bits=4, signed=0,
                     mode=sorted(MODES)[seed])  # fmt: skip
    h = b.node("MatMul", [h, weight(b, (5, 4))])  # operands with a scale per channel
    y = norm(b, h, 4)
    z = signed_quant(b, b.node("Clip", [y, b.constant(-0.5), b.constant(0.7)]), scale=scale)
    data = np.random.default_rng(seed + 9).normal(size=(40, 6)).astype(np.float32)
    assert_equals_fractions(model(b, [y, z], (6,)), data)


@pytest.mark.parametrize("seed", range(4))
def test_convolutional_networks(seed: int) -> None:
    b = Builder(np.random.default_rng(seed))
    groups = (1, 1, 2, 4)[seed]
    x = signed_quant(b, "x", scale=b.rng.uniform(0.05, 0.4, (1, 4, 1, 1)), bits=4, zero=2)
    h = b.node("Conv", [x, weight(b, (4, 4 // groups, 3, 3), 0)], pads=[1, 1, 1, 1], group=groups)
    h = signed_quant(b, b.node("Relu", [norm(b, h, 4)]), scale=0.13, signed=0)
    other = signed_quant(b, h, scale=0.21)
    h = b.node("Add", [h, other])  # a residual sum of two scales
    h = b.node("MaxPool", [norm(b, h, 4)], kernel_shape=[2, 2], strides=[2, 2])
    h = b.node("Conv", [h, weight(b, (3, 4, 2, 2), 0)], strides=[1 + seed % 2, 1])
    turned = b.node("Transpose", [h], perm=[0, 2, 3, 1])
    flat = b.node("Flatten", [turned], axis=1)
    mean = b.node("Flatten", [b.node("GlobalAveragePool", [h])], axis=1)
    y = signed_quant(b, b.node("Concat", [flat, mean], axis=1), scale=0.3, bits=6, mode="FLOOR")
    data = np.random.default_rng(seed).normal(size=(3, 4, 6, 6)).astype(np.float32)
    assert_equals_fractions(model(b, [y], (4, 6, 6)), data)


@FEW
@given(
    ops=st.lists(
        st.sampled_from(["Relu", "Add", "Sub", "Mul", "Div", "Clip", "LeakyRelu", "Square"]),
        min_size=1, max_size=6,
    ),
    seed=st.integers(0, 1000),
    mode=st.sampled_from(sorted(MODES)),
)  # fmt: skip
def test_elementwise_chains(ops: list[str], seed: int, mode: str) -> None:
    b = Builder(np.random.default_rng(seed))
    h = x = signed_quant(b, "x", scale=0.07, bits=5)
    for op in ops:
        per_channel = b.constant(b.rng.uniform(0.2, 2, 3).astype(np.float32))
        operands = {
            "Clip": [b.constant(-1.1), b.constant(1.3)], "Square": [h],
            "Add": [per_channel if seed % 2 else x],
        }.get(op, [] if op.endswith("elu") or op == "Relu" else [per_channel])  # fmt: skip
        attrs = {"alpha": 0.3} if op == "LeakyRelu" else {}
        operands = [] if op == "LeakyRelu" else operands
        h = b.node({"Square": "Mul"}.get(op, op), [h, *operands], **attrs)
    y = signed_quant(b, h, scale=0.11, zero=1, mode=mode)
    data = b.rng.normal(size=(30, 3)).astype(np.float32)
    assert_equals_fractions(model(b, [h, y], (3,)), data)


def activated(op: str, mode: str, x: Any, scale: float, **attrs: Any) -> Any:
    """Return the levels of an activation of some numbers."""
    b = Builder(np.random.default_rng(0))
    y = signed_quant(b, b.node(op, ["x"], **attrs), scale=scale, bits=10, mode=mode)
    proto = model(b, [y], (1,), 20)
    return ExactReference(prepared(proto)).run({"x": np.array(x, np.float64)[:, None]})[y].ravel()


@pytest.mark.parametrize(
    ("op", "x", "levels"),
    [
        ("Sigmoid", 0.0, {"ROUND": 0, "HALF_UP": 1, "HALF_DOWN": 0, "FLOOR": 0, "CEIL": 1}),
        ("Sigmoid", 800.0, {"ROUND": 1, "FLOOR": 0, "CEIL": 1, "UP": 1, "DOWN": 0}),
        ("Sigmoid", -800.0, {"ROUND": 0, "FLOOR": 0, "CEIL": 1, "UP": 1, "DOWN": 0}),
        ("Sigmoid", 1e-300, {"HALF_DOWN": 1, "ROUND": 1}),
        ("Sigmoid", -1e-300, {"HALF_UP": 0, "ROUND": 0}),
        ("Tanh", 0.0, {"FLOOR": 0, "CEIL": 0, "ROUND": 0}),
        ("Tanh", 900.0, {"FLOOR": 0, "CEIL": 1}),
        ("Tanh", -900.0, {"FLOOR": -1, "CEIL": 0}),
        ("Erf", 0.0, {"FLOOR": 0, "CEIL": 0}),
        ("Erf", 9.0, {"FLOOR": 0, "CEIL": 1}),
        ("Exp", 0.0, {"FLOOR": 1, "CEIL": 1, "ROUND": 1}),
        ("Gelu", 0.0, {"FLOOR": 0, "CEIL": 0}),
        ("Gelu", 60.0, {"FLOOR": 59, "CEIL": 60}),
        ("Gelu", -60.0, {"FLOOR": -1, "CEIL": 0}),
        ("Softplus", -900.0, {"FLOOR": 0, "CEIL": 1}),
        ("Softplus", 90.0, {"FLOOR": 90, "CEIL": 91}),
        ("Elu", -90.0, {"FLOOR": -1, "CEIL": 0, "DOWN": 0}),
        ("Elu", 3.0, {"FLOOR": 3, "CEIL": 3}),
        ("Mish", 0.0, {"FLOOR": 0, "CEIL": 0}),
        ("HardSwish", 3.0, {"FLOOR": 3, "CEIL": 3}),
        ("HardSwish", -3.0, {"FLOOR": 0, "CEIL": 0}),
        ("Sqrt", 4.0, {"FLOOR": 2, "CEIL": 2}),
        ("Log", 1.0, {"FLOOR": 0, "CEIL": 0}),
        ("Softsign", 1.0, {"ROUND": 0, "HALF_UP": 1}),
    ],
)
def test_activations_at_their_special_points(op: str, x: float, levels: dict[str, int]) -> None:
    assert {mode: int(activated(op, mode, [x], 1.0)[0]) for mode in levels} == levels


def _silu(x: Any) -> Any:
    return x / (1 + mpmath.exp(-x))


TRUE = {
    "Sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "Tanh": mpmath.tanh,
    "Erf": mpmath.erf,
    "Exp": mpmath.exp,
    "Softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "Mish": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "Gelu": lambda x: x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2,
    "Elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "Softsign": lambda x: x / (1 + abs(x)),
}


@pytest.mark.parametrize("op", sorted(TRUE))
def test_activations_are_rounded_correctly(op: str) -> None:
    x = np.random.default_rng(1).normal(0, 3, 200)
    b = Builder(np.random.default_rng(0))
    y = b.node(op, ["x"])
    found = ExactReference(prepared(model(b, [y], (1,), 20))).run({"x": x[:, None]})[y].ravel()
    with mpmath.workprec(400):
        expected = [float(TRUE[op](mpmath.mpf(v))) for v in x.tolist()]
    np.testing.assert_array_equal(found, expected)


def test_gelu_with_tanh_and_silu_are_products() -> None:
    x = np.random.default_rng(2).normal(0, 2, (100, 1))
    b = Builder(np.random.default_rng(0))
    gelu = b.node("Gelu", ["x"], approximate="tanh")
    silu = b.node("Mul", ["x", b.node("Sigmoid", ["x"])])
    found = ExactReference(prepared(model(b, [gelu, silu], (1,), 20))).run({"x": x})
    with mpmath.workprec(400):
        root = mpmath.sqrt(2 / mpmath.pi)
        for v, g, s in zip(x.ravel(), found[gelu].ravel(), found[silu].ravel(), strict=True):
            t = mpmath.mpf(float(v))
            inner = root * (t + mpmath.mpf(44715) / 10**6 * t**3)
            assert g == float(t * (1 + mpmath.tanh(inner)) / 2)
            assert s == float(_silu(t))


@FEW
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 99))
def test_matrix_products_of_any_width(left: int, right: int, terms: int, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def draw(bits: int, shape: tuple[int, int]) -> Any:
        out = np.empty(shape, object)
        for index in np.ndindex(shape):
            out[index] = int.from_bytes(rng.bytes(12), "big", signed=True) >> (96 - bits)
        return out

    a, b = draw(left, (3, terms)), draw(right, (terms, 2))
    if left < 62:
        a = a.astype(np.int64)
    expected = np.dot(a.astype(object), b)
    assert (matmul(a, b).astype(object) == expected).all()


def test_unquantised_float32_weights_and_data() -> None:
    rng = np.random.default_rng(3)
    b = Builder(rng)
    kernel = b.constant(rng.normal(size=(8, 3)) * 10.0 ** rng.integers(-9, 3, (8, 3)))
    y = b.node("Relu", [b.node("MatMul", ["x", kernel])])
    z = b.node("MatMul", [y, b.constant(rng.normal(size=(3, 2)))])
    data = rng.normal(size=(30, 8)) * 10.0 ** rng.integers(-9, 3, (30, 8))
    assert_equals_fractions(model(b, [z], (8,)), data)


MODELS = Path(__file__).parent / "models"
EXPECTED = np.load(MODELS / "expected.npz")
ROUNDS = {"batchnorm", "batchnorm1d", "batchnorm_bias", "float_scale", "sigmoid", "softmax", "tanh"}


@pytest.mark.parametrize("name", sorted({p.stem for p in MODELS.glob("*.onnx")} - ROUNDS))
def test_equals_onnx_runtime_where_float32_is_exact(name: str) -> None:
    proto = prepared(MODELS / f"{name}.onnx")
    reference = ExactReference(proto)
    names = [n.outputs[0].name for n in proto.ir.graph]
    names = [n for n in names if n in reference.computed]
    x = EXPECTED[f"{name}.x"]
    expected = Reference(proto).run({"x": x}, names)
    found = reference.run({"x": x}, names)
    assert list(found) == list(expected)
    for value in expected:
        rounded = found[value].astype(np.float32)  # an unquantised bias fits no float32 sum
        np.testing.assert_array_equal(rounded, expected[value], err_msg=value)


def test_the_model_is_not_changed() -> None:
    proto = prepared(MODELS / "batchnorm.onnx")
    before = [node.name for node in proto.ir.graph]
    ExactReference(proto)
    assert [node.name for node in proto.ir.graph] == before


def test_a_quantiser_undecided_by_any_precision_is_on_the_boundary() -> None:
    """``sigmoid(x) + sigmoid(-x)`` is one, which no enclosure tells from one."""
    b = Builder(np.random.default_rng(0))
    total = b.node("Add", [b.node("Sigmoid", ["x"]), b.node("Sigmoid", [b.node("Neg", ["x"])])])
    floor = signed_quant(b, total, scale=1.0, mode="FLOOR")
    ceil = signed_quant(b, total, scale=1.0, mode="CEIL")
    found = ExactReference(prepared(model(b, [floor, ceil], (1,)))).run({"x": np.array([[0.3]])})
    assert (found[floor], found[ceil]) == (1, 1)


def test_indices_of_the_largest_and_the_ranking() -> None:
    b = Builder(np.random.default_rng(0))
    x = signed_quant(b, "x", scale=0.1, bits=3)
    first = b.node("ArgMax", [x], axis=1, keepdims=0)
    last = b.node("ArgMax", [x], axis=1, keepdims=1, select_last_index=1)
    data = np.random.default_rng(0).normal(0, 0.3, (50, 6)).astype(np.float32)
    found = ExactReference(prepared(model(b, [first, last, x], (6,)))).run({"x": data})
    levels = found[x]
    np.testing.assert_array_equal(found[first].ravel(), levels.argmax(1))
    np.testing.assert_array_equal(found[last].ravel(), 5 - levels[:, ::-1].argmax(1))


@pytest.mark.parametrize(
    ("op", "attrs"),
    [("LogSoftmax", {"axis": 1}), ("ThresholdedRelu", {"alpha": 1.0}), ("Cast", {"to": 7})],
)
def test_what_has_no_exact_evaluation_is_named(op: str, attrs: dict[str, Any]) -> None:
    b = Builder(np.random.default_rng(0))
    y = b.node(op, ["x"], **attrs)
    with pytest.raises(NoExactReferenceError, match=op):
        ExactReference(prepared(model(b, [y], (3,))))


def test_a_value_that_no_node_computes() -> None:
    with pytest.raises(KeyError):
        ExactReference(prepared(MODELS / "conv1d.onnx")).run({"x": EXPECTED["conv1d.x"]}, ["ghost"])


def test_scales_and_levels_multiply_without_rounding() -> None:
    """A level times a float32 scale is exact in float64, where float32 rounds it."""
    b = Builder(np.random.default_rng(0))
    y = signed_quant(b, "x", scale=0.1)
    found = ExactReference(prepared(model(b, [y], (1,)))).run({"x": np.array([[0.31]])})[y]
    assert Fraction(found.item()) == 3 * Fraction(float(np.float32(0.1)))


def test_a_model_without_exact_evaluation_is_judged_by_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(hwflow.exact.BUILDERS, "Conv")
    found = hwflow.compile(MODELS / "conv1d.onnx").verify(EXPECTED["conv1d.x"], cpp=False).lossless
    assert found is not None
    assert (found.holds, found.float32) == (True, None)
    assert "Conv has no exact evaluation" in found.float32_only
