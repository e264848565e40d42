"""The quantiser read from a node computes what qonnx's own executor computes, bit for bit."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.ir.qonnx.model import QONNX_DOMAIN
from hwflow.ir.qonnx.nodes import read_quantizer
from hwflow.ir.qonnx.quantizer import ALIASES, ROUNDING, Quantizer

MODES = [*ROUNDING, "HALF_EVEN"]
BITS = st.integers(1, 12)
SHIFT = st.integers(-6, 3)
VALUES = st.lists(st.integers(-(2**12), 2**12).map(lambda i: i / 64), min_size=1, max_size=40)


def quantizer(op_type: str, parameters: list[float], attrs: dict[str, object]) -> Quantizer:
    """Return what ``read_quantizer`` makes of a node with scalar parameters."""
    inputs: list[ir.Value] = [ir.Value(name="x")]
    for i, parameter in enumerate(parameters):
        tensor = ir.tensor(np.float32(parameter))
        inputs.append(ir.Value(name=f"p{i}", const_value=tensor))
    node = ir.node(op_type, inputs, attrs, domain=QONNX_DOMAIN)
    return read_quantizer(node, "here")


@given(
    VALUES, SHIFT, BITS, st.integers(-4, 4), st.booleans(), st.booleans(), st.sampled_from(MODES)
)
def test_quant(
    values: list[float], shift: int, bits: int, zero: int, signed: bool, narrow: bool, mode: str
) -> None:
    intquant = pytest.importorskip("qonnx.custom_op.general.intquant")
    attrs = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": mode}
    found = quantizer("Quant", [2.0**shift, zero, bits], attrs)
    x = np.array(values, np.float32)
    scale, zero_point, width = np.float32(2.0**shift), np.float32(zero), np.float32(bits)
    expected = intquant.int_quant(x, scale, zero_point, width, signed, narrow, mode)
    np.testing.assert_array_equal(found(x.astype(np.float64)), expected)
    levels = found.levels(x.astype(np.float64))
    assert levels.min() >= found.raw_min
    assert levels.max() <= found.raw_max


@given(VALUES, SHIFT, st.integers(2, 12), st.integers(0, 4), st.sampled_from(MODES))
def test_trunc_1(values: list[float], shift: int, bits: int, less: int, mode: str) -> None:
    trunc = pytest.importorskip("qonnx.custom_op.general.trunc")
    found = quantizer("Trunc", [2.0**shift, 0, bits + less, bits], {"rounding_mode": mode})
    x = np.array(values, np.float32)
    scale, zero, wide, width = (np.float32(v) for v in (2.0**shift, 0, bits + less, bits))
    expected = trunc.trunc_v1(x, scale, zero, wide, width, mode)
    np.testing.assert_array_equal(found(x.astype(np.float64)), expected)


@given(
    VALUES,
    SHIFT,
    st.integers(2, 12),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
    st.sampled_from(MODES),
)
def test_trunc_2(
    values: list[float], shift: int, bits: int, less: int, signed: bool, narrow: bool, mode: str
) -> None:
    trunc = pytest.importorskip("qonnx.custom_op.general.trunc")
    attrs = {"rounding_mode": mode, "signed": int(signed), "narrow": int(narrow)}
    found = quantizer("Trunc", [2.0**shift, 0, bits + less, 2.0 ** (shift + less), bits], attrs)
    x = np.array(values, np.float32)
    scale, zero, wide, width = (np.float32(v) for v in (2.0**shift, 0, bits + less, bits))
    expected = trunc.trunc_v2(
        x, scale, zero, wide, narrow, signed, np.float32(2.0 ** (shift + less)), width, mode
    )
    np.testing.assert_array_equal(found(x.astype(np.float64)), expected)


@given(VALUES, SHIFT)
def test_bipolar(values: list[float], shift: int) -> None:
    found = quantizer("BipolarQuant", [2.0**shift], {})
    x = np.array(values)
    np.testing.assert_array_equal(found(x), np.where(x >= 0, 1, -1) * 2.0**shift)
    assert found.bipolar
    assert (found.raw_min, found.raw_max) == (-1, 1)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ROUND", [-2, -2, -0, 0, 0, 2, 2]),
        ("HALF_UP", [-3, -2, -1, 0, 1, 2, 3]),
        ("HALF_DOWN", [-2, -1, 0, 0, 0, 1, 2]),
        ("UP", [-3, -2, -1, 0, 1, 2, 3]),
        ("DOWN", [-2, -1, 0, 0, 0, 1, 2]),
        ("ROUND_TO_ZERO", [-2, -1, 0, 0, 0, 1, 2]),
        ("CEIL", [-2, -1, 0, 0, 1, 2, 3]),
        ("FLOOR", [-3, -2, -1, 0, 0, 1, 2]),
    ],
)
def test_ties(mode: str, expected: list[int]) -> None:
    ties = np.array([-2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5])
    np.testing.assert_array_equal(ROUNDING[ALIASES.get(mode, mode)](ties), expected)


def test_just_below_a_tie_is_not_a_tie() -> None:
    below = np.array([np.nextafter(0.5, 0)])
    assert ROUNDING["HALF_UP"](below) == 0
    assert below + 0.5 == 1.0  # why the mode is not computed as floor(x + 0.5)
