import json

import numpy as np
import pytest

from hwflow.core.board import load_board
from hwflow.estimate.graph import board_utilisation, estimate, worst_fit
from hwflow.estimate.spread import BLOCKS, PLUS, TOTAL
from hwflow.estimate.total import total_area, total_cost
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.reshape import Reshape

PARALLEL = Target("Vivado", "io_parallel", "xc7z020clg400-1", 10.0)
STREAM = Target("Vivado", "io_stream", "xc7z020clg400-1", 10.0)
INPUT_T = FixedType(16, 6)


def dense(n_in: int, n_out: int, weight: int = 43, **settings: object) -> Dense:
    values = FixedArray(np.full((n_in, n_out), weight), FixedType(8, 1))
    bias = FixedArray(np.ones(n_out, np.int64), FixedType(4, 2))
    return Dense(weight=values, bias=bias, **settings)  # type: ignore[arg-type]


def chain(*layers: Dense, shape: tuple[int, ...] = (4,)) -> Graph:
    nodes = [Node("x", Input(shape=shape, dtype=INPUT_T))]
    for i, layer in enumerate(layers):
        nodes.append(Node(f"fc{i}", layer, (nodes[-1].name,), origin=f"net.{i}"))
    last = nodes[-1].name
    return Graph.build("net", nodes, [Port("x", "x", (1,))], [Port(last, "y", (1,))])


def exact(value: float) -> Estimate:
    return Estimate(value, value, value)


def cost(**figures: float) -> Cost:
    return Cost(**{name: exact(v) for name, v in figures.items()})


def test_rows_name_the_framework_layers_and_areas_add_up() -> None:
    graph = chain(dense(4, 3), dense(3, 2))
    report = estimate(graph, PARALLEL)
    assert [(r.name, r.origin, r.kind) for r in report.layers] == [
        ("x", "", "Input"), ("fc0", "net.0", "Dense"), ("fc1", "net.1", "Dense")
    ]  # fmt: skip
    for figure in ("lut", "ff", "dsp", "bram_18k", "lut_synth", "ff_synth"):
        parts = [getattr(r.cost, figure).value for r in report.layers]
        assert getattr(report.total, figure).value == sum(parts)
    # equal constants on one input are shared; 25 bits go into the wider port of a block
    assert report.total.dsp.value == 4 + 3
    assert (report.board, report.fits, report.utilisation) == ("", "", ())


def test_latency_in_time_follows_the_clock() -> None:
    report = estimate(chain(dense(4, 3)), PARALLEL)
    assert report.latency_ns.value == report.total.latency_cycles.value * 10.0


def test_parallel_latency_is_the_longest_path() -> None:
    nodes = [("a", ()), ("long", ("a",)), ("short", ("a",)), ("sum", ("long", "short"))]
    costs = {
        "a": cost(),
        "long": cost(lut=1, latency_cycles=7, ii=3),
        "short": cost(lut=1, latency_cycles=2, ii=1),
        "sum": cost(lut=1, latency_cycles=1, ii=1),
    }
    total = total_cost(nodes, costs, PARALLEL)
    assert total.latency_cycles == exact(7 + 1 + 2 * 0.5)  # half a cycle for each submodule
    assert total.ii == exact(3)


def test_totals_are_as_wide_as_reports_of_designs() -> None:
    report = estimate(chain(dense(40, 30), shape=(40,)), PARALLEL)
    for figure, (low, high) in TOTAL.items():
        found = getattr(report.total, figure)
        if found.basis is Basis.RULE:
            assert found.low == found.value == found.high
            continue
        assert found.basis is Basis.FITTED
        plus = PLUS[figure]
        lowest, highest = (max((found.value + plus) * f - plus, 0.0) for f in (low, high))
        assert found.high == pytest.approx(highest)
        if figure in BLOCKS:  # a softmax may share its own
            lowest = min(lowest, sum(getattr(r.cost, figure).low for r in report.layers))
        assert found.low == pytest.approx(lowest)


# mbavier/HLS4ML_VerilogAndC, CNN (Vivado HLS 2019.2): 128 inputs in 64 beats, II = latency = 67
def test_streamed_vectors_wait_for_their_beats() -> None:
    flat, layer = Reshape(shape=(128,)), dense(128, 10)
    nodes = [
        Node("x", Input(shape=(8, 8, 2), dtype=INPUT_T)),
        Node("flat", flat, ("x",)),
        Node("fc", layer, ("flat",)),
    ]
    graph = Graph.build("net", nodes, [Port("x", "x", (1, 2, 3))], [Port("fc", "y", (1,))])
    target = Target("Vivado", "io_stream", "xcu250-figd2104-2L-e", 5.0)
    row = estimate(graph, target).layers[-1]
    assert row.cost.ii.value == row.cost.latency_cycles.value == pytest.approx(67, abs=1)


def test_streamed_layers_overlap() -> None:
    nodes = [("a", ()), ("b", ("a",)), ("c", ("b",))]
    costs = {
        "a": cost(latency_cycles=104, ii=100),
        "b": cost(latency_cycles=66, ii=64),
        "c": cost(latency_cycles=3, ii=1),
    }
    total = total_cost(nodes, costs, STREAM)
    assert total.ii == exact(100)
    assert total.latency_cycles == exact(100 + 4 + 2 + 2)
    waits = total_cost(nodes, costs, STREAM, one_shot={"c": 1})
    assert waits.latency_cycles == exact(100 + 4 + 2 + 3)


def test_an_empty_design_costs_nothing() -> None:
    total = total_cost([], {}, PARALLEL)
    nothing = Estimate.exact(0)
    assert (total.lut, total.latency_cycles) == (nothing, nothing)
    assert total.ii == Estimate.exact(1)


def test_margins_add_as_independent_errors_unless_they_are_common() -> None:
    figures = [Estimate(10, 7, 13), Estimate(20, 16, 24)]
    assert total_area(figures, common=False) == Estimate(30, 25, 35)
    assert total_area(figures, common=True) == Estimate(30, 23, 37)


@pytest.mark.parametrize(
    ("used", "fits"),
    [
        (Estimate(10, 5, 60), "yes"),
        (Estimate(60, 60, 60), "yes"),
        (Estimate(50, 40, 61), "borderline"),
        (Estimate(61, 40, 90), "no"),
        (Estimate(70, 61, 90), "no"),
    ],
)
def test_fit_is_decided_by_the_interval(used: Estimate, fits: str) -> None:
    board = load_board("PYNQ-Z2")
    available = board.resources.dsp.count
    scaled = used.scaled(available / 60)
    found = {u.resource: u for u in board_utilisation(Cost(dsp=scaled), board)}
    assert found["dsp"].fits == fits
    assert found["dsp"].percent.value == pytest.approx(100 * used.value / 60)
    assert "uram" not in found  # the device has none and none is used


def test_worst_fit() -> None:
    assert worst_fit(["yes", "borderline", "yes"]) == "borderline"
    assert worst_fit(["borderline", "no"]) == "no"
    assert worst_fit(["yes"]) == "yes"
    assert worst_fit([]) == ""


def test_a_design_too_large_for_the_board_is_said_to_be() -> None:
    big = chain(dense(64, 64, weight=-85), shape=(64,))
    report = estimate(big, PARALLEL, load_board("Cora Z7-07S"))
    assert report.fits == "no"
    assert all(w.severity == "warning" for w in report.warnings)


def test_layers_too_large_to_unroll_are_warned_about() -> None:
    graph = chain(dense(80, 64), shape=(80,))
    (warning,) = estimate(graph, PARALLEL).warnings
    assert (warning.code, warning.where) == ("HW510", "net.0: Dense")
    assert "5120 multiplications" in warning.found
    calmer = chain(dense(80, 64, strategy="resource", reuse_factor=80), shape=(80,))
    assert estimate(calmer, PARALLEL).warnings == ()


def test_values_too_large_to_partition_are_warned_about() -> None:
    graph = chain(dense(4, 2, weight=1), shape=(30, 40, 4))
    assert [w.code for w in estimate(graph, PARALLEL).warnings] == ["HW511"]
    assert estimate(graph, STREAM).warnings == ()


def test_other_vendors_are_an_order_of_magnitude_only() -> None:
    report = estimate(chain(dense(4, 3)), PARALLEL, load_board("ULX3S-85F"))
    assert [w.code for w in report.warnings] == ["HW513"]


def test_streams_have_fifos_where_values_are_long() -> None:
    after = dense(3, 2, result_t=INPUT_T)
    narrow = dense(4, 3, result_t=INPUT_T)
    long, short = (estimate(chain(narrow, after, shape=(n, 4)), STREAM).total for n in (200, 10))
    assert short.bram_18k.value == 0
    assert long.bram_18k.value == 3  # one a channel between the layers, none outside of them


def test_the_dictionary_is_plain_and_says_what_each_figure_stands_for() -> None:
    report = estimate(chain(dense(4, 3)), PARALLEL, load_board("PYNQ-Z2"))
    found = json.loads(json.dumps(report.to_dict()))
    assert found["kind"] == "estimated"
    assert "synthesized" not in json.dumps(found)
    columns = set(found["total"])
    assert {"lut_csynth_equivalent", "lut_post_synthesis_equivalent", "ii"} <= columns
    after = ["post_synthesis" in column for column in found["total"] if column != "notes"]
    assert after == sorted(after), "C synthesis comes first"
    assert found["layers"][1]["dsp"] == {
        "value": report.layers[1].cost.dsp.value,
        "low": pytest.approx(report.layers[1].cost.dsp.low, abs=1e-3),
        "high": pytest.approx(report.layers[1].cost.dsp.high, abs=1e-3),
        "basis": "fitted",
    }
    assert {u["resource"] for u in found["utilisation"]} == {"lut", "ff", "dsp", "bram_18k"}
