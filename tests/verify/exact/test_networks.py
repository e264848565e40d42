"""Whole networks equal fractions, element by element; quantisers also equal qonnx."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.verify.references.exact import ExactReference
from hwflow.verify.references.exact.sums import matmul
from tests.networks import Builder
from tests.simulate.test_reference import CASES, GRID, one_node
from tests.verify.exact.models import (
    assert_equals_fractions,
    model,
    norm,
    prepared,
    signed_quant,
    weight,
)
from tests.verify.exact.rational import MODES

SCALES = (0.1, 0.037, 1 / 3, 0.25, 1.7)
FEW = settings(max_examples=25, deadline=None)


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


@pytest.mark.parametrize("case", [i for i, c in enumerate(CASES) if c[1][0] != 0.1])
def test_equals_qonnx_where_float32_is_exact(case: int) -> None:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    op_type, parameters, attrs = CASES[case]
    proto = one_node(op_type, parameters, **attrs)
    expected = execute_onnx(ModelWrapper(proto), {"x": GRID})["y"]
    found = ExactReference(prepared(proto)).run({"x": GRID})["y"]
    np.testing.assert_array_equal(found, expected)


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
    h = norm(b, h, 4)
    h = b.node("Relu", [h]) if seed % 2 else h
    h = b.node("MaxPool", [h], kernel_shape=[2, 2], strides=[2, 2])
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


def test_scales_and_levels_multiply_without_rounding() -> None:
    """A level times a float32 scale is exact in float64, where float32 rounds it."""
    b = Builder(np.random.default_rng(0))
    y = signed_quant(b, "x", scale=0.1)
    found = ExactReference(prepared(model(b, [y], (1,)))).run({"x": np.array([[0.31]])})[y]
    assert Fraction(found.item()) == 3 * Fraction(float(np.float32(0.1)))
