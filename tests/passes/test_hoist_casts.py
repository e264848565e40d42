"""Casts move to where values arise."""

import pytest

from hwflow.ir.op import Op
from hwflow.ops.relu import Relu
from hwflow.ops.reshape import Reshape
from hwflow.ops.slice import Slice
from hwflow.ops.transpose import Transpose
from hwflow.passes.graph.hoist_casts import hoist_casts
from tests.passes.graphs import NARROW, WIDE, assert_same, dense, graph, source

MOVES: list[Op] = [
    Reshape(shape=(6,), result_t=NARROW),
    Transpose(perm=(1, 0), result_t=NARROW),
    Slice(picks=((0, 2, 1), (0, 1, 1)), result_t=NARROW),
]


@pytest.mark.parametrize("move", MOVES, ids=lambda op: op.kind)
def test_fires(move: Op) -> None:
    before = graph(source((3, 3)), ("fc", dense(), ["x"]), ("m", move, ["fc"]))
    after = hoist_casts(before)
    assert after.types["fc"].dtype == after.types["m"].dtype == NARROW
    assert after.by_name["m"].op.result_t is None
    assert after.by_name["fc"].source is None
    assert_same(before, after)


def test_fires_through_several_moves() -> None:
    layers = [
        ("a", Transpose(perm=(1, 0)), ["fc"]),
        ("b", Reshape(shape=(6,), result_t=NARROW), ["a"]),
    ]
    before = graph(source((3, 3)), ("fc", dense(), ["x"]), *layers)
    after = hoist_casts(before)
    assert after.types["fc"].dtype == NARROW
    assert_same(before, after)


def test_not_onto_an_input_or_a_cast() -> None:
    onto_input = graph(source((3, 3)), ("m", Transpose(perm=(1, 0), result_t=NARROW), ["x"]))
    assert hoist_casts(onto_input) is onto_input
    onto_cast = graph(
        source((3, 3)),
        ("r", Relu(result_t=WIDE), ["x"]),
        ("m", Transpose(perm=(1, 0), result_t=NARROW), ["r"]),
    )
    assert hoist_casts(onto_cast) is onto_cast


@pytest.mark.parametrize("outputs", [["r", "m"], ["fc", "m"]])
def test_two_users(outputs: list[str]) -> None:
    before = graph(
        source((3, 3)),
        ("fc", dense(), ["x"]),
        ("m", Reshape(shape=(6,), result_t=NARROW), ["fc"]),
        ("r", Relu(), ["fc"]),
        outputs=outputs,
    )
    assert hoist_casts(before) is before
