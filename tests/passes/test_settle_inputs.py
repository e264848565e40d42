"""Inputs take the type of the quantiser behind them."""

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.fixed import FixedType
from hwflow.ops.add import Add
from hwflow.ops.relu import Relu
from hwflow.passes.graph.settle_inputs import settle_inputs, types_from_data, with_types
from hwflow.passes.lowering.port_types import STAND_IN, no_data
from hwflow.simulate.numpy import simulate
from tests.passes.graphs import NARROW, WIDE, X, cast, dense, graph, kinds, source

FINE = FixedType(12, 5)
ASSUMED = source(dtype=STAND_IN, assumed=True)


def test_fires() -> None:
    before = graph(ASSUMED, ("q", cast(NARROW), ["x"]), ("fc", dense(), ["q"]))
    after = settle_inputs(before)
    assert kinds(after) == ["Input", "Dense"]
    assert after.types["x"].dtype == NARROW
    assert types_from_data(after, no_data, "m.onnx") == {}
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
    with pytest.raises(CompileError) as refusal:
        types_from_data(before, no_data, "m.onnx")
    (finding,) = refusal.value.diagnostics
    assert (finding.code, finding.where) == ("HW230", "input 'x', in m.onnx")
    taken = types_from_data(before, lambda: {"x": FINE, "other": X}, "m.onnx")
    assert taken == {"x": FINE}
    after = with_types(before, taken)
    assert after.types["x"].dtype == FINE
    assert types_from_data(after, no_data, "m.onnx") == {}


def test_not_where_the_type_was_given() -> None:
    before = graph(source(dtype=X), ("q", cast(NARROW), ["x"]), ("r", Relu(), ["q"]))
    assert settle_inputs(before) is before


def test_a_cast_that_is_an_output_stays_behind_a_port_of_its_type() -> None:
    for outputs in (["q"], ["q", "r"]):
        before = graph(ASSUMED, ("q", cast(NARROW), ["x"]), ("r", Relu(), ["q"]), outputs=outputs)
        after = settle_inputs(before)
        assert after.types["x"].dtype == after.types["q"].dtype == NARROW
        data = {"x": np.arange(-300, 300).reshape(200, 3) / 128}
        expected = simulate(before, data).outputs["q"]
        np.testing.assert_array_equal(simulate(after, data).outputs["q"], expected)
