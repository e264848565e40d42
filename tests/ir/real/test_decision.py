"""Single points, decided by rational or binary arithmetic of growing precision."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.ir.real.decision import decide_at, round_fraction
from hwflow.ir.real.expression import Points
from hwflow.ir.real.nodes import Rounded
from tests.ir.real.oracle import SOURCE, clamp, function, linear, product, rounded, slopes, total
from tests.verify.exact.rational import MODES


@given(x=st.fractions(max_denominator=64), mode=st.sampled_from(sorted(MODES)))
def test_rounding_of_rationals(x: Fraction, mode: str) -> None:
    assert round_fraction(x, mode) == MODES[mode](x)


def test_sign_and_unknown_modes() -> None:
    assert [round_fraction(Fraction(n, 3), "SIGN") for n in (-1, 0, 1)] == [-1, 1, 1]
    with pytest.raises(ValueError, match="unknown rounding mode 'NEAREST'"):
        round_fraction(Fraction(1), "NEAREST")


def test_what_is_rational_is_known_to_be() -> None:
    x = linear(SOURCE, Fraction(1, 3), Fraction(1, 2))
    for pair in (
        x,
        slopes(x, Fraction(1, 7)),
        clamp(x, Fraction(-1, 3), Fraction(5, 7)),
        product(x, x),
        total(x, function(x, "HardSwish")),
        product(linear(SOURCE, 0, 0), function(x, "Sigmoid")),
        function(linear(SOURCE, 0, 0), "Sigmoid"),
        function(linear(SOURCE, 0, Fraction(4, 9)), "Sqrt"),
    ):
        for n in (-3, 0, 5):
            assert pair.tree.rational(n, 0) == pair.real(Fraction(n), 0)
    for name in ("Sigmoid", "Tanh", "Gelu", "Softplus", "Elu"):
        assert function(x, name).tree.rational(-3, 0) is None


@given(top=st.integers(-(10**30), 10**30), bottom=st.integers(1, 10**20))
def test_any_rational_source(top: int, bottom: int) -> None:
    pair = rounded(linear(clamp(SOURCE, -100, 100), Fraction(1, 3), Fraction(1, 2)), "HALF_UP")
    source = Fraction(top, bottom)
    assert decide_at(pair.tree, source, 0) == pair.real(source, 0)


def test_a_value_next_to_a_boundary_takes_as_many_digits_as_it_needs() -> None:
    level = function(SOURCE, "Sigmoid").real(Fraction(3), 0)
    for power in (60, 300, 800):
        for side in (-1, 1):
            offset = Fraction(1, 2) - level + Fraction(side, 2**power)
            tree = linear(function(SOURCE, "Sigmoid"), 1, offset).tree
            assert decide_at(Rounded(tree, "HALF_UP"), Fraction(3), 0) == (side > 0)


def test_float64_leaves_ties_to_exact_arithmetic() -> None:
    tree = rounded(linear(SOURCE, Fraction(1, 10), Fraction(1, 20)), "HALF_UP").tree
    raw = np.arange(-50, 51)
    values, error = tree.evaluate(Points(raw, np.zeros(101, np.int64), {}))
    expected = [MODES["HALF_UP"](Fraction(int(n), 10) + Fraction(1, 20)) for n in raw]
    assert values.tolist() == expected
    assert not error.any()
