"""Casts become result types."""

from hwflow.ops.add import Add
from hwflow.ops.relu import Relu
from hwflow.passes.graph.fuse_casts import fuse_casts
from tests.passes.graphs import (
    NARROW,
    UNSIGNED,
    assert_same,
    cast,
    dense,
    graph,
    kinds,
    source,
)


def test_fires() -> None:
    before = graph(source(), ("fc", dense(), ["x"]), ("q", cast(NARROW), ["fc"]))
    after = fuse_casts(before)
    assert kinds(after) == ["Input", "Dense"]
    assert after.types["fc"].dtype == NARROW
    assert after.outputs[0].value == "fc"
    assert_same(before, after)


def test_a_second_cast_stays() -> None:
    before = graph(
        source(), ("fc", dense(), ["x"]), ("q", cast(NARROW), ["fc"]), ("r", cast(UNSIGNED), ["q"])
    )
    after = fuse_casts(before)
    assert kinds(after) == ["Input", "Dense", "Cast"]
    assert_same(before, after)


def test_an_input_keeps_its_type() -> None:
    before = graph(source(), ("q", cast(NARROW), ["x"]), ("r", Relu(), ["q"]))
    assert fuse_casts(before) is before


def test_two_users_of_the_exact_value() -> None:
    before = graph(
        source(),
        ("fc", dense(), ["x"]),
        ("q", cast(NARROW), ["fc"]),
        ("sum", Add(), ["fc", "q"]),
    )
    assert fuse_casts(before) is before


def test_the_exact_value_is_an_output() -> None:
    before = graph(
        source(), ("fc", dense(), ["x"]), ("q", cast(NARROW), ["fc"]), outputs=["fc", "q"]
    )
    assert fuse_casts(before) is before
