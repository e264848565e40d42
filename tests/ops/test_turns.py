"""Hardware that is shared: legal factors, what it saves, and the generated project around it."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

import hwflow
from hwflow.codegen.hls.model import generate
from hwflow.core.config import make_config
from hwflow.core.errors import CompileError
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.add import Add
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.lookup import Lookup
from hwflow.ops.mul import Mul
from hwflow.ops.requantization.cost import LUT_PER_DSP
from hwflow.ops.requantize import Requantize
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.shared.turns import _InTurns
from hwflow.ops.softmax import Softmax
from hwflow.passes.graph.apply_settings import apply_settings
from hwflow.passes.graph.legalize import legalize
from tests.ops.cases import mismatches, shared_cases
from tests.passes.graphs import dense, graph, source

PARALLEL, STREAM = Target(io_type="io_parallel"), Target(io_type="io_stream")
WIDE = FixedType(14, 6)


def image(channels: int = 16, dtype: FixedType = WIDE) -> TensorType:
    return TensorType.full((4, 4, channels), dtype)


def batch_norm(channels: int = 16) -> ScaleBias:
    rng = np.random.default_rng(0)
    scale = FixedArray(rng.integers(-3000, 3000, channels), FixedType(14, 2))
    return ScaleBias(scale=scale, bias=FixedArray(rng.integers(-99, 99, channels), FixedType(8, 4)))


LARGE: list[tuple[Op, tuple[TensorType, ...]]] = [
    (Lookup(function="Exp", table_t=FixedType(18, 8)), (image(dtype=FixedType(10, 3)),)),
    (Mul(), (image(), image())),
    (batch_norm(), (image(),)),
    (AveragePool(kernel=(3, 3), strides=(1, 1), pads=((0, 0),) * 2, result_t=WIDE), (image(),)),
]


def test_legal_factors_divide_the_values() -> None:
    """All of them in io_parallel, the channels of a pixel in streams."""
    x = image(channels=6)
    for number in range(1, 97):
        taken = replace(Add(), reuse_factor=number)
        assert (number in Add().reuse_factors(PARALLEL, x, x)) == (96 % number == 0)
        assert (number in Add().reuse_factors(STREAM, x, x)) == (6 % number == 0)
        assert (not list(taken.check(PARALLEL, x, x))) == (96 % number == 0)
        assert (not list(taken.check(STREAM, x, x))) == (6 % number == 0)


def test_a_parallel_softmax_shares_nothing() -> None:
    x = TensorType.full((10,), FixedType(8, 3))
    assert Softmax().reuse_factors(PARALLEL, x) == (1,)
    assert Softmax().reuse_factors(STREAM, x) == [1, 2, 5, 10]
    (finding,) = Softmax(reuse_factor=2).check(PARALLEL, x)
    assert (finding.code, finding.supported) == ("HW104", "1")


@pytest.mark.parametrize("target", [PARALLEL, STREAM], ids=lambda t: t.io_type)
@pytest.mark.parametrize(("op", "inputs"), LARGE, ids=lambda v: getattr(v, "kind", ""))
def test_large_operators_shrink_and_take_longer(
    op: Op, inputs: tuple[TensorType, ...], target: Target
) -> None:
    costs = [
        replace(op, reuse_factor=n).cost(target, *inputs)  # type: ignore[call-arg]
        for n in (1, 4, 16)
    ]
    positions = op.infer(*inputs).size // op.infer(*inputs).channels if target.streams else 1
    for name in ("dsp", "bram_18k"):
        one, four, sixteen = (getattr(cost, name).value for cost in costs)
        assert sixteen <= one / 8
        assert four <= one / 3
    figures = [c.lut.value + LUT_PER_DSP * c.dsp.value for c in costs]
    assert figures[2] < figures[1] < figures[0]
    assert costs[2].latency_cycles.value >= positions * 16
    assert costs[2].ii.value == 16 * costs[0].ii.value


@pytest.mark.parametrize("target", [PARALLEL, STREAM], ids=lambda t: t.io_type)
def test_a_plan_is_chosen_anew_for_other_turns(target: Target) -> None:
    """So that a design that is tried with a factor costs what it costs when compiled with it."""
    for example in Requantize.examples():
        values = max(example.op.reuse_factors(target, *example.inputs))
        op = cast(Requantize, example.op)
        fresh = replace(op, reuse_factor=values)
        planned = replace(op, plan=op.chosen(target, *example.inputs), reuse_factor=values)
        costs = [o.cost(target, *example.inputs) for o in (fresh, planned)]
        assert costs[0] == costs[1]
        chosen = planned.chosen(target, *example.inputs)
        assert chosen is not None
        assert chosen.turns == values
        assert (
            replace(op, plan=chosen, reuse_factor=values).chosen(target, *example.inputs) is chosen
        )


def test_every_operator_with_turns_has_an_example() -> None:
    known = {kind for kind, cls in Op.registry.items() if issubclass(cls, _InTurns)}
    found = {case.op.kind for target in (PARALLEL, STREAM) for case in shared_cases(target)}
    assert found == known


def layers() -> Graph:
    table = Lookup(function="Exp", table_t=FixedType(9, 4), result_t=FixedType(8, 3))
    return graph(
        source((8,), FixedType(6, 2)), ("fc1", dense(8, 6), ["x"]), ("t", table, ["x"]),
    )  # fmt: skip


def test_the_target_s_factor_is_for_weights_and_a_layer_s_for_the_layer() -> None:
    settings = {"target": {"reuse_factor": 4}, "layer": {"t": {"reuse_factor": "<=5"}}}
    after, findings = apply_settings(layers(), make_config(settings), PARALLEL)
    assert not findings
    factors = {n.name: getattr(n.op, "reuse_factor", None) for n in after.nodes}
    assert factors == {"x": None, "fc1": 4, "t": 4}


def test_an_illegal_factor_of_a_layer_is_refused_with_the_nearest() -> None:
    config = make_config({"layer": {"t": {"reuse_factor": 3}}})
    after, _ = apply_settings(layers(), config, PARALLEL)
    with pytest.raises(CompileError) as refused:
        legalize(after, PARALLEL, config)
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.supported) == ("HW104", "1, 2, 4, 8")
    assert "set reuse_factor = 2," in finding.help
    taken, _ = apply_settings(
        layers(), make_config({"layer": {"t": {"reuse_factor": 2}}}), PARALLEL
    )
    assert legalize(taken, PARALLEL, config)


def test_an_illegal_factor_of_a_requantiser_is_refused_before_it_is_priced() -> None:
    path = Path(__file__).parents[2] / "examples" / "digits_residual.onnx"
    with pytest.raises(CompileError) as refused:
        hwflow.compile(path, io_type="io_stream", config={"layer": {"relu1": {"reuse_factor": 3}}})
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.supported) == ("HW104", "1, 2, 4, 8")
    found = hwflow.compile(
        path, io_type="io_stream", config={"layer": {"relu1": {"reuse_factor": 4}}}
    )
    assert found.estimate().total.ii.value >= 64 * 4, "a turn for each pixel of 8 x 8"


def test_the_top_function_is_a_dataflow_region_only_with_turns() -> None:
    """A pipeline around them would unroll their loops."""
    config = make_config({"layer": {"t": {"reuse_factor": 2}}})
    shared, _ = apply_settings(layers(), config, PARALLEL)
    for taken, pragma in ((layers(), b"#pragma HLS PIPELINE"), (shared, b"#pragma HLS DATAFLOW")):
        project = generate(taken, PARALLEL)
        assert pragma in project.files[f"firmware/{taken.name}.cpp"]
        headers = [path for path in project.files if "hwflow_turns" in path]
        assert bool(headers) == (taken is shared)


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("target", [PARALLEL, STREAM], ids=lambda t: t.io_type)
def test_every_factor_gives_the_same_bits(target: Target) -> None:
    for case in shared_cases(target):
        if case.op.kind in ("Requantize", "MaxPool", "AveragePool", "ScaleBias", "Mul"):
            legal = case.op.reuse_factors(target, *case.inputs)
            every = [replace(case, op=replace(case.op, reuse_factor=n)) for n in legal[-4:]]  # type: ignore[call-arg]
            assert mismatches(every, target) == []
