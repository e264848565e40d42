"""What figures rest on: each basis appears where it should, and intervals follow it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.core.board import load_board
from hwflow.estimate.device import family_of
from hwflow.estimate.evidence import beyond
from hwflow.estimate.graph import board_utilisation, estimate
from hwflow.estimate.report import EstimateReport
from hwflow.estimate.total import resting_on, slowest
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op, Target
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.leaky_relu import LeakyRelu

TARGET = Target("Vitis", "io_parallel", "xczu7ev-ffvc1156-2-e", 5.0)
T = FixedType(16, 6)
RULE, FITTED, EXTRAPOLATED = Basis


def dense(n_in: int, n_out: int, width: int = 16, **settings: object) -> Dense:
    weight_t = FixedType(width, 2)
    weight = FixedArray(np.full((n_in, n_out), 43 % 2 ** (width - 1)), weight_t)
    bias = FixedArray(np.zeros(n_out, np.int64), T)
    return Dense(weight=weight, bias=bias, result_t=T, **settings)  # type: ignore[arg-type]


def report(op: Op, target: Target = TARGET, n_in: int = 8, bits: int = 16) -> EstimateReport:
    nodes = [Node("x", Input(shape=(n_in,), dtype=FixedType(bits, 6))), Node("y", op, ("x",))]
    graph = Graph.build("net", nodes, [Port("x", "x", (1,))], [Port("y", "y", (1,))])
    return estimate(graph, target)


def bases(total: Cost, *figures: str) -> set[Basis]:
    return {getattr(total, figure).basis for figure in figures}


LEARNED = ("lut", "ff", "lut_synth", "ff_synth", "latency_cycles")


def test_what_the_tool_documents_is_a_rule_and_exact() -> None:
    total = report(dense(8, 4, strategy="resource", reuse_factor=4)).total
    # PIPELINE II=RF, and n / RF multipliers of 16 x 16 bits, each a DSP48E2
    assert total.ii == Estimate(4, 4, 4, RULE)
    assert total.dsp == Estimate(8, 8, 8, RULE)
    assert bases(total, *LEARNED) == {FITTED}
    unrolled = report(dense(8, 4)).total
    assert unrolled.ii == Estimate(1, 1, 1, RULE)
    assert unrolled.bram_18k == Estimate(0, 0, 0, RULE)
    assert unrolled.dsp.basis is FITTED  # which constants take a block was read from reports
    narrow = report(dense(8, 4, width=5), bits=4).total
    assert narrow.dsp == Estimate(0, 0, narrow.dsp.high, FITTED)  # and which take none


def test_what_reports_contradict_is_no_rule() -> None:
    narrow = report(dense(8, 4, width=6, strategy="resource", reuse_factor=4)).total
    assert narrow.dsp.basis is FITTED  # 16 x 6 bits take one block less in 36 of 39 reports
    whole = report(dense(8, 4, strategy="resource")).total
    assert whole.ii.basis is FITTED  # 2 in 30 of 35 reports
    assert (whole.ii.low, whole.ii.high) == (1, pytest.approx(2, abs=1))


@pytest.mark.parametrize(
    ("target", "doubtful", "sure"),
    [
        (replace(TARGET, part="xcvc1902-vsva2197-2MP-e-S"), (*LEARNED, "dsp"), ("ii", "bram_18k")),
        (replace(TARGET, clock_period_ns=1.2), ("ff", "ff_synth", "latency_cycles"), ("ii",)),
        (replace(TARGET, tool="vitis 2027.1"), (*LEARNED, "dsp"), ("ii", "bram_18k")),
    ],
    ids=["family", "clock", "tool"],
)
def test_beyond_the_reports_is_extrapolated_and_wider(
    target: Target, doubtful: tuple[str, ...], sure: tuple[str, ...]
) -> None:
    found = report(dense(8, 4), target).total
    assert bases(found, *doubtful) == {EXTRAPOLATED}
    assert bases(found, *sure) == {RULE}
    assert any(note.startswith("extrapolated: ") for note in found.notes)
    known = report(dense(8, 4)).total
    for figure in doubtful:
        ours, theirs = getattr(found, figure), getattr(known, figure)
        assert ours.high / max(ours.value, 1) > theirs.high / max(theirs.value, 1)


@pytest.mark.parametrize(
    ("op", "n_in", "bits"),
    [
        (dense(80, 60), 80, 16),
        (dense(8, 4, strategy="distributed_arithmetic"), 8, 16),
        (dense(8, 4), 8, 40),
        (LeakyRelu(slope=FixedArray(np.array([3]), FixedType(4, 1)), result_t=T), 8, 16),
    ],
    ids=["size", "strategy", "width", "operator"],
)
def test_layers_unlike_all_in_the_reports_are_extrapolated(op: Op, n_in: int, bits: int) -> None:
    found = report(op, n_in=n_in, bits=bits)
    assert found.total.lut.basis is EXTRAPOLATED
    assert found.layers[-1].cost.lut.basis is EXTRAPOLATED


def test_known_layers_need_no_excuse() -> None:
    found = report(dense(8, 4))
    assert EXTRAPOLATED not in bases(found.total, *LEARNED, "dsp", "bram_18k", "ii")
    assert not any("extrapolated" in note for note in found.total.notes)


@pytest.mark.parametrize(
    ("part", "known"),
    [
        ("xc7z020clg400-1", True), ("xc7s50csga324-1", True), ("xcku15p-ffve1517-1-i", True),
        ("xck26-sfvc784-2LV-c", True), ("xcu250-figd2104-2L-e", True), ("xcvc1902-vsva2197", False),
        ("LFE5U-85F", False), ("xcve2802-vsvh1760", False), ("xczu3eg-sbva484-1-e", True),
    ],
)  # fmt: skip
def test_families_with_reports(part: str, known: bool) -> None:
    assert (family_of(part) is not None) == known


def test_a_total_rests_on_what_most_of_it_rests_on() -> None:
    sure, learned = Estimate.exact(10), Estimate(10, 5, 20)
    doubtful = Estimate(2, 0, 9, EXTRAPOLATED)
    assert resting_on([sure, Estimate.exact(0)]) is RULE
    assert resting_on([sure, Estimate(0, 0, 0, FITTED)]) is FITTED  # that it is 0 was learned
    assert resting_on([sure, learned]) is FITTED
    assert resting_on([sure, learned, doubtful]) is FITTED  # 2 of 22
    assert resting_on([learned, doubtful]) is EXTRAPOLATED  # 2 of 12
    assert (sure + doubtful).basis is EXTRAPOLATED
    assert (sure + Estimate.exact(0)).basis is RULE


def test_the_largest_interval_rests_on_whatever_may_be_the_largest() -> None:
    assert slowest([Estimate.exact(9), Estimate(3, 1, 8)]) == Estimate(9, 9, 9, RULE)
    assert slowest([Estimate.exact(9), Estimate(3, 1, 12)]) == Estimate(9, 9, 12, FITTED)


@given(st.floats(0, 2000), st.floats(0, 1), st.floats(1, 5))
def test_borderline_never_stands_at_a_best_value_that_is_too_large(
    value: float, low: float, high: float
) -> None:
    board = load_board("PYNQ-Z2")
    for use in board_utilisation(Cost(dsp=Estimate(value, value * low, value * high)), board):
        if use.fits == "borderline":
            assert use.percent.value <= 100 < use.percent.high
        assert (use.fits == "no") == (use.used.value > use.available)
        assert (use.fits == "yes") == (use.used.high <= use.available)


def test_every_reason_is_said_and_names_figures_of_a_cost() -> None:
    odd = replace(TARGET, part="xcvc1902", clock_period_ns=99.0, tool="vitis 2030.1")
    nodes = [Node("x", Input(shape=(8,), dtype=T)), Node("y", dense(8, 4), ("x",))]
    graph = Graph.build("net", nodes, [Port("x", "x", (1,))], [Port("y", "y", (1,))])
    found = list(beyond(graph, graph.nodes[1], odd))
    assert len(found) == 3
    notes = estimate(graph, odd).total.notes
    for reason, figures in found:
        assert f"extrapolated: {reason}" in notes
        assert all(hasattr(Cost(), figure) for figure in figures)
