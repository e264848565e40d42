"""Inputs take the type of the quantiser behind them."""

import numpy as np

from hwflow.ops.add import Add
from hwflow.ops.relu import Relu
from hwflow.passes.lower import DEFAULT_INPUT
from hwflow.passes.settle_inputs import input_warnings, settle_inputs
from hwflow.simulate import simulate
from tests.passes.graphs import NARROW, WIDE, X, cast, dense, graph, kinds, source

ASSUMED = source(dtype=DEFAULT_INPUT, assumed=True)


def test_fires() -> None:
    before = graph(ASSUMED, ("q", cast(NARROW), ["x"]), ("fc", dense(), ["q"]))
    after = settle_inputs(before)
    assert kinds(after) == ["Input", "Dense"]
    assert after.types["x"].dtype == NARROW
    assert list(input_warnings(after)) == []
    raw = np.arange(NARROW.raw_min, NARROW.raw_max + 1).repeat(3).reshape(-1, 3)
    data = {"x": raw * NARROW.step}
    expected = simulate(before, data).outputs["fc"]
    np.testing.assert_array_equal(simulate(after, data).outputs["fc"], expected)


def test_a_value_is_rounded_once() -> None:
    """Rounding to the assumed type first would turn values just below a tie into ties."""
    before = graph(ASSUMED, ("q", cast(NARROW), ["x"]), ("r", Relu(), ["q"]))
    x = np.full((1, 3), 0.375 - 2.0**-20)
    assert simulate(before, {"x": x}).outputs["r"][0, 0] == 0.5
    assert simulate(settle_inputs(before), {"x": x}).outputs["r"][0, 0] == 0.25


def test_two_users_with_the_same_cast() -> None:
    before = graph(
        ASSUMED, ("p", cast(NARROW), ["x"]), ("q", cast(NARROW), ["x"]), ("sum", Add(), ["p", "q"])
    )
    after = settle_inputs(before)
    assert kinds(after) == ["Input", "Add"]
    assert after.by_name["sum"].inputs == ("x", "x")


def test_two_users_with_different_casts() -> None:
    before = graph(
        ASSUMED, ("p", cast(NARROW), ["x"]), ("q", cast(WIDE), ["x"]), ("sum", Add(), ["p", "q"])
    )
    assert settle_inputs(before) is before
    (warning,) = input_warnings(before)
    assert (warning.code, warning.severity) == ("HW230", "warning")
    assert "[input.x]" in warning.help


def test_not_where_the_type_was_given() -> None:
    before = graph(source(dtype=X), ("q", cast(NARROW), ["x"]), ("r", Relu(), ["q"]))
    assert settle_inputs(before) is before


def test_not_where_the_cast_is_an_output() -> None:
    before = graph(ASSUMED, ("q", cast(NARROW), ["x"]))
    assert settle_inputs(before) is before
    before = graph(ASSUMED, ("q", cast(NARROW), ["x"]), ("r", Relu(), ["q"]), outputs=["q", "r"])
    assert settle_inputs(before) is before
