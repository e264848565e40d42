"""Each counter is made to count, and held against a recount from the operator's definition."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Constant, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.clip import Clip
from hwflow.ops.dense import Dense
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.input import Input
from hwflow.ops.mean import Mean
from hwflow.ops.requantize import Requantize
from hwflow.ops.sigmoid import Sigmoid
from hwflow.ops.softmax import Softmax
from hwflow.simulate.coverage.counters import Counters
from hwflow.simulate.numpy import simulate
from tests.fixtures import model
from tests.networks import Builder

WIDE = FixedType(8, 4)
Level = Callable[[Fraction], int]
ROUND: dict[str, Level] = {
    "ROUND": round,
    "FLOOR": floor,
    "CEIL": ceil,
    "HALF_UP": lambda x: floor(x + Fraction(1, 2)) if x >= 0 else ceil(x - Fraction(1, 2)),
    "HALF_DOWN": lambda x: ceil(x - Fraction(1, 2)) if x >= 0 else floor(x + Fraction(1, 2)),
    "DOWN": int,
}
"""QONNX's rounding modes from their definition."""


def every(dtype: FixedType = WIDE) -> npt.NDArray[np.int64]:
    return np.arange(dtype.raw_min, dtype.raw_max + 1)


def counted(op: Op, *raws: npt.NDArray[np.int64], dtype: FixedType = WIDE) -> Counters:
    """Return what an operator did to mantissas, batch first."""
    names = [f"x{i}" for i in range(len(raws))]
    shape = raws[0].shape[1:]
    nodes = [Node(name, Input(shape=shape, dtype=dtype)) for name in names]
    nodes.append(Node("y", op, tuple(names)))
    ports = [Port(name, name, tuple(range(1, 1 + len(shape)))) for name in names]
    graph = Graph.build("one", nodes, ports, [])
    data = {name: raw * dtype.step for name, raw in zip(names, raws, strict=True)}
    return simulate(graph, data).counters["y"]


def sides(found: Counters) -> tuple[int, int]:
    return found.saturated_low, found.saturated_high


def outside(levels: Sequence[int], least: int, greatest: int) -> tuple[int, int]:
    return sum(v < least for v in levels), sum(v > greatest for v in levels)


@pytest.mark.parametrize(("lo", "hi"), [(-1.5, 2.25), (None, 1.0), (-0.75, None), (0.0, 6.0)])
def test_clip_counts_both_sides_but_not_a_relus(lo: float | None, hi: float | None) -> None:
    bounds = [None if b is None else FixedArray.exactly(np.array(b)) for b in (lo, hi)]
    found = counted(Clip(lo=bounds[0], hi=bounds[1]), every()[:, None])
    values = every() * WIDE.step
    below = 0 if lo in (None, 0.0) else int((values < lo).sum())
    above = 0 if hi is None else int((values > hi).sum())
    assert sides(found) == (below, above)
    assert below or above


def test_a_value_that_is_clipped_twice_counts_once() -> None:
    bounds = [FixedArray.exactly(np.array(b)) for b in (-3.0, 3.0)]
    to = FixedType(5, 2, True, Rounding.TRN, Overflow.SAT)  # from -2 to 1.875
    found = counted(Clip(lo=bounds[0], hi=bounds[1], result_t=to), every()[:, None])
    levels = [floor(Fraction(int(n)) / 16 * 8) for n in every()]
    assert sides(found) == outside(levels, -16, 15)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), rounding=st.sampled_from(list(Rounding)), relu=st.booleans())
def test_formats_of_elements_count_saturations_and_wraps(
    data: st.DataObject, rounding: Rounding, relu: bool
) -> None:
    overflow = data.draw(st.sampled_from([Overflow.SAT, Overflow.WRAP, Overflow.SAT_SYM]))
    widths = data.draw(st.lists(st.integers(2, 6), min_size=3, max_size=3))
    integers = data.draw(st.lists(st.integers(-1, 5), min_size=3, max_size=3))
    types = tuple(
        FixedType(w, i, True, rounding, overflow) for w, i in zip(widths, integers, strict=True)
    )
    op = FixedQuant(types=types, rows=np.arange(3), relu=relu)
    raw = np.repeat(every()[:, None], 3, axis=1)
    found = counted(op, raw)
    low = high = 0
    for place, to in enumerate(types):
        wide = FixedType(40, 40 - to.fractional, True, rounding, Overflow.WRAP)
        values = np.maximum(raw[:, place], 0) if relu else raw[:, place]
        levels = FixedArray(values, WIDE).cast(wide).raw.tolist()
        below, above = outside(levels, to.raw_min, to.raw_max)
        low, high = low + below, high + above
    wraps = overflow is Overflow.WRAP
    assert sides(found) == ((0, 0) if wraps else (low, high))
    assert found.wrapped == (low + high if wraps else 0)


def test_a_table_counts_what_is_beyond_its_span() -> None:
    dtype = FixedType(14, 6)
    raw = every(dtype)
    found = counted(Sigmoid(table_size=1024), raw[:, None], dtype=dtype)
    places = [int(Fraction(int(n)) / 256 * 1024 / 16) + 512 for n in raw]  # toward 0
    assert sides(found) == outside(places, 0, 1023)
    assert found.saturated_low > 0 < found.saturated_high


def test_a_softmax_counts_what_is_too_far_below_the_largest() -> None:
    dtype = FixedType(8, 6)
    rng = np.random.default_rng(0)
    raw = rng.integers(-128, 128, (200, 4))
    found = counted(Softmax(), raw, dtype=dtype)
    gaps = (raw.max(axis=1, keepdims=True) - raw) / 4
    assert sides(found) == (int((gaps >= 16).sum()), 0)
    assert found.saturated_low > 0


def test_means_count_what_leaves_their_type() -> None:
    to = FixedType(4, 3, True, Rounding.RND_CONV, Overflow.SAT)  # halves, from -4 to 3.5
    rng = np.random.default_rng(0)
    raws = [rng.integers(-128, 128, (200, 2)) for _ in range(3)]
    total = np.sum(raws, axis=0).ravel()
    levels = [round(Fraction(int(n), 16 * 3) * 2) for n in total]
    found = counted(Mean(result_t=to), *raws)
    assert sides(found) == outside(levels, -8, 7)
    assert found.saturated_low > 0 < found.saturated_high
    window = np.concatenate(raws, axis=1)[:, :3, None]
    levels = [round(Fraction(int(n), 16 * 3) * 2) for n in window.sum(axis=(1, 2))]
    pool = AveragePool(kernel=(3,), strides=(1,), pads=((0, 0),), result_t=to)
    assert sides(counted(pool, window)) == outside(levels, -8, 7)


@settings(max_examples=25, deadline=None)
@given(
    bits=st.integers(2, 5),
    signed=st.booleans(),
    narrow=st.booleans(),
    rounding=st.sampled_from(list(ROUND)),
    activation=st.sampled_from(["", "Relu", "Relu6", "Clip"]),
    scale=st.sampled_from([0.01, 0.037, 0.0625, 0.11]),
)
def test_quantisers_count_what_leaves_their_levels(
    bits: int, signed: bool, narrow: bool, rounding: str, activation: str, scale: float
) -> None:
    """A chain between two quantisers, fused into one function or into a cast, against fractions."""
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 8, 1 / 64, signed=True)
    limits = {"Relu6": (0.0, 0.6), "Clip": (-0.7, 0.8)}.get(activation)
    values = b.node("Relu", [x]) if activation == "Relu" else x
    if limits is not None:
        values = b.node("Clip", [x, b.constant(limits[0]), b.constant(limits[1])])
    y = b.quant(values, bits, scale, signed=signed, narrow=narrow, rounding=rounding)
    if signed and bits == 2 and narrow:
        return  # one of the ranges that have a single sign
    design = hwflow.compile(model(b, y, (1, 1), (1, 1)))
    data = every()[:, None] / 64
    counters = design.simulate(data.astype(np.float32)).counters
    low = high = 0
    least = (-(2 ** (bits - 1)) if signed else 0) + (narrow and signed)
    greatest = (2 ** (bits - 1) - 1 if signed else 2**bits - 1) - (narrow and not signed)
    for n in every():
        value, clipped = Fraction(int(n), 64), 0
        if activation == "Relu":
            value = max(value, Fraction(0))
        elif limits is not None:
            lo, hi = (Fraction(np.float32(limit).item()) for limit in limits)
            clipped = int(value > hi) - int(value < lo and lo != 0)
            value = min(max(value, lo), hi)
        level = ROUND[rounding](value / Fraction(np.float32(scale).item()))
        side = int(level > greatest) - int(level < least) or clipped
        low, high = low + (side < 0), high + (side > 0)
    found = [c for name, c in counters.items() if name != design.graph.inputs[0].value]
    total = [sum(s) for s in zip(*(sides(c) for c in found), strict=True)] or [0, 0]
    if not found:  # the port took the quantiser in
        total = list(sides(counters[design.graph.inputs[0].value]))
    if rounding == "CEIL" and scale == 0.0625 and activation in ("", "Relu"):
        # a cast of the negative number
        total.reverse()
    assert total == [low, high]


def test_a_relus_own_zero_is_not_saturation() -> None:
    for relu in (True, False):
        b = Builder(np.random.default_rng(0))
        x = b.quant("x", 6, 1 / 8, signed=True)
        x = b.node("MatMul", [x, b.weight((4, 4), 4, 1 / 4)])
        x = b.node("Relu", [x]) if relu else x
        design = hwflow.compile(model(b, b.quant(x, 4, 1 / 4, signed=False), (1, 4), (1, 4)))
        data = np.random.default_rng(1).uniform(-4, 4, (50, 4)).astype(np.float32)
        found = design.simulate(data, keep_layers=True)
        (name,) = [n.name for n in design.graph.nodes if n.op.kind == "Dense"]
        weight = design.graph.by_name[name].op.weight.values  # type: ignore[attr-defined]
        real = found.layers[design.graph.inputs[0].value].values @ weight
        levels = [round(Fraction(v) * 4) for v in real.ravel()]
        low, high = outside(levels, 0, 15)
        assert sides(found.counters[name]) == (0 if relu else low, high)
        assert low > 0
        assert ("rectified" in str(design)) == relu


def test_an_accumulator_counts_sums_that_wrap() -> None:
    rng = np.random.default_rng(0)
    weight = FixedArray(rng.integers(-8, 8, (4, 3)), FixedType(4, 1))
    bias = FixedArray(rng.integers(-8, 8, 3), FixedType(4, 1))
    narrow = FixedType(9, 3)  # 6 fractional bits of the 7 that products have
    raw = rng.integers(-128, 128, (300, 4))
    found = counted(Dense(weight=weight, bias=bias, accum_t=narrow), raw)
    exact = [
        [sum(int(r[i]) * int(weight.raw[i, j]) for i in range(4)) + int(bias.raw[j]) * 16
         for j in range(3)]
        for r in raw
    ]  # fmt: skip
    levels = [floor(Fraction(n, 2)) for row in exact for n in row]
    assert found.wrapped == sum(outside(levels, -256, 255))
    assert found.wrapped > 0
    assert sides(found) == (0, 0)
    wide = replace(narrow, width=16, integer=9)
    assert counted(Dense(weight=weight, bias=bias, accum_t=wide), raw).wrapped == 0


def tflite(op_type: str, types: list[FixedType], constants: list[object], **attributes: int) -> Op:
    operands = [TensorType.full((2,), t) for t in types]
    known = [Constant(np.asarray(c, np.float64), quantized=True) for c in constants]
    node = OnnxNode(
        op_type=op_type,
        attributes=attributes,
        inputs=(*operands, *known),
        axes=(1,),
        output_shape=(1, 2),
    )
    (op,) = Requantize.from_onnx(node)
    return op


@pytest.mark.parametrize("least", [-128, 0])
def test_integer_rescaling_of_tflite(least: int) -> None:
    wide = FixedType(12, 12)
    limits = {"zero_point": 0, "minimum": least, "maximum": 100}
    raw = np.repeat(every(wide)[:, None], 2, axis=1)
    op = tflite("Requantize", [wide], [[5, -7], [1518500250, 1227133513], [-3, -2]], **limits)
    levels = []
    for bias, multiplier, shift in ((5, 1518500250, 3), (-7, 1227133513, 2)):
        for n in every(wide).tolist():
            high = ((n + bias) * multiplier + (1 << 30)) >> 31
            half = (abs(high) + (1 << shift >> 1)) >> shift
            levels.append(half if high >= 0 else -half)
    below, above = outside(levels, least, 100)
    assert sides(counted(op, raw, dtype=wide)) == (below if least else 0, above)
    assert below > 0 < above
    op = tflite("Rescale", [wide], [[5.0, -7.0], [0.0884, 0.1429]], **limits)
    levels = []
    for bias, factor in ((5, 0.0884), (-7, 0.1429)):
        for n in every(wide).tolist():
            product = (n + bias) * factor
            levels.append(floor(abs(product) + 0.5) * (1 if product >= 0 else -1))
    below, above = outside(levels, least, 100)
    assert sides(counted(op, raw, dtype=wide)) == (below if least else 0, above)
    assert below > 0 < above
