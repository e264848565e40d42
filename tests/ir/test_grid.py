"""What integers stand for, and functions of integers in runs."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.grid import UNIT, Grid, rationals
from hwflow.ir.step_function import StepFunction

VALUES = np.array([0.1, -0.3, 2.0**-60, 7e-9])


def test_rationals_are_the_numbers_themselves() -> None:
    found = rationals(VALUES.reshape(2, 2))
    assert found.shape == (2, 2)
    assert [float(v) for v in found.ravel()] == VALUES.tolist()
    assert rationals(0.5).shape == (1,)


def test_real_numbers_are_rounded_once() -> None:
    rng = np.random.default_rng(0)
    values = FixedArray(rng.integers(-(2**40), 2**40, (5, 3, 4)), FixedType(42, 20))
    for shape in ((1,), (4,), (3, 4)):
        scale, offset = rationals(rng.normal(size=shape)), rationals(rng.normal(size=shape))
        found = Grid(scale, offset).real(values)
        s, o = (np.broadcast_to(a, (3, 4)) for a in (scale, offset))
        for at in np.ndindex(values.shape):
            exact = s[at[1:]] * Fraction(int(values.raw[at]), 2**22) + o[at[1:]]
            assert found[at] == float(exact)


def test_the_plain_grid() -> None:
    values = FixedArray(np.arange(4)[:, None], FixedType(4, 2))
    assert UNIT.plain
    assert not Grid(rationals(2), rationals(0)).plain
    np.testing.assert_array_equal(UNIT.real(values), values.values)


@given(
    lists=st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=30), min_size=1, max_size=4),
    data=st.data(),
)
def test_runs_give_every_result_back(lists: list[list[int]], data: st.DataObject) -> None:
    lo = np.array([data.draw(st.integers(-50, 50)) for _ in lists])
    function = StepFunction.of(lo, [np.array(row) for row in lists])
    assert function.rows == len(lists)
    assert function.runs == sum(len(s) for s in function.starts)
    for row, (first, results) in enumerate(zip(lo, lists, strict=True)):
        assert np.all(np.diff(function.levels[row]) != 0)
        for i in range(-2, len(results) + 2):
            raw = np.broadcast_to(np.int64(first + i), (1, len(lists)))
            nearest = min(max(i, 0), len(results) - 1)
            assert function(raw)[0, row] == results[nearest]
    low, high = function.bounds
    assert [low.tolist(), high.tolist()] == [[min(r) for r in lists], [max(r) for r in lists]]


def test_rows_for_elements_and_monotone_functions() -> None:
    rows = [np.arange(4) * (i + 1) for i in range(6)]
    function = StepFunction.of(np.zeros(6, np.int64), rows)
    raw = np.tile(np.arange(4)[:, None, None], (1, 2, 3))
    np.testing.assert_array_equal(function(raw), raw * np.arange(1, 7).reshape(2, 3))
    assert function.monotone
    assert not StepFunction.of(np.array([0]), [np.array([0, 1, 0])]).monotone


def test_ranges_too_wide_to_search_together() -> None:
    ends = np.full(3, 2**61)
    function = StepFunction(
        tuple(np.array([-(2**61)]) for _ in ends), tuple(np.array([0]) for _ in ends), ends
    )
    with pytest.raises(OverflowError, match="pass 62 bits"):
        function(np.zeros((1, 3), np.int64))
