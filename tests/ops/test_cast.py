"""Quantisers of activations against qonnx's own executors, over every input value."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.custom_op.general.quant import quant

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.op import RefusedError
from hwflow.ir.tensor import TensorType
from hwflow.ops.cast import Cast
from tests.ops.chain import compute, convert, every_value, onnx_node

qonnx_trunc = importlib.import_module("qonnx.custom_op.general.trunc")
SIGNED, UNSIGNED = FixedType(9, 4), FixedType(8, 5, signed=False)
ROUNDING = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "ROUND_TO_ZERO", "HALF_UP",
            "HALF_DOWN")  # fmt: skip
QONNX_NAMES = {"ROUND_TO_ZERO": "DOWN"}


@st.composite
def quantizers(draw):
    channels = draw(st.sampled_from([(), (1,), (1, 3, 1)]))
    exponents = st.integers(-4, 2)
    count = int(np.prod(channels, dtype=int))
    scale = [2.0 ** draw(exponents) for _ in range(count)]
    zero = draw(st.sampled_from([0, 0, 0, 1, -2, 5]))
    return {
        "scale": np.array(scale, np.float32).reshape(channels),
        "zeropt": np.array(zero, np.float32),
        "bitwidth": np.array(draw(st.integers(1, 6)), np.float32),
        "signed": draw(st.booleans()),
        "narrow": draw(st.booleans()),
        "rounding_mode": draw(st.sampled_from(ROUNDING)),
    }


@settings(max_examples=150, deadline=None)
@given(quantizers(), st.sampled_from([SIGNED, UNSIGNED, FixedType(6, 8)]))
def test_quant_is_what_qonnx_computes(q, dtype):
    x = every_value(dtype, (2, 3))  # channels last: ONNX axis 1 is the last one here
    node = onnx_node(
        "Quant",
        [TensorType.full((2, 3), dtype), q["scale"], q["zeropt"], q["bitwidth"]],
        axes=(2, 1),
        signed=int(q["signed"]),
        narrow=int(q["narrow"]),
        rounding_mode=q["rounding_mode"],
    )
    onnx_x = x.values.transpose(0, 2, 1).astype(np.float32)
    mode = QONNX_NAMES.get(q["rounding_mode"], q["rounding_mode"])
    wanted = quant(onnx_x, **{**q, "rounding_mode": mode})
    found = compute(convert(node), x).values.transpose(0, 2, 1)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", [SIGNED, FixedType(6, 8), FixedType(5, -3)], ids=str)
@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "CEIL"])
@pytest.mark.parametrize("dropped", [0, 1, 3])
@pytest.mark.parametrize("zero", [0.0, 4.0])
def test_trunc_of_version_1_is_what_qonnx_computes(
    dtype: FixedType, rounding: str, dropped: int, zero: float
) -> None:
    x = every_value(dtype, (2,))
    parameters = [np.float32(v) for v in (0.125, zero, 8, 8 - dropped)]
    node = onnx_node("Trunc", [TensorType.full((2,), dtype), *parameters], rounding_mode=rounding)
    wanted = qonnx_trunc.trunc_v1(x.values.astype(np.float32), *parameters, rounding)
    np.testing.assert_array_equal(compute(convert(node), x).values, wanted)


@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "DOWN"])
@pytest.mark.parametrize("out_scale", [0.125, 0.5, 2.0])
@pytest.mark.parametrize(("signed", "narrow"), [(1, 0), (1, 1), (0, 0)])
def test_trunc_of_version_2_is_what_qonnx_computes(
    rounding: str, out_scale: float, signed: int, narrow: int
) -> None:
    x = every_value(SIGNED, (2,))
    parameters = [np.float32(v) for v in (0.125, 0.0, 8, out_scale, 5)]
    node = onnx_node(
        "Trunc", [TensorType.full((2,), SIGNED), *parameters],
        rounding_mode=rounding, signed=signed, narrow=narrow,
    )  # fmt: skip
    scale, zero, in_bits, out, out_bits = parameters
    wanted = qonnx_trunc.trunc_v2(
        x.values.astype(np.float32), scale, zero, in_bits, narrow, signed, out, out_bits, rounding
    )
    np.testing.assert_array_equal(compute(convert(node), x).values, wanted)


@pytest.mark.parametrize("scale", [0.5, np.array([1.0, 0.25, 2.0])])
def test_bipolar_quant_takes_zero_as_positive(scale: float) -> None:
    x = every_value(SIGNED, (2, 3))
    node = onnx_node("BipolarQuant", [TensorType.full((2, 3), SIGNED), scale])
    wanted = np.where(x.values >= 0, 1.0, -1.0) * scale
    np.testing.assert_array_equal(compute(convert(node), x).values, wanted)


def test_a_plain_quantiser_is_one_cast() -> None:
    node = onnx_node(
        "Quant", [TensorType.full((2,), SIGNED), 0.25, 0.0, 4.0],
        signed=1, narrow=1, rounding_mode="ROUND",
    )  # fmt: skip
    (op,) = convert(node)
    assert isinstance(op, Cast)
    assert op.result_t == FixedType(4, 2, True, Rounding.RND_CONV, Overflow.SAT_SYM)


def test_a_scale_that_is_no_power_of_two_is_refused() -> None:
    node = onnx_node("Quant", [TensorType.full((2,), SIGNED), 0.3, 0.0, 4.0], rounding_mode="ROUND")
    with pytest.raises(RefusedError, match="HW213"):
        convert(node)
