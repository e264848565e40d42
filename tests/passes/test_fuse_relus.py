"""Relus whose type cuts negatives off disappear into the layer before."""

import pytest

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ops.add import Add
from hwflow.ops.relu import Relu
from hwflow.passes.graph.fuse_relus import fuse_relus
from tests.passes.graphs import NARROW, UNSIGNED, assert_same, cast, dense, graph, kinds, source


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
def test_fires_for_every_rounding(rounding: Rounding, overflow: Overflow) -> None:
    to = FixedType(4, 2, False, rounding, overflow)
    before = graph(source(), ("fc", dense(), ["x"]), ("r", Relu(result_t=to), ["fc"]))
    after = fuse_relus(before)
    assert kinds(after) == ["Input", "Dense"]
    assert_same(before, after, 2000)


@pytest.mark.parametrize(
    "to",
    [None, NARROW, FixedType(4, 2, False), FixedType(4, 2, False, Rounding.RND, Overflow.SAT_ZERO)],
)
def test_not_where_negatives_would_survive(to: FixedType | None) -> None:
    before = graph(source(), ("fc", dense(), ["x"]), ("r", Relu(result_t=to), ["fc"]))
    assert fuse_relus(before) is before


def test_not_behind_a_cast_or_an_input() -> None:
    behind_cast = graph(source(), ("q", cast(NARROW), ["x"]), ("r", Relu(result_t=UNSIGNED), ["q"]))
    assert fuse_relus(behind_cast) is behind_cast
    behind_input = graph(source(), ("r", Relu(result_t=UNSIGNED), ["x"]))
    assert fuse_relus(behind_input) is behind_input


def test_two_users() -> None:
    before = graph(
        source(),
        ("fc", dense(), ["x"]),
        ("r", Relu(result_t=UNSIGNED), ["fc"]),
        ("sum", Add(), ["fc", "r"]),
    )
    assert fuse_relus(before) is before
