"""Requantisation: every implementation that is found equals the rational function everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import ceil, floor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Target
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization import multiply_add_shift, piecewise, scaled_sum
from hwflow.ops.requantization.choice import FINDERS, cheapest
from hwflow.ops.requantization.lines import roundest
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem, weighted
from hwflow.ops.requantize import MOST_OPERANDS, Requantize
from hwflow.testing.operators.cases import Case
from tests.ops.cases import mismatches

I64 = npt.NDArray[np.int64]

HALF = Fraction(1, 2)
ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    "half_even": round,
    "floor": floor,
    "ceil": ceil,
    "half_up": lambda x: floor(x + HALF),
    "half_down": lambda x: ceil(x - HALF),
    "to_zero": int,
    "half_away": lambda x: floor(x + HALF) if x > 0 else ceil(x - HALF),
}

FRACTIONS = st.fractions(min_value=-4, max_value=4, max_denominator=10**6)


@dataclass(frozen=True)
class Chain:
    """Scale, offset, an activation, clamp, rounding: evaluated with fractions."""

    scale: Fraction
    bias: Fraction
    activation: str
    clamp: tuple[int, int]
    rounding: str

    def __call__(self, n: int) -> int:
        x = n * self.scale + self.bias
        if self.activation == "relu":
            x = max(x, Fraction(0))
        if self.activation == "leaky":
            x = x if x > 0 else x / 10
        if self.activation == "abs":
            x = abs(x)
        if self.activation == "parabola":
            x = x * x / 8 - x
        low, high = self.clamp
        return ROUNDINGS[self.rounding](min(max(x, Fraction(low)), Fraction(high)))


@st.composite
def chains(draw: st.DrawFn, activations: tuple[str, ...] = ("none",)) -> Chain:
    bits = draw(st.integers(1, 8))
    clamp = draw(st.sampled_from([(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), (0, 2**bits - 1)]))
    scale = draw(FRACTIONS) / draw(st.sampled_from([1, 16, 256]))
    bias = draw(FRACTIONS) * draw(st.sampled_from([0, 1, 10]))
    activation = draw(st.sampled_from(activations))
    return Chain(scale, bias, activation, clamp, draw(st.sampled_from(list(ROUNDINGS))))


def tabulated(rows: list[Chain], lo: int, hi: int) -> StepFunction:
    results = [np.array([row(n) for n in range(lo, hi + 1)], np.int64) for row in rows]
    return StepFunction.of(np.full(len(rows), lo), results)


def integers(lo: int, hi: int, shape: tuple[int, ...]) -> TensorType:
    return TensorType.exactly(shape, np.array(lo), np.array(hi), 0)


def found(problem: Problem) -> list[Plan]:
    ways = [find for finders in FINDERS.values() for find in finders]
    return [plan for find in ways if (plan := find(problem)) is not None]


def evaluate(plan: Plan, operands: list[I64], row: int) -> I64:
    """Return the plan's results for all samples of one row."""
    weights = [1] if plan.weights is None else [int(w[row]) for w in plan.weights]
    n = sum(w * h for w, h in zip(weights, operands, strict=True))
    return plan.levels(np.asarray(n, np.int64), np.full(len(operands[0]), row))


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(chains(("none", "relu", "leaky", "abs", "parabola")), min_size=1, max_size=3),
    lo=st.integers(-200, 50),
    size=st.integers(1, 300),
)
def test_every_implementation_equals_the_rational_function(
    rows: list[Chain], lo: int, size: int
) -> None:
    hi = lo + size - 1
    x = integers(lo, hi, (2, len(rows)))
    plans = found(Problem.of(tabulated(rows, lo, hi), None, (x,)))
    assert {"table", "thresholds"} <= {plan.implementation for plan in plans}
    for plan in plans:
        assert plan.proof is not None
        for row, chain in enumerate(rows):
            wanted = [chain(n) for n in range(lo, hi + 1)]
            assert evaluate(plan, [np.arange(lo, hi + 1)], row).tolist() == wanted, plan


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(chains(("none", "relu")), min_size=1, max_size=4), bits=st.integers(2, 9))
def test_a_clamped_line_takes_one_multiplier(rows: list[Chain], bits: int) -> None:
    rows = [replace(row, clamp=rows[0].clamp, activation="none") for row in rows]
    lo, hi = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    problem = Problem.of(tabulated(rows, lo, hi), None, (integers(lo, hi, (len(rows),)),))
    symmetric = {"to_zero", "half_away"}  # these bend at zero
    if not symmetric & {row.rounding for row in rows}:
        assert multiply_add_shift.find(problem) is not None


@settings(max_examples=60, deadline=None)
@given(
    chain=chains(("none", "relu", "leaky")),
    weights=st.tuples(*[st.integers(-40, 40)] * 2),
    ends=st.tuples(*[st.tuples(st.integers(-8, 2), st.integers(3, 12))] * 2),
)
def test_sums_of_two_equal_the_rational_function(
    chain: Chain, weights: tuple[int, int], ends: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    pairs = np.array(list(product(*(range(lo, hi + 1) for lo, hi in ends))))
    sums = pairs @ np.array(weights)
    function = tabulated([chain], int(sums.min()), int(sums.max()))
    inputs = tuple(integers(lo, hi, (3,)) for lo, hi in ends)
    plans = found(Problem.of(function, tuple(np.array(w) for w in weights), inputs))
    wanted = [chain(int(n)) for n in sums]
    for plan in plans:
        assert evaluate(plan, [pairs[:, 0], pairs[:, 1]], 0).tolist() == wanted, plan


def test_sums_of_two_scales_need_no_exact_ratio() -> None:
    a, b = 9_876_543, 7_654_321  # scales of 24 bits, whose exact sum takes 32
    half = Fraction(1, 2**24)
    chain = Chain(half, Fraction(0), "none", (-128, 127), "half_even")
    weights = (np.array(a), np.array(b))
    starts, levels = [-(2**33)], [-128]
    for level in range(-127, 128):  # half to even: odd levels begin above a tie, even ones at it
        tie = Fraction(2 * level - 1, 2) / half
        starts.append(int(tie) + (level % 2))
        levels.append(level)
    function = StepFunction((np.array(starts),), (np.array(levels),), np.array([2**33]))
    inputs = (integers(-128, 127, (5,)),) * 2
    plan = scaled_sum.find(Problem.of(function, weights, inputs))
    assert plan is not None
    assert plan.multiplier_bits <= 19
    pairs = np.array(list(product(range(-128, 128), repeat=2)))
    wanted = [chain(int(n)) for n in pairs @ np.array([a, b])]
    assert evaluate(plan, [pairs[:, 0], pairs[:, 1]], 0).tolist() == wanted


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40))
def test_roundest_integer_of_an_interval(low: int, size: int) -> None:
    high = low + size
    (best,) = roundest(np.array([low]), np.array([high])).tolist()
    assert low <= best <= high
    unit = 2 * (best & -best)
    assert best == 0 or low > 0 or high < 0
    assert best == 0 or -(-low // unit) * unit > high or (low // unit) * unit >= low


def test_curves_take_few_segments() -> None:
    x = np.arange(-2048, 2048) / 256
    gelu = 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))
    for bits, segments in ((3, 2), (4, 3), (5, 3), (6, 7)):
        levels = np.rint(gelu * (2 ** (bits - 1) - 0.5) / gelu.max()).astype(np.int64)
        function = StepFunction.of(np.array([-2048]), [levels])
        plan = piecewise.find(Problem.of(function, None, (integers(-2048, 2047, (1,)),)))
        assert plan is not None
        assert plan.numbers()["segments"] <= segments
        assert np.array_equal(evaluate(plan, [np.arange(-2048, 2048)], 0), levels)


def test_wide_inputs_of_many_rows() -> None:
    rng = np.random.default_rng(0)
    raw = np.arange(-(2**16), 2**16)
    rows = [
        np.clip(np.rint(raw * s + b), 0, 255).astype(np.int64)
        for s, b in zip(rng.uniform(0.5, 2, 64) / 512, rng.normal(size=64) * 60, strict=True)
    ]
    function = StepFunction.of(np.full(64, raw[0]), rows)
    x = TensorType.full((64,), FixedType(17, 9))
    problem = Problem.of(function, None, (x,))
    for name in ("multiply_add_shift", "thresholds"):
        (find, *_) = FINDERS[name]
        plan = find(problem)
        assert plan is not None
        for row, wanted in enumerate(rows):
            assert np.array_equal(evaluate(plan, [raw], row), wanted)


def random_op(rng: np.random.Generator) -> Case:
    """Return a random chain of one or two operands, computed by any way that serves."""
    operands = int(rng.integers(1, 3))
    rows = int(rng.choice([1, 3, 6]))
    bits = [int(b) for b in rng.integers(2, 9 if operands == 1 else 6, operands)]
    types = [FixedType(b, int(rng.integers(-1, 9)), bool(rng.integers(2))) for b in bits]
    inputs = tuple(TensorType.full((2, 3), t) for t in types)
    weights = tuple(rng.integers(-9, 10, rows) for _ in types) if operands > 1 else None
    lo, hi = weighted(
        weights,
        np.arange(rows),
        [(np.full(rows, t.bounds[0]), np.full(rows, t.bounds[1])) for t in inputs],
    )
    chosen = [
        Chain(
            Fraction(int(rng.integers(-4000, 4000)), 2 ** int(rng.integers(9, 16))),
            Fraction(int(rng.integers(-999, 999)), 97),
            str(rng.choice(["none", "relu", "leaky", "parabola"])),
            (-(2 ** (int(rng.integers(1, 6)))), 2 ** int(rng.integers(1, 6)) - 1),
            str(rng.choice(list(ROUNDINGS))),
        )
        for _ in range(rows)
    ]
    results = [
        np.array([chain(n) for n in range(a, b + 1)], np.int64)
        for chain, a, b in zip(chosen, lo.tolist(), hi.tolist(), strict=True)
    ]
    op = Requantize(
        function=StepFunction.of(lo, results), weights=weights, fractional=int(rng.integers(-2, 5))
    )
    names = [p.implementation for _, p in cheapest(op.problem(*inputs), Target(), inputs)]
    return Case("", replace(op, implementation=str(rng.choice(names))), inputs)


@pytest.mark.cpp
@pytest.mark.parametrize(
    "io_type", ["io_parallel", pytest.param("io_stream", marks=pytest.mark.slow)]
)
def test_random_requantisations_compute_the_same_in_cpp(io_type: str) -> None:
    rng = np.random.default_rng(5)
    cases = [replace(random_op(rng), name=f"r{i}") for i in range(24)]
    used = {c.op.implementation for c in cases if isinstance(c.op, Requantize)}
    assert used >= {"multiply_add_shift", "piecewise", "table", "thresholds"}
    assert mismatches(cases, Target(io_type=io_type)) == []


def test_a_value_beyond_the_functions_range_is_refused() -> None:
    op = Requantize(function=StepFunction.of(np.array([0]), [np.arange(10)]))
    with pytest.raises(ValueError, match="range"):
        op.exact(integers(0, 10, (3,)))


def test_ranges_follow_what_each_channel_reaches() -> None:
    op = Requantize(function=StepFunction.of(np.array([-4]), [np.array([16, 9, 4, 1, 0, 1, 4, 9])]))
    x = TensorType.exactly((2, 3), np.array([-4, -1, 2]), np.array([-2, 1, 3]), 0)
    known = op.exact(x)
    assert known.lo.tolist() == [4, 0, 4]
    assert known.hi.tolist() == [16, 1, 9]


def test_too_many_operands_are_refused() -> None:
    count = MOST_OPERANDS + 1
    op = Requantize(
        function=StepFunction.of(np.array([0]), [np.arange(count + 1)]),
        weights=(np.array(1),) * count,
    )
    found = list(op.check(Target(), *[integers(0, 1, (3,))] * count))
    assert [d.code for d in found] == ["HW232"]


def test_a_plan_for_a_smaller_range_is_not_used() -> None:
    op = Requantize(function=StepFunction.of(np.array([-128]), [np.arange(-128, 128) >> 3]))
    narrow, wide = integers(-8, 7, (3,)), integers(-128, 127, (3,))
    planned = replace(op, plan=op.chosen(Target(), narrow))
    assert planned.chosen(Target(), narrow) is planned.plan
    again = planned.chosen(Target(), wide)
    assert again is not planned.plan
    raw = np.arange(-128, 128)[:, None] + np.zeros((1, 3), np.int64)
    assert again is not None
    assert np.array_equal(again.levels(raw[:, 0], np.zeros(256, np.int64)), raw[:, 0] >> 3)
    assert np.array_equal(op.compute(FixedArray(raw, FixedType(8, 8))).raw, raw >> 3)
