"""Added constants become biases."""

import numpy as np

from hwflow.fixed import FixedArray
from hwflow.ops.add import Add
from hwflow.ops.dense import Dense
from hwflow.ops.scale_bias import ScaleBias
from hwflow.passes.graph.fuse_bias import fuse_bias
from tests.passes.graphs import (
    NARROW,
    assert_same,
    cast,
    dense,
    graph,
    kinds,
    offset,
    source,
)


def test_fires() -> None:
    bias = FixedArray.exactly(np.array([0.25, -1.5]))
    before = graph(source(), ("fc", dense(bias=bias), ["x"]), ("add", offset(0.5, 3.125), ["fc"]))
    after = fuse_bias(before)
    assert kinds(after) == ["Input", "Dense"]
    op = after.by_name["fc"].op
    assert isinstance(op, Dense)
    np.testing.assert_array_equal(op.bias.values, [0.75, 1.625])
    assert_same(before, after)


def test_a_cast_of_the_sum_is_kept() -> None:
    before = graph(
        source(),
        ("fc", dense(), ["x"]),
        ("add", offset(0.5, 1.0), ["fc"]),
        ("q", cast(NARROW), ["add"]),
    )
    after = fuse_bias(before)
    assert kinds(after) == ["Input", "Dense", "Cast"]
    assert_same(before, after)


def test_not_behind_a_cast() -> None:
    before = graph(
        source(),
        ("fc", dense(), ["x"]),
        ("q", cast(NARROW), ["fc"]),
        ("add", offset(0.5, 0.25), ["q"]),
    )
    assert fuse_bias(before) is before


def test_not_a_scaling() -> None:
    before = graph(source(), ("fc", dense(), ["x"]), ("add", offset(0.5, 0.25, scale=0.5), ["fc"]))
    assert fuse_bias(before) is before


def test_not_a_constant_per_element() -> None:
    rows = ScaleBias(
        scale=FixedArray.exactly(np.array(1.0)), bias=FixedArray.exactly(np.ones((2, 2)))
    )
    before = graph(source((2, 3)), ("fc", dense(), ["x"]), ("add", rows, ["fc"]))
    assert fuse_bias(before) is before


def test_two_users() -> None:
    before = graph(
        source(),
        ("fc", dense(), ["x"]),
        ("add", offset(0.5, 0.25), ["fc"]),
        ("sum", Add(), ["fc", "add"]),
    )
    assert fuse_bias(before) is before
