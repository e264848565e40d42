"""Models with scales of any kind against exact arithmetic, and their C++ against the simulation."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.requantize import Requantize
from hwflow.project.design import Design
from hwflow.simulate.samples import mixed_data
from tests.cppsim import compare_with_cpp, merged
from tests.networks import Builder
from tests.passes.scaled import (
    EXACT,
    IMAGE,
    PER_CHANNEL,
    Body,
    Case,
    behind,
    dense,
    line,
    moves,
    op,
    quant,
    summed,
)

SAMPLES = 300


@pytest.mark.parametrize("name", EXACT)
def test_every_value_is_the_exact_one(name: str) -> None:
    design = hwflow.compile(EXACT[name].model())
    found = design.verify(mixed_data(design.graph, SAMPLES), cpp=False).lossless
    assert found is not None
    assert found.float32_only == ""
    assert found.holds, found.first
    assert not any(node.op.approximate and not getattr(node.op, "total", False)
                   for node in design.graph.nodes)  # fmt: skip


PARTS = 4
"""Builds that the models are spread over: a build costs seconds whatever is in it."""


def agree(backend: str, io_type: str, part: int) -> None:
    designs = {
        f"c{i}": hwflow.compile(case.model(), backend=backend, io_type=io_type)
        for i, case in enumerate(EXACT.values())
        if i % PARTS == part
    }
    graph = merged({key: d.graph for key, d in designs.items()})
    target = next(iter(designs.values())).target
    found = compare_with_cpp(graph, target, mixed_data(graph, 100).inputs)
    names = list(EXACT)
    differ = [(names[int(m.name[1:].split("_")[0])], m) for m in found.layers if m.mismatches]
    assert differ == []


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("backend", "io_type", "part"),
    [("Vitis", "io_parallel", 0), pytest.param("Vivado", "io_stream", 1, marks=pytest.mark.slow)],
)
def test_their_cpp_computes_the_same_bits(backend: str, io_type: str, part: int) -> None:
    agree(backend, io_type, part)


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("backend", "io_type"), [("Vitis", "io_stream"), ("Vivado", "io_parallel")]
)
def test_their_cpp_computes_the_same_bits_on_every_target(
    backend: str, io_type: str, part: int
) -> None:
    agree(backend, io_type, part)


def compiled(body: Body, shape: tuple[int, ...] = (4,)) -> Design:
    return hwflow.compile(Case(body, shape).model())


def one(design: Design, kind: type[Any]) -> Any:
    (found,) = (n.op for n in design.graph.nodes if isinstance(n.op, kind))
    return found


def test_weights_are_the_models_integers_and_the_scales_stay_beside_them() -> None:
    scales = np.float32([0.1, 0.4, 0.3])
    design = compiled(behind(dense(scales[None]), end=False))
    levels = np.random.default_rng(0).integers(-7, 8, (4, 3))
    found = one(design, Dense).weight
    assert found.dtype.fractional == 0
    (port,) = design.graph.outputs
    divisors = np.gcd.reduce(levels, axis=0)
    np.testing.assert_array_equal(found.raw, levels // divisors)
    own = Fraction(float(np.float32(0.3)))
    assert port.grid.scale.tolist() == [
        own * Fraction(float(s)) * int(d) for s, d in zip(scales, divisors, strict=True)
    ]


def test_a_bias_that_is_whole_on_the_scale_of_the_sum_is_added_there() -> None:
    whole = compiled(behind(dense(1.0, np.float32(0.3) * np.float32([1, -2, 4])), end=False))
    any_bias = compiled(behind(dense(0.25, [0.1, 0.2, 0.3]), end=False))
    for design, bias in ((whole, True), (any_bias, False)):
        assert bool(one(design, Dense).bias.raw.any()) is bias
        assert bool(np.any(design.graph.outputs[0].grid.offset)) is not bias


def test_the_host_quantises_at_the_port() -> None:
    def body(b: Builder) -> str:
        return b.node("Relu", [quant(b, "x", 0.3, 4, zero=3.0, mode="UP")])

    port = one(compiled(body), Input)
    assert (port.quantizer.rounding, port.quantizer.raw_min) == ("UP", -8)
    assert port.exact().bounds == (-11, 4)


def test_a_chain_is_one_requantize() -> None:
    design = compiled(behind(line([0.3, 0.7, 0.2, 0.1], 0.3), op("Tanh"), line(0.7, 0.1)))
    assert [n.op.kind for n in design.graph.nodes] == ["Input", "Requantize"]
    assert one(design, Requantize).function.rows == 4


def table_of(levels: list[int], scale: float, bits: int) -> list[int]:
    """Return QONNX's levels of scaled integers, rounded half to even, by fractions."""
    top = 2 ** (bits - 1)
    exact = [Fraction(n) * Fraction(float(np.float32(0.3))) / Fraction(scale) for n in levels]
    return [round(min(max(v, Fraction(-top)), Fraction(top - 1))) for v in exact]


def test_the_function_is_the_quantisers_own() -> None:
    scale = float(np.float32(0.17))
    function = one(compiled(lambda b: quant(b, quant(b, "x", 0.3), 0.17, 4)), Requantize).function
    raw = list(range(-16, 16))
    assert function(np.array(raw)[:, None]).ravel().tolist() == table_of(raw, scale, 4)


def wide_silu(b: Builder) -> str:
    x = quant(b, "x", 0.001, 30)
    return quant(b, b.node("Mul", [x, b.node("Sigmoid", [x])]), 0.2)


REFUSED: dict[str, tuple[Case, str, str]] = {
    "scales per channel into a dense layer": (
        Case(behind(dense(), scale=[[0.3, 0.1, 0.2, 0.4]])), "HW213", "put a quantiser"),
    "activation of a sum with a bias, not quantised": (
        Case(behind(dense(0.2, [0.1, 0.2, 0.3]), op("Relu"), end=False)), "HW213", "quantiser"),
    "padding with another value": (
        Case(lambda b: b.node("Pad", [quant(b, "x", 0.3), b.constant([0, 1, 0, 1], np.int64),
                                      b.constant(0.5)])), "HW213", "multiple of the scale"),
    "greatest over channels with own scales": (
        Case(behind(moves("ReduceMax", [1]), scale=PER_CHANNEL), IMAGE), "HW213", "quantiser"),
    "mean over channels with own scales": (
        Case(behind(moves("ReduceMean", [1]), scale=PER_CHANNEL), IMAGE), "HW213", "quantiser"),
    "labels of values with own scales for each element": (
        Case(behind(line(np.linspace(0.1, 0.9, 32).reshape(1, 2, 4, 4), 0.0),
                    op("ArgMax", axis=1), end=False), IMAGE), "HW213", "quantiser"),
    "a table of a wide non-monotone function": (Case(wide_silu), "HW226", "quantise"),
    "reciprocal of zero": (
        Case(behind(op("Abs"), lambda b, x: b.node("Div", [b.constant(1.3), x]))),
        "HW221", "keep the input within"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exact_is_refused(name: str) -> None:
    case, code, said = REFUSED[name]
    with pytest.raises(CompileError) as caught:
        hwflow.compile(case.model())
    (finding,) = caught.value.diagnostics
    assert finding.code == code
    assert said in finding.help
    assert finding.where.endswith("in scaled")


def test_sums_on_a_step_are_refused_or_exact() -> None:
    """Scales without a common unit whose sums lie on the steps themselves."""
    design = compiled(summed(0.31, np.float32(0.31) / np.float32(3)))
    found = design.verify(mixed_data(design.graph, SAMPLES), cpp=False).lossless
    assert found is not None
    assert found.holds
