"""The simulator's counters against counting by hand with exact fractions, and its batches."""

from fractions import Fraction
from math import ceil, floor, trunc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.core.errors import CompileError
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.cast import Cast
from hwflow.ops.input import Input
from hwflow.simulate.numpy import simulate
from tests.fixtures import model
from tests.networks import Builder


def cast_graph(wide: FixedType, narrow: FixedType) -> Graph:
    nodes = [Node("x", Input(shape=(1,), dtype=wide)), Node("y", Cast(result_t=narrow), ("x",))]
    return Graph.build("casts", nodes, [Port("x", "x", (1,))], [Port("y", "y", (1,))])


def exactly_rounded(value: Fraction, rounding: Rounding) -> int:
    """Return a number rounded as UG1399 says, from its definition."""
    half = Fraction(1, 2)
    match rounding:
        case Rounding.TRN:
            return floor(value)
        case Rounding.TRN_ZERO:
            return trunc(value)
        case Rounding.RND:
            return floor(value + half)
        case Rounding.RND_MIN_INF:
            return ceil(value - half)
        case Rounding.RND_CONV:
            return round(value)
        case Rounding.RND_INF:
            return floor(value + half) if value >= 0 else ceil(value - half)
        case Rounding.RND_ZERO:
            return ceil(value - half) if value >= 0 else floor(value + half)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(2, 6),
    integer=st.integers(-1, 5),
    signed=st.booleans(),
    rounding=st.sampled_from(list(Rounding)),
    overflow=st.sampled_from([Overflow.SAT, Overflow.WRAP]),
)
def test_counters_count_what_the_cast_does(
    width: int, integer: int, signed: bool, rounding: Rounding, overflow: Overflow
) -> None:
    wide, narrow = FixedType(8, 4), FixedType(width, integer, signed, rounding, overflow)
    raw = np.arange(-128, 128)
    found = simulate(cast_graph(wide, narrow), {"x": raw[:, None] * wide.step}).counters["y"]
    step = Fraction(narrow.step)
    low = high = ties = 0
    for mantissa in raw.tolist():
        scaled = Fraction(mantissa) * Fraction(wide.step) / step
        level = exactly_rounded(scaled, rounding)
        low, high = low + (level < narrow.raw_min), high + (level > narrow.raw_max)
        inside = narrow.raw_min - 1 < scaled < narrow.raw_max + 1
        rest = scaled - floor(scaled)
        if rounding in (Rounding.TRN, Rounding.TRN_ZERO):
            near = rest != 0 and min(rest, 1 - rest) < Fraction(1, 64)
        else:
            near = abs(rest - Fraction(1, 2)) < Fraction(1, 64)
        ties += inside and near
    assert found.elements == 256
    wraps = overflow is Overflow.WRAP
    assert (found.saturated_low, found.saturated_high) == ((0, 0) if wraps else (low, high))
    assert found.wrapped == (low + high if wraps else 0)
    if narrow.fractional < wide.fractional:
        assert found.near_ties == ties


def test_batches_of_any_size_give_the_same() -> None:
    design = hwflow.compile("examples/digits_mlp.onnx")
    with np.load("examples/digits.npz") as data:
        x = data["x"][:1030]
    whole = simulate(design.graph, {"x": x})
    parts = [simulate(design.graph, {"x": x[i : i + 103]}) for i in range(0, 1030, 103)]
    assert np.array_equal(
        whole.outputs["logits"], np.concatenate([p.outputs["logits"] for p in parts])
    )
    assert whole.counters["fc1"].saturated == sum(p.counters["fc1"].saturated for p in parts)


def test_every_intermediate_value_is_there_on_demand() -> None:
    design = hwflow.compile("examples/digits_cnn.onnx")
    found = design.simulate("examples/digits.npz", keep_layers=True)
    assert set(found.layers) == {n.name for n in design.graph.nodes}
    for name, value in found.layers.items():
        assert value.shape == (1797, *design.graph.types[name].shape)
        low, high = design.graph.types[name].bounds
        assert low <= value.raw.min() <= value.raw.max() <= high


def test_a_sum_past_62_bits_is_refused_when_compiling() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 30, 2.0**-20, signed=True)
    for _ in range(3):
        x = b.node("MatMul", [x, b.weight((4, 4), 16, 2.0**-10)])
    with pytest.raises(CompileError) as refusal:
        hwflow.compile(model(b, x, (1, 4), (1, 4)))
    assert {d.code for d in refusal.value.diagnostics} == {"HW301"}
    assert "quantise the activation" in str(refusal.value)
