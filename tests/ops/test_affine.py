"""ScaleBias and what becomes it: exact against rational arithmetic and ONNX's reference."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import RefusedError
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import SCALE_BITS, ScaleBias
from hwflow.ops.shared.constants import real_constant
from tests.ops.chain import compute, convert, every_value, onnx_node, reference

DTYPE = FixedType(7, 3)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-8, 8), st.integers(-8, 8), st.integers(0, 9), st.integers(0, 9),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_scale_bias_is_exact(
    scale_fraction: int, bias_fraction: int, scale_bits: int, bias_bits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scale = FixedArray(
        rng.integers(-(2**scale_bits), 2**scale_bits, 3),
        FixedType(scale_bits + 1, scale_bits + 1 - scale_fraction),
    )
    bias = FixedArray(
        rng.integers(-(2**bias_bits), 2**bias_bits, 3),
        FixedType(bias_bits + 1, bias_bits + 1 - bias_fraction),
    )
    x = every_value(DTYPE, (2, 3), seed)
    found = compute([ScaleBias(scale=scale, bias=bias)], x)
    step = Fraction(2) ** -found.dtype.fractional
    for index in rng.integers(0, x.raw.size, 20):
        n, i, c = np.unravel_index(index, x.raw.shape)
        wanted = Fraction(x.values[n, i, c]) * Fraction(scale.values[c]) + Fraction(bias.values[c])
        assert int(found.raw[n, i, c]) * step == wanted


@pytest.mark.parametrize(
    ("op_type", "left"),
    [("Add", True), ("Add", False), ("Sub", True), ("Sub", False), ("Mul", True), ("Mul", False)],
)
@pytest.mark.parametrize(
    "constant",
    [0.75, np.array([1.5, -2.0]), np.arange(6).reshape(1, 3, 2) / 8, [[[2.0], [1.0], [-4.0]]]],
    ids=["scalar", "axis", "element", "channel"],
)
def test_constant_operands_mean_what_onnx_says(op_type: str, left: bool, constant: object) -> None:
    """The constant stands in ONNX order; the hardware has ONNX axis 1 last."""
    constant = np.asarray(constant, np.float64)
    x = every_value(DTYPE, (2, 3))
    onnx_x = x.values.transpose(0, 2, 1)
    kind = TensorType.full((2, 3), DTYPE)
    operands = [constant, kind] if left else [kind, constant]
    arrays = [constant, onnx_x] if left else [onnx_x, constant]
    found = compute(convert(onnx_node(op_type, operands, axes=(2, 1))), x)
    np.testing.assert_array_equal(found.values.transpose(0, 2, 1), reference(op_type, arrays))


def test_division_by_powers_of_two_is_exact() -> None:
    x = every_value(DTYPE, (2, 3))
    node = onnx_node("Div", [TensorType.full((2, 3), DTYPE), [4.0, 0.5, -8.0]])
    np.testing.assert_array_equal(compute(convert(node), x).values, x.values / [4.0, 0.5, -8.0])


def test_negation_is_exact_and_one_bit_wider() -> None:
    (op,) = convert(onnx_node("Neg", [TensorType.full((2,), DTYPE)]))
    assert op.infer(TensorType.full((2,), DTYPE)).dtype == FixedType(8, 4)


def test_powers_of_two_and_whole_numbers_stay_narrow() -> None:
    (op,) = convert(onnx_node("Mul", [TensorType.full((2,), FixedType(6, 6)), 2.0]))
    assert op.infer(TensorType.full((2,), FixedType(6, 6))).dtype == FixedType(6, 7)
    (op,) = convert(onnx_node("Sub", [TensorType.full((2,), FixedType(6, 3, signed=False)), 1.0]))
    assert op.infer(TensorType.full((2,), FixedType(6, 3, signed=False))).dtype == FixedType(7, 4)


def test_batch_normalisation_is_exact_for_float32_parameters() -> None:
    rng = np.random.default_rng(0)
    gamma, beta, mean = (rng.normal(size=3) for _ in range(3))
    variance = rng.uniform(0.5, 2, 3)
    x = every_value(DTYPE, (2, 3))
    node = onnx_node(
        "BatchNormalization", [TensorType.full((2, 3), DTYPE), gamma, beta, mean, variance],
        axes=(2, 1), epsilon=1e-5,
    )  # fmt: skip
    scale = (gamma / np.sqrt(variance + 1e-5)).astype(np.float32).astype(np.float64)
    bias = (beta - mean * gamma / np.sqrt(variance + 1e-5)).astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(compute(convert(node), x).values, x.values * scale + bias)
    wanted = reference(
        "BatchNormalization", [x.values.transpose(0, 2, 1), gamma, beta, mean, variance],
        epsilon=1e-5,
    )  # fmt: skip
    found = compute(convert(node), x).values.transpose(0, 2, 1)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("mean", "said"), [(0.0, False), (0.3, True)])
def test_an_offset_is_said_to_be_rounded_where_it_is(mean: float, said: bool) -> None:
    """A factor of ``1 / sqrt(1 + epsilon)`` is rounded always, beta is held as it is."""
    x = TensorType.full((3,), DTYPE)
    constants = [np.ones(3), np.array([0.5, 1, -2]), np.full(3, mean), np.ones(3)]
    (op,) = convert(onnx_node("BatchNormalization", [x, *constants], epsilon=1e-5))
    found = op.inexact(x)
    assert found is not None
    assert "its factor is rounded" in found.why
    assert ("its offset is rounded" in found.why) == said
    scale, offset = (1 / np.sqrt(1 + 1e-5), constants[1] - mean / np.sqrt(1 + 1e-5))
    values = every_value(DTYPE, (3,))
    off = np.abs(compute([op], values).values - (values.values * scale + offset)).max()
    assert found.bound is not None
    assert 0.5 * found.bound < off <= found.bound


def test_scales_of_very_different_channels_are_bounded_in_width() -> None:
    values = np.array([3.7, 1e-6, -0.11])
    constant = real_constant(values, SCALE_BITS)
    assert constant.dtype.width <= SCALE_BITS
    assert np.abs(constant.values - values).max() <= 2.0 ** -(SCALE_BITS - 2)


@pytest.mark.parametrize(
    ("op_type", "operands", "code"),
    [
        ("Add", [np.ones((2, 1, 1))], "HW223"),
        ("Mul", [np.ones((5,))], "HW223"),
        ("Div", [np.array([1.0, 0.0, 2.0])], "HW210"),
        ("BatchNormalization", [[1.0] * 3, [0.0] * 3, [0.0] * 3, [-1.0] * 3], "HW224"),
    ],
)
def test_what_cannot_be_exact_is_refused(op_type: str, operands: list[object], code: str) -> None:
    node = onnx_node(op_type, [TensorType.full((2, 3), DTYPE), *operands], axes=(2, 1))
    with pytest.raises(RefusedError, match=code):
        convert(node)


def test_division_by_an_activation_is_refused() -> None:
    x = TensorType.full((2,), DTYPE)
    with pytest.raises(RefusedError, match="division by an activation"):
        convert(onnx_node("Div", [x, x]))
