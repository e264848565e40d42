"""Quantisation of input data on the host against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.ir.qonnx.nodes import quantizer_of
from hwflow.ir.real.host import host_levels
from tests.verify.exact.rational import MODES, fractions_of, quant

FEW = settings(max_examples=60, deadline=None)
SCALES = st.sampled_from([0.1, 0.25, 1.0, 3.0, 0.0371]) | st.floats(2**-12, 512, width=32)


def around(values: np.ndarray) -> np.ndarray:
    """Return numbers with their neighbours in float64 and in float32."""
    wide = [np.nextafter(values, s * np.inf) for s in (-1, 1)]
    narrow = [np.nextafter(values.astype(np.float32), np.float32(s * np.inf)) for s in (-1, 1)]
    return np.concatenate([values, *wide, *narrow]).astype(np.float64)[:, None]


@FEW
@given(
    scale=SCALES,
    zero=st.integers(-5, 9),
    bits=st.integers(1, 9),
    signed=st.booleans(),
    narrow=st.booleans(),
    mode=st.sampled_from(sorted(MODES)),
)
def test_levels_on_ties_and_next_to_them(
    scale: float, zero: int, bits: int, signed: bool, narrow: bool, mode: str
) -> None:
    attrs = {"signed": int(signed), "narrow": int(narrow and bits > 2), "rounding_mode": mode}
    s = np.float64(np.float32(scale))
    x = around(np.arange(-40, 41) / 2 * s)
    q = quantizer_of(
        "Quant", [np.asarray(s), np.asarray(float(zero)), np.asarray(float(bits))], attrs
    )
    one, offset, width = (fractions_of(np.array(v)) for v in (s, float(zero), float(bits)))
    exact = quant(fractions_of(x), one, offset, width, attrs | {"rounding_mode": mode.encode()})
    expected = [v / Fraction(float(s)) for v in exact.ravel()]
    assert host_levels(q, x).ravel().tolist() == expected


@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_bipolar(scale: float) -> None:
    q = quantizer_of("BipolarQuant", [np.asarray(scale)], {})
    x = np.array([[-1.0], [-1e-300], [-0.0], [0.0], [5e-324], [3.0]])
    assert host_levels(q, x).ravel().tolist() == [-1, -1, 1, 1, 1, 1]


def test_a_scale_and_zero_point_for_each_channel() -> None:
    scale, zero = np.array([[0.1, 0.7]]), np.array([[0.0, 3.0]])
    q = quantizer_of("Quant", [scale, zero, np.asarray(4.0)], {"signed": 0})
    x = np.array([[0.25, 0.25], [-1.0, -1.05], [9.0, 9.0]])
    assert host_levels(q, x).tolist() == [[2, 0], [0, -2], [15, 12]]
