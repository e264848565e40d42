"""Weights of quantised layers are whole numbers, whatever digits their scale has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.ops.shared.whole_weights import _whole


@given(st.integers(2**20, 2**24 - 1), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_weights_times_a_scale_are_whole(digits: int, bits: int, seed: int) -> None:
    scale = float(np.float32(digits * 2.0**-26))
    whole = np.random.default_rng(seed).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (8, 8))
    found, factor = _whole(whole * scale, 1)
    assert np.array_equal(found * np.array([float(f) for f in factor]), whole * scale)
    odd = digits // (digits & -digits)
    if odd >= 2**10 and whole.any():
        assert np.abs(found).max() <= 2 ** (bits - 1)


@pytest.mark.parametrize("scale", [0.25, 0.75, 1.5])
def test_short_fractions_stay_as_they_are(scale: float) -> None:
    weights = np.array([[3.0, -2.0], [1.0, 4.0]]) * scale
    found, factor = _whole(weights, 1)
    assert np.array_equal(found, weights)
    assert factor.tolist() == [1]
