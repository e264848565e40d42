"""Tables of real functions against fractions and mpmath, point by point."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.ir.real import tabulation
from hwflow.ir.real.expression import UndefinedError, contents
from hwflow.ir.real.functions import DEFAULTS, FUNCTIONS
from hwflow.ir.real.tabulation import TooManyStepsError, rises, tabulate
from hwflow.ir.step_function import StepFunction
from tests.ir.real.oracle import (
    SOURCE,
    Pair,
    at_points,
    clamp,
    function,
    linear,
    product,
    rounded,
    slopes,
    total,
)
from tests.verify.exact.rational import MODES

FEW = settings(max_examples=40, deadline=None)
EVERY_MODE = (*sorted(MODES), "SIGN")
TENTH = Fraction(float(np.float32(0.1)))
SCALES = (
    Fraction(1), Fraction(1, 4), Fraction(-1, 2), Fraction(3, 2), TENTH, -TENTH, Fraction(0),
    Fraction(1, 3), Fraction(float(np.float32(0.0317))),
)  # fmt: skip
OFFSETS = (Fraction(0), Fraction(1, 2), Fraction(-3, 8), Fraction(float(np.float32(0.77))))


def table(pair: Pair, lo: int, hi: int, rows: int = 1) -> StepFunction:
    return tabulate(pair.tree, np.full(rows, lo, np.int64), np.full(rows, hi, np.int64))


def assert_equal(found: StepFunction, pair: Pair, raw: Any) -> None:
    """Compare every row at integers."""
    for row in range(found.rows):
        one = StepFunction(found.starts[row : row + 1], found.levels[row : row + 1], found.hi[:1])
        assert one(np.asarray(raw)[:, None]).ravel().tolist() == at_points(pair, raw, row)


def assert_equal_at_steps(found: StepFunction, pair: Pair, lo: int, hi: int) -> None:
    """Compare at the ends of each run, the ends of the range, and some random points."""
    rng = np.random.default_rng(0)
    for row in range(found.rows):
        starts = found.starts[row]
        assert starts[0] == lo
        assert np.all(np.diff(starts) > 0)
        assert np.all(np.diff(found.levels[row]) != 0)
        some = starts if len(starts) < 40 else rng.choice(starts, 40)
        near = np.concatenate([some + k for k in (-1, 0)] + [rng.integers(lo, hi + 1, 20), [hi]])
        raw = np.unique(np.clip(near, lo, hi))
        one = StepFunction(
            found.starts[row : row + 1], found.levels[row : row + 1], found.hi[row : row + 1]
        )
        assert one(raw[:, None]).ravel().tolist() == at_points(pair, raw, row)


def defined(name: str) -> tuple[Fraction, Fraction]:
    """Return a scale and offset that keep a function in its domain for integers from -40."""
    if name in ("Log", "Sqrt"):
        return Fraction(1, 8), Fraction(41, 8)
    return (
        (Fraction(1, 8), Fraction(1, 16)) if name == "Reciprocal" else (Fraction(1, 8), Fraction(0))
    )


@pytest.mark.parametrize("mode", EVERY_MODE)
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_and_rounding(name: str, mode: str) -> None:
    scale, offset = defined(name)
    inner = function(linear(SOURCE, scale, offset), name)
    pair = rounded(linear(inner, Fraction(8), Fraction(1, 2)), mode)
    assert_equal(table(pair, -40, 40), pair, range(-40, 41))


@FEW
@given(
    name=st.sampled_from(sorted(set(FUNCTIONS) - {"Log", "Sqrt", "Reciprocal"})),
    mode=st.sampled_from(EVERY_MODE),
    scale=st.sampled_from(SCALES),
    offset=st.sampled_from(OFFSETS),
    out=st.sampled_from(SCALES),
    zero=st.integers(-3, 3),
    bits=st.integers(2, 8),
    clamped=st.booleans(),
)
def test_chains_with_ties_and_any_scales(
    name: str, mode: str, scale: Fraction, offset: Fraction, out: Fraction, zero: int, bits: int,
    clamped: bool,
) -> None:  # fmt: skip
    pair = function(linear(SOURCE, scale, offset), name)
    pair = linear(pair, 1 / out if out else Fraction(0), zero)
    if clamped:
        pair = clamp(pair, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    pair = rounded(pair, mode)
    if name == "Exp" and abs(scale) > 1:
        return  # past what a table of a few bits is made of
    assert_equal(table(pair, -13, 14), pair, range(-13, 15))


@FEW
@given(
    scales=st.lists(st.sampled_from(SCALES), min_size=3, max_size=3),
    offsets=st.lists(st.sampled_from(OFFSETS), min_size=3, max_size=3),
    slope=st.lists(st.sampled_from(SCALES), min_size=3, max_size=3),
    mode=st.sampled_from(EVERY_MODE),
    kind=st.sampled_from(["slopes", "clamp", "twice"]),
)
def test_a_constant_for_each_row(
    scales: list[Fraction], offsets: list[Fraction], slope: list[Fraction], mode: str, kind: str
) -> None:
    pair = linear(SOURCE, scales, offsets)
    if kind == "slopes":
        pair = slopes(pair, slope)
    elif kind == "clamp":
        pair = clamp(pair, [-abs(s) - 1 for s in slope], [abs(s) + Fraction(1, 2) for s in slope])
    else:
        pair = rounded(linear(rounded(pair, "FLOOR"), slope, offsets), mode)
    pair = rounded(linear(pair, Fraction(2), 1), mode)
    found = tabulate(pair.tree, np.full(3, -30, np.int64), np.full(3, 30, np.int64))
    assert_equal(found, pair, range(-30, 31))


TURNING = (
    "Abs",
    "Gelu",
    "HardSwish",
    "Mish",
    "Relu",
    "Sigmoid",
    "Softplus",
    "Swish",
    "Tanh",
    "LeakyRelu",
)


@FEW
@given(
    name=st.sampled_from(TURNING),
    mode=st.sampled_from(EVERY_MODE),
    span=st.integers(2**20, 2**44),
    reach=st.integers(3, 12),
    sign=st.sampled_from([-1, 1]),
    bits=st.integers(2, 9),
)
def test_wide_ranges_are_searched(
    name: str, mode: str, span: int, reach: int, sign: int, bits: int
) -> None:
    pair = function(linear(SOURCE, Fraction(sign * reach, span) + TENTH / span, TENTH), name)
    pair = clamp(linear(pair, 2 ** (bits - 2), 1), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    pair = rounded(pair, mode)
    assert_equal_at_steps(table(pair, -span, span + 3), pair, -span, span + 3)


@FEW
@given(
    mode=st.sampled_from(sorted(MODES)),
    scale=st.sampled_from([s for s in SCALES if s]),
    out=st.sampled_from([s for s in SCALES if s]),
    kind=st.sampled_from(["silu", "square", "twice", "softsign", "shifted"]),
)
def test_products_and_sums_of_one_integer(
    mode: str, scale: Fraction, out: Fraction, kind: str
) -> None:
    x = linear(SOURCE, scale, TENTH)
    pair = {
        "silu": lambda: product(x, function(x, "Sigmoid")),
        "square": lambda: product(x, x),
        "twice": lambda: total(x, x),
        "softsign": lambda: product(x, function(linear(function(x, "Abs"), 1, 1), "Reciprocal")),
        "shifted": lambda: total(function(x, "Tanh"), linear(x, Fraction(-1, 2), 0)),
    }[kind]()
    pair = rounded(linear(pair, 1 / out, 0), mode)
    assert_equal(table(pair, -25, 25), pair, range(-25, 26))


LIMITS = {
    "Sigmoid": (0, 1), "Tanh": (-1, 1), "Erf": (-1, 1), "Elu": (-1, None), "Softplus": (0, None),
    "Gelu": (0, None), "Mish": (0, None), "Swish": (0, None), "Celu": (-1, None),
}  # fmt: skip
BELOW = ("Gelu", "Mish", "Swish")
"""Functions that come to their limit on the left from below."""


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_far_from_zero_functions_never_reach_their_limits(name: str) -> None:
    left, right = LIMITS[name]
    span = 3000
    for mode in ("FLOOR", "CEIL"):
        tree = rounded(function(SOURCE, name), mode)
        first, last = (int(table(tree, n, n).levels[0][0]) for n in (-span, span))
        assert first == left + {"FLOOR": -(name in BELOW), "CEIL": name not in BELOW}[mode]
        if right is not None:
            assert last == right - (mode == "FLOOR")
        elif name in ("Softplus", "Mish", "Gelu", "Swish"):
            assert last == span + (1 if mode == "CEIL" and name == "Softplus" else 0) - (
                1 if mode == "FLOOR" and name != "Softplus" else 0
            )
        else:
            assert last == span


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_bounds_that_are_ties(mode: str) -> None:
    pair = rounded(clamp(SOURCE, Fraction(-5, 2), Fraction(3, 2)), mode)
    assert_equal(table(pair, -6, 6), pair, range(-6, 7))


@pytest.mark.parametrize(("lo", "hi"), [(-20, 20), (-(2**40), 2**40)])
def test_a_pole_between_two_integers(lo: int, hi: int) -> None:
    far = function(linear(SOURCE, 1, Fraction(1, 3)), "Reciprocal")
    pair = rounded(clamp(linear(far, 40, 0), -60, 60), "ROUND")
    assert_equal_at_steps(table(pair, lo, hi), pair, lo, hi)


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.25, 2.0])
@pytest.mark.parametrize("name", ["Elu", "LeakyRelu", "Selu"])
def test_parameters_of_any_sign(name: str, alpha: float) -> None:
    assert "alpha" in DEFAULTS[name]
    pair = rounded(function(linear(SOURCE, Fraction(1, 8), 0), name, alpha=alpha), "FLOOR")
    assert_equal(table(pair, -60, 60), pair, range(-60, 61))


def test_sums_past_53_bits() -> None:
    pair = rounded(clamp(linear(SOURCE, Fraction(1, 2**55), 0), -8, 7), "ROUND")
    lo, hi = -(2**59), 2**59
    found = table(pair, lo, hi)
    assert_equal_at_steps(found, pair, lo, hi)
    half = 2**54
    raw = np.array([half - 1, half, half + 1, 3 * half - 1, 3 * half, -half, -half - 1])
    assert found(raw[:, None]).ravel().tolist() == [0, 0, 1, 1, 2, 0, -1]


def test_different_ranges_of_rows() -> None:
    pair = rounded(linear(SOURCE, [Fraction(1, 3), Fraction(-2, 3)], 0), "CEIL")
    found = tabulate(pair.tree, np.array([-5, 100]), np.array([9, 117]))
    for row, (lo, hi) in enumerate(((-5, 9), (100, 117))):
        raw = np.arange(lo, hi + 1)
        one = StepFunction(
            found.starts[row : row + 1], found.levels[row : row + 1], found.hi[row : row + 1]
        )
        assert one(raw[:, None]).ravel().tolist() == at_points(pair, raw, row)
        assert (found.lo[row], found.hi[row]) == (lo, hi)


@pytest.mark.parametrize("name", ["Log", "Sqrt", "Reciprocal"])
def test_a_function_that_is_not_defined_everywhere(name: str) -> None:
    pair = rounded(function(SOURCE, name), "ROUND")
    with pytest.raises(UndefinedError, match=f"{name} has no finite value at"):
        table(pair, -4, 4)


def test_a_function_that_grows_too_large() -> None:
    with pytest.raises(UndefinedError, match="Exp has no finite value at"):
        table(rounded(function(SOURCE, "Exp"), "ROUND"), 0, 2000)


def test_too_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabulation, "MAX_INPUTS", 1000)
    monkeypatch.setattr(tabulation, "MAX_LEVELS", 500)
    with pytest.raises(TooManyStepsError, match="10001 inputs to look at, at most 1000 are"):
        table(rounded(SOURCE, "ROUND"), 0, 10_000)
    wide = rounded(linear(SOURCE, Fraction(1, 10**6), 0), "ROUND")
    assert table(wide, 0, 10**8).runs == 101


def test_what_mixes_is_looked_at_everywhere_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabulation, "MAX_INPUTS", 1000)
    x = linear(SOURCE, Fraction(1, 64), 0)
    with pytest.raises(TooManyStepsError):
        table(rounded(product(x, function(x, "Sigmoid")), "ROUND"), -2000, 2000)


def test_a_constant_of_another_size() -> None:
    pair = rounded(linear(SOURCE, [1, 2], 0), "ROUND")
    with pytest.raises(ValueError, match="a constant of 2 elements for 3 rows"):
        table(pair, 0, 3, rows=3)


RISING = ("Celu", "Elu", "Erf", "Exp", "Log", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign",
          "Sqrt", "Tanh")  # fmt: skip


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_what_is_said_to_rise_does(name: str) -> None:
    scale, offset = defined(name)
    pair = function(linear(SOURCE, scale, offset), name)
    said = rises(pair.tree)
    values = [pair.real(Fraction(n), 0) for n in range(-40, 41)]
    assert said == (name in RISING or name == "LeakyRelu")
    assert not said or all(a <= b for a, b in pairwise(values))


def test_falling_parts_do_not_rise() -> None:
    assert rises(rounded(clamp(slopes(SOURCE, [1, 0]), 0), "FLOOR").tree)
    for pair in (
        linear(SOURCE, [1, Fraction(-1, 2)], 0),
        slopes(SOURCE, [1, -1]),
        total(SOURCE, SOURCE),
        function(SOURCE, "LeakyRelu", alpha=-0.1),
    ):
        assert not rises(pair.tree)


@FEW
@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 300)), min_size=2, max_size=5))
def test_parts_of_a_known_function_are_what_they_would_be(ranges: list[tuple[int, int]]) -> None:
    pair = rounded(linear(SOURCE, Fraction(1, 7), Fraction(1, 3)), "FLOOR")
    for first, size in ranges:
        known = table(pair, first, first + size)
        tabulation._tabulated.clear()
        fresh = table(pair, first, first + size)
        table(pair, first - 5, first + size + 9)
        cut = table(pair, first, first + size)
        for found in (known, cut):
            assert np.array_equal(found.hi, fresh.hi)
            for ours, theirs in ((found.starts, fresh.starts), (found.levels, fresh.levels)):
                assert np.array_equal(ours[0], theirs[0])


def test_trees_with_other_constants_are_others() -> None:
    ways = [linear(SOURCE, Fraction(1, 7), Fraction(k)) for k in (0, 1)]
    assert contents(ways[0].tree) != contents(ways[1].tree)
    assert contents(ways[0].tree) == contents(linear(SOURCE, Fraction(1, 7), Fraction(0)).tree)
