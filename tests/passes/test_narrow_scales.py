"""Narrowed scalings give the same for every input, checked with exact fractions."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.input import Input
from hwflow.ops.scale_bias import ScaleBias
from hwflow.passes.graph.narrow_scales import TO_NEAREST, narrow_scales


def graph(x: FixedType, scale: np.ndarray, bias: np.ndarray, to: FixedType) -> Graph:
    op = ScaleBias(
        scale=FixedArray.exactly(scale.astype(np.float32)),
        bias=FixedArray.exactly(bias.astype(np.float32)),
        result_t=to,
    )
    nodes = [Node("x", Input(shape=(len(scale),), dtype=x)), Node("y", op, ("x",))]
    return Graph.build("scaling", nodes, [Port("x", "x", (1,))], [Port("y", "y", (1,))])


def rounded(value: Fraction, to: FixedType) -> int:
    scaled = value * Fraction(2) ** to.fractional
    floor = scaled.numerator // scaled.denominator
    rest = scaled - floor
    half = Fraction(1, 2)
    up = {
        Rounding.TRN: False,
        Rounding.RND: rest >= half,
        Rounding.RND_MIN_INF: rest > half,
        Rounding.RND_ZERO: rest > half or (rest == half and scaled < 0),
        Rounding.RND_INF: rest > half or (rest == half and scaled >= 0),
        Rounding.RND_CONV: rest > half or (rest == half and floor % 2 == 1),
    }[to.rounding]
    return min(max(floor + up, to.raw_min), to.raw_max)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    bits=st.integers(2, 11),
    width=st.integers(1, 6),
    integer=st.integers(-1, 4),
    signed=st.booleans(),
    rounding=st.sampled_from([*TO_NEAREST, Rounding.TRN]),
    overflow=st.sampled_from([Overflow.SAT, Overflow.SAT_SYM]),
)
def test_every_input_gives_what_the_real_constants_give(
    seed: int,
    bits: int,
    width: int,
    integer: int,
    signed: bool,
    rounding: Rounding,
    overflow: Overflow,
) -> None:
    rng = np.random.default_rng(seed)
    to = FixedType(width + signed, integer, signed, rounding, overflow)
    x = FixedType(bits, bits // 2)
    scale = rng.normal(size=3) * 2.0 ** rng.integers(-3, 3)
    bias = rng.normal(size=3)
    before = graph(x, scale, bias, to)
    after = narrow_scales(before)
    old, new = before.by_name["y"].op, after.by_name["y"].op
    raw = np.arange(x.raw_min, x.raw_max + 1)
    found = new.compute(FixedArray(np.repeat(raw[:, None], 3, 1), x)).cast(to).raw
    for c in range(3):
        s, b = (Fraction(float(np.float32(a[c]))) for a in (scale, bias))
        expected = [rounded(s * int(r) * Fraction(x.step) + b, to) for r in raw]
        assert found[:, c].tolist() == expected
    assert new.scale.dtype.width <= old.scale.dtype.width


def test_a_batch_norm_before_few_levels_needs_few_bits() -> None:
    rng = np.random.default_rng(0)
    to = FixedType(4, 2, False, Rounding.RND_CONV, Overflow.SAT)
    before = graph(FixedType(10, 4), rng.uniform(0.1, 2, 8), rng.normal(size=8), to)
    after = narrow_scales(before).by_name["y"].op
    assert before.by_name["y"].op.scale.dtype.width >= 24
    assert after.scale.dtype.width <= 12


def test_types_that_wrap_or_keep_everything_are_left_alone() -> None:
    scale, bias = np.array([0.3, 0.7]), np.array([0.1, 0.2])
    wrapping = graph(FixedType(6, 3), scale, bias, FixedType(4, 2, True, Rounding.RND))
    assert narrow_scales(wrapping) is wrapping


def test_results_of_too_many_levels_are_left_alone() -> None:
    to = FixedType(24, 8, False, Rounding.RND_CONV, Overflow.SAT)
    fine = graph(FixedType(24, 10), np.array([0.3, 0.7]), np.array([0.1, 0.2]), to)
    assert narrow_scales(fine) is fine
