"""Gradients of learned bits are those of the surrogate, and rounding is that of ap_fixed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.fixed.doubles import quantize_values

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def rounded(x: float, bits: float) -> tuple[float, float, float]:
    """Return the result, and its derivatives by value and by bits."""
    from hwflow.compression.training.rounding import fixed_round

    value = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    fraction = torch.tensor(bits, dtype=torch.float64, requires_grad=True)
    q = fixed_round(value, fraction)
    q.backward()
    return float(q.detach()), float(value.grad), float(fraction.grad)


@given(x=st.floats(-8, 8, allow_nan=False), bits=st.integers(-2, 8))
def test_derivative_by_bits_is_that_of_the_surrogate(x: float, bits: int) -> None:
    q, _, slope = rounded(x, float(bits))
    error, step = x - q, 1e-6
    surrogate = [x - error * 2.0 ** -(side * step) for side in (1, -1)]
    assert slope == pytest.approx((surrogate[0] - surrogate[1]) / (2 * step), rel=1e-6, abs=1e-9)


@given(x=st.floats(-8, 8, allow_nan=False), bits=st.floats(-2, 8, allow_nan=False))
def test_derivative_by_the_value_passes_straight_through(x: float, bits: float) -> None:
    assert rounded(x, bits)[1] == 1.0


@given(x=st.floats(-8, 8, allow_nan=False, width=32), bits=st.integers(-2, 8))
def test_rounds_as_ap_fixed_does(x: float, bits: int) -> None:
    dtype = FixedType(bits + 8, 8, True, Rounding.RND, Overflow.SAT)
    assert (
        rounded(x, float(bits))[0] == float(quantize_values(np.array([x]), dtype)[0]) * dtype.step
    )


def test_derivative_is_summed_over_what_shares_its_bits() -> None:
    from hwflow.compression.training.rounding import fixed_round

    x = torch.tensor([[0.3, 0.8], [0.1, -0.7]], requires_grad=True)
    together = torch.zeros((1, 2), requires_grad=True)
    apart = torch.zeros((2, 2), requires_grad=True)
    for fraction in (together, apart):
        (fixed_round(x, fraction) * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert torch.equal(together.grad, apart.grad.sum(0, keepdim=True))
