"""Sum and Mean of many activations against exact rational numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding, cast_raw
from hwflow.ir.op import RefusedError, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.add import Add
from hwflow.ops.mean import Mean
from hwflow.ops.shared.division import EXTRA_BITS
from hwflow.ops.sum import Sum
from tests.ops.chain import compute, convert, onnx_node

types = st.builds(FixedType, st.integers(1, 7), st.integers(-3, 5), st.booleans())
several = st.lists(types, min_size=2, max_size=7)


def drawn(dtypes: list[FixedType], seed: int = 0) -> list[FixedArray]:
    rng = np.random.default_rng(seed)
    found = []
    for dtype in dtypes:
        raw = rng.integers(dtype.raw_min, dtype.raw_max + 1, (30, 3))
        raw[0], raw[1] = dtype.raw_min, dtype.raw_max
        found.append(FixedArray(raw, dtype))
    return found


def sums(inputs: list[FixedArray]) -> list[Fraction]:
    """Return the exact sums, flat."""
    columns = [x.values.ravel().tolist() for x in inputs]
    return [sum((Fraction(v) for v in values), Fraction()) for values in zip(*columns, strict=True)]


@settings(max_examples=80, deadline=None)
@given(several)
def test_sums_are_exact(dtypes: list[FixedType]) -> None:
    inputs = drawn(dtypes)
    found = compute([Sum()], *inputs).values.ravel().tolist()
    assert [Fraction(v) for v in found] == sums(inputs)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([2, 4, 8]), types, types)
def test_means_of_a_power_of_two_are_exact(count: int, a: FixedType, b: FixedType) -> None:
    inputs = drawn([a, b] * (count // 2))
    found = compute([Mean()], *inputs).values.ravel().tolist()
    assert [Fraction(v) for v in found] == [s / count for s in sums(inputs)]


@settings(max_examples=150, deadline=None)
@given(several, st.integers(2, 8), st.integers(-2, 5), st.sampled_from(list(Rounding)))
def test_other_means_are_rounded_once(
    dtypes: list[FixedType], width: int, integer: int, rounding: Rounding
) -> None:
    to = FixedType(width, integer, True, rounding, Overflow.SAT)
    inputs = drawn(dtypes)
    found = compute([Mean(result_t=to)], *inputs).raw.ravel().tolist()
    assert found == [rounded(s / len(inputs), to) for s in sums(inputs)]


def rounded(value: Fraction, to: FixedType) -> int:
    """Return the mantissa of a rational number; the rest below the step keeps only its sign.

    Rounding depends on the floor, on which side of the half the rest is, and whether there is one.
    """
    scaled = value * Fraction(2) ** to.fractional
    floor = scaled.numerator // scaled.denominator
    rest = scaled - floor
    quarters = 0 if rest == 0 else 2 if rest == Fraction(1, 2) else 1 if rest < 0.5 else 3
    return int(cast_raw(np.array(4 * floor + quarters), to.fractional + 2, to))


def test_a_mean_that_nobody_quantised_keeps_the_order_of_sums() -> None:
    dtype = FixedType(3, 3)
    every = np.array(np.meshgrid(*[np.arange(-4, 4)] * 3)).reshape(3, -1, 1)
    inputs = [FixedArray(raw, dtype) for raw in every]
    mean = compute([Mean()], *inputs)
    total = every.sum(axis=0)
    assert mean.dtype.fractional == 2 + EXTRA_BITS
    order = np.argsort(total, axis=0, kind="stable").ravel()
    steps = np.sign(np.diff(mean.raw.ravel()[order]))
    np.testing.assert_array_equal(steps, np.sign(np.diff(total.ravel()[order])))


def test_ranges_are_tight_per_channel() -> None:
    dtype = FixedType(8, 8)
    a = TensorType((2,), dtype, np.array([-3, 6]), np.array([2, 7]))
    b = TensorType((2,), dtype, np.array([-4, -1]), np.array([-2, 1]))
    total, mean = Sum().infer(a, b, a), Mean().infer(a, b)
    assert (total.lo.tolist(), total.hi.tolist()) == ([-10, 11], [2, 15])
    assert (mean.lo.tolist(), mean.hi.tolist(), mean.dtype.fractional) == ([-7, 5], [0, 8], 1)


def test_what_nodes_become() -> None:
    x, wide = TensorType.full((3,), FixedType(4, 4)), TensorType.full((1,), FixedType(4, 4))
    kinds = {n: [type(o) for o in convert(onnx_node("Sum", [x] * n))] for n in (1, 2, 3, 5)}
    assert kinds == {1: [], 2: [Add], 3: [Sum], 5: [Sum]}
    assert [type(o) for o in convert(onnx_node("Mean", [x, x]))] == [Mean]
    assert list(convert(onnx_node("Mean", [x]))) == []
    for op, operands, code in (
        ("Sum", [x, x, wide], "HW223"), ("Mean", [x, wide], "HW223"),
        ("Mean", [x, [1.0]], "HW210"), ("Sum", [x, x, [1.0]], "HW210"),
    ):  # fmt: skip
        with pytest.raises(RefusedError) as refused:
            convert(onnx_node(op, operands))
        assert refused.value.diagnostic.code == code


def test_a_division_that_is_too_wide_is_refused() -> None:
    x = TensorType.full((2,), FixedType(50, 10))
    assert [d.code for d in Mean().check(Target(), x, x, x)] == ["HW303"]
    assert [d.code for d in Mean().check(Target(), x, x)] == []
