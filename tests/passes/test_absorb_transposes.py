"""Transposes before a flatten go into dense weights."""

import pytest

from hwflow.ops.add import Add
from hwflow.ops.relu import Relu
from hwflow.ops.reshape import Reshape
from hwflow.ops.transpose import Transpose
from hwflow.passes.graph.absorb_transposes import absorb_transposes
from tests.passes.graphs import (
    UNSIGNED,
    Entry,
    assert_same,
    cast,
    dense,
    graph,
    kinds,
    source,
)

SHAPE = (2, 3, 4)
SOURCE = source(SHAPE)
FLAT: Entry = ("flat", Reshape(shape=(24,)), ["t"])


@pytest.mark.parametrize("perm", [(2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_fires(perm: tuple[int, ...]) -> None:
    before = graph(SOURCE, ("t", Transpose(perm=perm), ["x"]), FLAT, ("fc", dense(24), ["flat"]))
    after = absorb_transposes(before)
    assert kinds(after) == ["Input", "Reshape", "Dense"]
    assert_same(before, after)


def test_fires_through_what_is_elementwise() -> None:
    before = graph(
        SOURCE,
        ("t", Transpose(perm=(2, 0, 1)), ["x"]),
        FLAT,
        ("r", Relu(result_t=UNSIGNED), ["flat"]),
        ("q", cast(UNSIGNED), ["r"]),
        ("fc", dense(24), ["q"]),
    )
    after = absorb_transposes(before)
    assert kinds(after) == ["Input", "Reshape", "Relu", "Cast", "Dense"]
    assert_same(before, after)


def test_values_in_between_no_longer_stand_for_the_models() -> None:
    before = graph(
        SOURCE, ("t", Transpose(perm=(2, 0, 1)), ["x"]), FLAT, ("fc", dense(24), ["flat"])
    )
    assert absorb_transposes(before).by_name["flat"].source is None


@pytest.mark.parametrize("where", ["t", "flat"])
def test_two_users(where: str) -> None:
    other: Entry = ("r", Relu(), [where])
    before = graph(
        SOURCE,
        ("t", Transpose(perm=(2, 0, 1)), ["x"]),
        FLAT,
        other,
        ("fc", dense(24), ["flat"]),
        outputs=["r", "fc"],
    )
    assert absorb_transposes(before) is before


def test_not_without_a_flatten() -> None:
    before = graph(source((3, 3)), ("t", Transpose(perm=(1, 0)), ["x"]), ("fc", dense(3), ["t"]))
    assert absorb_transposes(before) is before


def test_not_through_a_sum() -> None:
    before = graph(
        SOURCE,
        ("t", Transpose(perm=(2, 0, 1)), ["x"]),
        FLAT,
        ("sum", Add(), ["flat", "flat"]),
        ("fc", dense(24), ["sum"]),
    )
    assert absorb_transposes(before) is before
