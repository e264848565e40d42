"""What ports count: real numbers beyond their ends, decided as exact arithmetic decides."""

from fractions import Fraction
from math import nextafter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.input import Input
from hwflow.simulate.coverage.ports import port_limits
from hwflow.simulate.numpy import simulate
from tests.fixtures import model
from tests.networks import Builder
from tests.simulate.coverage.test_counters import ROUND
from tests.simulate.test_simulate import exactly_rounded


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 12),
    integer=st.integers(-3, 12),
    signed=st.booleans(),
    rounding=st.sampled_from(list(Rounding)),
    overflow=st.sampled_from([Overflow.SAT, Overflow.WRAP]),
)
def test_ends_of_a_type_are_the_last_doubles_that_it_keeps(
    width: int, integer: int, signed: bool, rounding: Rounding, overflow: Overflow
) -> None:
    to = FixedType(width, integer, signed, rounding, overflow)
    port = Port("x", "x", (1,))
    graph = Graph.build("port", [Node("x", Input(shape=(1,), dtype=to))], [port], [port])
    limits = port_limits(graph)["x"]
    least, greatest = limits.least.item(), limits.greatest.item()

    def kept(x: float) -> bool:
        level = exactly_rounded(Fraction(x) / Fraction(to.step), rounding)
        return to.raw_min <= level <= to.raw_max

    ends = [least, greatest, nextafter(least, -np.inf), nextafter(greatest, np.inf)]
    assert [kept(x) for x in ends] == [True, True, False, False]
    counted = simulate(graph, {"x": np.array(ends)[:, None]})
    assert (counted.ports["x"].low, counted.ports["x"].high) == (1, 1)
    found, wraps = counted.counters["x"], overflow is Overflow.WRAP
    assert (found.saturated_low, found.saturated_high) == ((0, 0) if wraps else (1, 1))
    assert found.wrapped == (2 if wraps else 0)


@settings(max_examples=25, deadline=None)
@given(
    scales=st.lists(st.floats(2.0**-10, 3, width=32), min_size=3, max_size=3),
    bits=st.integers(2, 8),
    signed=st.booleans(),
    rounding=st.sampled_from(list(ROUND)),
    seed=st.integers(0, 100),
)
def test_a_quantiser_on_the_host_counts_what_it_clamps(
    scales: list[float], bits: int, signed: bool, rounding: str, seed: int
) -> None:
    b = Builder(np.random.default_rng(seed))
    assume(any(np.frexp(np.float32(scales))[0] != 0.5))  # or the port's type does it
    scale = np.float32(scales).reshape(1, 3, 1)
    x = b.quant("x", bits, scale, signed=signed, rounding=rounding)
    x = b.quant(b.node("Relu", [x]), 8, 0.5, signed=False)
    design = hwflow.compile(model(b, x, (1, 3, 2), (1, 3, 2)))
    least, greatest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    steps = np.random.default_rng(seed).integers(2 * least - 5, 2 * greatest + 5, (40, 3, 2))
    data = steps * 0.5 * scale.astype(np.float64)  # on and next to ties
    data[::3] = np.nextafter(data[::3], np.inf)
    found = design.simulate(data)
    low = high = 0
    for value, step in zip(data.ravel(), np.broadcast_to(scale, data.shape).ravel(), strict=True):
        level = ROUND[rounding](Fraction(float(value)) / Fraction(float(step)))
        low, high = low + (level < least), high + (level > greatest)
    (counts,) = found.ports.values()
    assert (counts.low, counts.high) == (low, high)
    assert counts.observed == (data.min(), data.max())
    port = found.counters[design.graph.inputs[0].value]
    assert (port.saturated_low, port.saturated_high) == (low, high)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int16])
def test_ports_count_data_of_any_type(dtype: type) -> None:
    to = FixedType(8, 8, False, Rounding.RND, Overflow.SAT)
    port = Port("x", "x", (1,))
    graph = Graph.build("port", [Node("x", Input(shape=(1,), dtype=to))], [port], [port])
    data = np.array([[0], [255], [7]], dtype)
    assert simulate(graph, {"x": data}).ports["x"].outside == 0
    if dtype is not np.uint8:
        assert simulate(graph, {"x": data * np.array(2, dtype)}).ports["x"].high == 1
