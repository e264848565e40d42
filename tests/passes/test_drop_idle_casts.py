"""Casts that change nothing disappear."""

from hwflow.fixed import FixedType, Overflow
from hwflow.ops.add import Add
from hwflow.ops.relu import Relu
from hwflow.passes.graph.drop_idle_casts import drop_idle_casts
from tests.passes.graphs import NARROW, WIDE, X, assert_same, cast, dense, graph, kinds, source


def test_fires_on_a_wider_type() -> None:
    before = graph(source(), ("q", cast(WIDE), ["x"]), ("r", Relu(), ["q"]))
    after = drop_idle_casts(before)
    assert kinds(after) == ["Input", "Relu"]
    assert_same(before, after)


def test_the_proven_range_counts_and_not_the_type() -> None:
    tight = FixedType(X.width - 1, X.integer - 1, signed=False)
    before = graph(source(), ("r", Relu(), ["x"]), ("q", cast(tight), ["r"]))
    after = drop_idle_casts(before)
    assert kinds(after) == ["Input", "Relu"]
    assert after.outputs[0].value == "r"
    assert_same(before, after)


def test_not_where_one_value_changes() -> None:
    symmetric = FixedType(X.width, X.integer, overflow=Overflow.SAT_SYM)
    for to in (NARROW, symmetric, FixedType(X.width - 1, X.integer)):
        before = graph(source(), ("q", cast(to), ["x"]), ("r", Relu(), ["q"]))
        assert drop_idle_casts(before) is before


def test_two_users() -> None:
    before = graph(source(), ("q", cast(WIDE), ["x"]), ("sum", Add(), ["x", "q"]))
    after = drop_idle_casts(before)
    assert kinds(after) == ["Input", "Add"]
    assert_same(before, after)


def test_an_input_is_never_an_output() -> None:
    before = graph(source(), ("q", cast(WIDE), ["x"]))
    assert drop_idle_casts(before) is before
    both = graph(source(), ("q", cast(WIDE), ["x"]), ("r", cast(WIDE), ["q"]))
    assert_same(both, drop_idle_casts(both))
    assert drop_idle_casts(both).outputs[0].value != "x"


def test_outputs_stay_apart() -> None:
    before = graph(
        source(), ("fc", dense(), ["x"]), ("q", cast(FixedType(30, 20)), ["fc"]),
        outputs=["fc", "q"],
    )  # fmt: skip
    after = drop_idle_casts(before)
    assert len({p.value for p in after.outputs}) == 2
    assert_same(before, after)
