"""Biases lose the bits that no rounding can see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ops.add import Add
from hwflow.ops.dense import Dense
from hwflow.ops.relu import Relu
from hwflow.passes.graph.fuse_casts import fuse_casts
from hwflow.passes.graph.narrow_biases import narrow_biases
from tests.passes.graphs import NARROW, assert_same, cast, dense, graph, source

FINE = FixedArray(np.array([2**20 + 1, -(3**12)]), FixedType(24, 3))


def bias_bits(of: object) -> int:
    op = of.by_name["fc"].op  # type: ignore[attr-defined]
    assert isinstance(op, Dense)
    return op.bias.dtype.fractional


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("relu", [False, True])
def test_fires_for_every_rounding(rounding: Rounding, relu: bool) -> None:
    to = FixedType(5, 3, True, rounding, Overflow.SAT)
    layers = [source(), ("fc", dense(bias=FINE), ["x"])]
    layers += [("r", Relu(), ["fc"])] if relu else []
    before = fuse_casts(graph(*layers, ("q", cast(to), [layers[-1][0]])))
    after = narrow_biases(before)
    assert bias_bits(after) == 3 + 2 + 1
    assert_same(before, after, 2000)


@settings(max_examples=60, deadline=None)
@given(
    raw=st.lists(st.integers(-(2**22), 2**22), min_size=2, max_size=2),
    rounding=st.sampled_from(list(Rounding)),
    fractional=st.integers(-1, 4),
)
def test_no_result_changes(raw: list[int], rounding: Rounding, fractional: int) -> None:
    to = FixedType(8, 8 - fractional, True, rounding, Overflow.SAT)
    bias = FixedArray(np.array(raw), FixedType(24, 4))
    before = fuse_casts(graph(source(), ("fc", dense(bias=bias), ["x"]), ("q", cast(to), ["fc"])))
    assert_same(before, narrow_biases(before), 100)


def test_not_without_a_rounding() -> None:
    before = graph(source(), ("fc", dense(bias=FINE), ["x"]))
    assert narrow_biases(before) is before


def test_not_where_the_rounding_is_fine() -> None:
    to = FixedType(20, 10, True, Rounding.RND, Overflow.SAT)
    before = fuse_casts(graph(source(), ("fc", dense(bias=FINE), ["x"]), ("q", cast(to), ["fc"])))
    assert narrow_biases(before) is before


def test_not_where_the_bias_is_coarse() -> None:
    bias = FixedArray.exactly(np.array([0.5, 0.25]))
    before = fuse_casts(
        graph(source(), ("fc", dense(bias=bias), ["x"]), ("q", cast(NARROW), ["fc"]))
    )
    assert narrow_biases(before) is before


def test_two_users() -> None:
    before = graph(
        source(),
        ("fc", dense(bias=FINE), ["x"]),
        ("q", cast(NARROW), ["fc"]),
        ("sum", Add(), ["fc", "q"]),
    )
    assert narrow_biases(fuse_casts(before)) is before
