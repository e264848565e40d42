"""A fit as users have it: budgets, boards, clocks, what was set before, and the file it writes."""

import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy

import hwflow
from hwflow.core.config import load_config
from hwflow.core.errors import CompileError
from hwflow.estimate.graph import node_cost
from hwflow.fitting.budgets import parse_budgets, parse_options
from hwflow.fitting.fitted import Fit
from hwflow.fitting.knobs import variants
from hwflow.fitting.options import layers_of
from hwflow.fitting.settings import check_out, chosen_config, write_settings
from hwflow.ir.cost import Cost
from hwflow.testing.assertions import assert_faithful
from tests.fitting.nets import chain, image
from tests.fixtures import deep_cnn

EXAMPLES = Path(__file__).parents[2] / "examples"
CNN = EXAMPLES / "digits_cnn.onnx"


def codes(error: pytest.ExceptionInfo[CompileError]) -> list[str]:
    return [finding.code for finding in error.value.diagnostics]


def test_budgets_are_kept_and_the_compiled_design_has_the_figures() -> None:
    found = hwflow.fit(
        CNN, target="area", board="pynq-z2", clock_period_ns=5.0,
        budgets={"lut": "60%", "latency": "1us"},
    )  # fmt: skip
    assert found.best is not None
    assert found.design is not None
    report = found.design.estimate()
    assert report.total == found.best.report.total
    assert report.latency_ns.value <= 1000
    assert next(u for u in report.utilisation if u.resource == "lut").percent.value <= 60
    assert found.best.proven
    assert [use.budget.name for use in found.best.uses] == ["lut", "latency"]


def test_layers_that_come_from_one_called_as_another_have_settings_of_their_own() -> None:
    found = hwflow.fit(chain(2, (8, 8)), board="pynq-z2", target="area", io_type="io_parallel")
    assert found.best is not None
    first, second, *_ = found.best.layers
    settings = [{"reuse_factor": 4}, {"reuse_factor": 8}]
    layers = (
        replace(first, name="block", origin="block", settings=settings[0]),
        replace(second, name="block_add", origin="block", settings=settings[1]),
    )
    given = replace(found.config, layers={})
    config = chosen_config(given, replace(found.best, layers=layers), "pynq-z2")
    assert config.layers == {"block": settings[0], "block_add": settings[1]}


def test_a_budget_binds_where_something_is_better_without_it() -> None:
    options: dict[str, Any] = {"board": "pynq-z2", "io_type": "io_parallel"}
    free = hwflow.fit(CNN, **options)
    assert free.best is not None
    luts = free.best.report.total.lut_synth.value
    found = hwflow.fit(CNN, **options, budgets={"lut": int(luts * 0.95), "ff": "100%"})
    assert found.best is not None
    lut, ff = found.best.uses
    assert (lut.without, ff.without) == (free.best.latency_ns, None)
    assert free.best.latency_ns < found.best.latency_ns


def test_bits_do_not_change() -> None:
    plain = hwflow.compile(CNN, board="pynq-z2")
    found = hwflow.fit(CNN, target="area", board="pynq-z2")
    assert found.design is not None
    assert {n: str(t.dtype) for n, t in plain.graph.types.items()} == {
        n: str(t.dtype) for n, t in found.design.graph.types.items()
    }


def test_layers_faster_than_the_slowest_pay_less() -> None:
    """In a stream, the first convolutions of a deep network are slowest; the others wait."""
    found = hwflow.fit(
        deep_cnn(4), target="throughput", board="zcu104", io_type="io_stream"
    )  # fmt: skip
    fast = hwflow.fit(deep_cnn(4), target="latency", board="zcu104", io_type="io_stream")
    assert found.best is not None
    assert fast.best is not None
    assert found.best.interval_ns <= fast.best.interval_ns
    assert found.best.area <= fast.best.area


def test_what_is_set_for_a_layer_is_kept() -> None:
    config = {
        "layer": {"conv1": {"strategy": "latency", "reuse_factor": 3}},
        "verify": {"max_lut": "50%"},
    }
    found = hwflow.fit(CNN, target="area", board="pynq-z2", config=config)
    assert found.best is not None
    (conv,) = (layer for layer in found.best.layers if layer.name == "conv1")
    assert not {"strategy", "reuse_factor"} & conv.settings.keys()
    assert found.config.layers["conv1"]["reuse_factor"] == 3
    assert found.design is not None
    assert found.design.graph.by_name["conv1"].op.reuse_factor == 3  # type: ignore[attr-defined]
    assert [str(budget) for budget in found.budgets] == ["lut=50%"]


def test_a_bound_on_a_layer_is_kept() -> None:
    config = {"layer": {"fc": {"strategy": "resource", "reuse_factor": "<=10"}}}
    found = hwflow.fit(CNN, board="pynq-z2", config=config)
    assert found.design is not None
    assert found.design.graph.by_name["fc"].op.reuse_factor == 8  # type: ignore[attr-defined]


def test_the_io_type_that_is_set_is_kept() -> None:
    found = hwflow.fit(CNN, board="pynq-z2", config={"target": {"io_type": "io_stream"}})
    assert {case.target.io_type for case in found.cases} == {"io_stream"}


def test_one_of_several_clocks_is_taken() -> None:
    found = hwflow.fit(chain(1, (8, 4)), board="pynq-z2", clock_period_ns=[4.0, 10.0])
    assert found.best is not None
    times = [case.plan.latency_ns for case in found.cases if case.plan is not None]
    assert len(times) == 4
    assert found.best.latency_ns == min(times)
    assert found.config.target.clock_period_ns == found.best.target.clock_period_ns


def test_the_cheapest_board_that_something_fits_comes_first() -> None:
    boards = ["zcu104", "pynq-z2", "Cora Z7-07S"]
    found = hwflow.fit(
        CNN, target="area", board=boards, io_type="io_parallel", budgets={"latency": "10us"}
    )  # fmt: skip
    ranks = [plan.board.price_rank for plan in found.plans]
    assert ranks == sorted(ranks)
    assert found.best is found.plans[0]
    assert found.design is not None
    assert found.design.board.name == found.best.board.name


def test_nothing_fits() -> None:
    found = hwflow.fit(CNN, board="pynq-z2", budgets={"lut": 100})
    assert (found.best, found.design, found.plans) == (None, None, ())
    assert not found.to_dict()["fits"]


def test_the_file_gives_the_same_design(tmp_path: Path) -> None:
    config = tmp_path / "given" / "hwflow.toml"
    config.parent.mkdir()
    config.write_text('[target]\nbackend = "Vivado"\n\n[verify]\nmax_dsp = 100\n')
    found = hwflow.fit(CNN, board="pynq-z2", config=config, target="throughput")
    path = write_settings(found, tmp_path / "out" / "fitted.toml")
    settings = tomllib.loads(path.read_text())
    assert settings["target"]["backend"] == "Vivado"
    assert settings["verify"] == {"max_dsp": 100}
    again = hwflow.compile(CNN, config=path)
    assert found.best is not None
    assert again.estimate().total == found.best.report.total


def test_paths_in_the_file_lead_to_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    board = Path(__file__).parents[2] / "boards" / "pynq_z2.toml"
    (tmp_path / "a" / "own.toml").write_text(board.read_text())
    (tmp_path / "a" / "hwflow.toml").write_text('[target]\nboard = "own.toml"\n')
    found = hwflow.fit(chain(1, (3, 2)), config=tmp_path / "a" / "hwflow.toml")
    path = write_settings(found, tmp_path / "b" / "fitted.toml")
    assert tomllib.loads(path.read_text())["target"]["board"] == "../a/own.toml"
    assert Path(load_config(path).target.board).resolve() == tmp_path / "a" / "own.toml"


def test_a_file_is_not_written_over_unless_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hwflow.toml"
    check_out(path)
    path.write_text("")
    with pytest.raises(CompileError) as error:
        check_out(path)
    assert codes(error) == ["HW532"]


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(CompileError) as error:
        hwflow.fit(image(1), target="power")
    assert codes(error) == ["HW531"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lut", "much"), ("lut", "-1"), ("luts", "10"), ("latency", "1"), ("latency", "50%"),
        ("latency", "1s"), ("ii", "10%"), ("ii", "4:high"), ("throughput", "0"),
        ("throughput", "fast"),
    ],
)  # fmt: skip
def test_what_is_no_budget_is_refused(name: str, value: str) -> None:
    with pytest.raises(CompileError) as error:
        parse_budgets({name: value})
    assert codes(error) == ["HW530"]


@pytest.mark.parametrize(
    ("most", "least"),
    [
        (["throughput=1"], []),
        ([], ["lut=1"]),
        (["lut=1,lut=2"], []),
        (["power=1"], []),
        (["lut"], []),
    ],
)
def test_options_that_are_no_budgets_are_refused(most: list[str], least: list[str]) -> None:
    with pytest.raises(CompileError) as error:
        parse_budgets(parse_options(most, least))
    assert codes(error) == ["HW530"]


def test_the_help_for_budgets_can_be_read() -> None:
    given = parse_options(["lut=60%,latency=1us", "ii=4"], ["throughput=200k"])
    limits = {
        b.name: b.limit(hwflow.compile(chain(1, (3, 2))).board, 5.0) for b in parse_budgets(given)
    }
    assert limits == {"lut": 0.6 * 53200, "latency": 200.0, "ii": 4.0, "throughput": 1000.0}


def test_a_fit_prints_what_it_found() -> None:
    found = hwflow.fit(chain(1, (3, 2)), board="pynq-z2")
    assert isinstance(found, Fit)
    assert "PYNQ-Z2" in repr(found)


@pytest.mark.parametrize("seed", range(3))
def test_figures_between_two_parallelization_factors_say_nothing_new(seed: int) -> None:
    """What is worse at the least and the greatest factor is worse at all between them."""
    design = hwflow.compile(image(seed, 5), board="pynq-z2", clock_period_ns=5.0)
    graph, target = design.graph, design.target
    (node,) = (n for n in graph.nodes if n.op.kind == "Conv2D")
    pinned: dict[str, object] = {}
    choices = [*variants(node.op, target, graph.input_types(node), pinned)]
    ops = {n.name: [({}, n.op)] for n in graph.nodes} | {node.name: choices}
    (layer,) = (one for one in layers_of(graph, target, ops) if one.name == node.name)
    costs = [node_cost(graph, replace(node, op=op), target) for _, op in choices]
    kept = [
        costs[i]
        for i in range(len(choices))
        if choices[i][0] in [o.settings for o in layer.options]
    ]
    assert len(kept) < len(costs) / 2

    def figures(cost: Cost) -> list[float]:
        area = [cost.lut_synth, cost.ff_synth, cost.dsp, cost.dsp_synth, cost.bram_18k_synth]
        return [e.value for e in (*area, cost.latency_cycles, cost.ii)]

    better = np.array([figures(cost) for cost in kept])
    for cost in costs:
        assert (better <= np.array(figures(cost)) + 1e-9).all(axis=1).any()


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_fifty_layers_take_less_than_ten_seconds(io_type: str) -> None:
    """Seconds of this process: machines that run the tests have other work, too."""
    widths = tuple(int(n) for n in np.random.default_rng(0).integers(8, 49, 51))
    net = deep_cnn(49) if io_type == "io_stream" else chain(3, widths)
    started = time.process_time()
    found = hwflow.fit(
        net, board="zcu104", clock_period_ns=5.0, io_type=io_type, budgets={"lut": "30%"}
    )  # fmt: skip
    assert time.process_time() - started < 10
    assert found.best is not None
    assert found.best.proven
    assert sum(bool(layer.settings) for layer in found.best.layers) >= 50


@pytest.mark.cpp
@pytest.mark.slow
def test_a_fitted_design_is_built_and_faithful(tmp_path: Path) -> None:
    """A convolutional network on the PYNQ-Z2: 5 ns, under 1 us, under 60 % of its LUTs."""
    found = hwflow.fit(
        CNN, target="area", board="pynq-z2", clock_period_ns=5.0,
        budgets={"lut": "60%", "latency": "1us"},
    )  # fmt: skip
    path = write_settings(found, tmp_path / "hwflow.toml")
    design = hwflow.compile(CNN, config=path)
    verification = design.verify(EXAMPLES / "digits.npz")
    design.write(tmp_path / "project", verification)
    assert_faithful(verification)
    report = design.estimate()
    assert report.latency_ns.value <= 1000
    assert next(u for u in report.utilisation if u.resource == "lut").percent.value <= 60


def test_a_solver_that_takes_too_long_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished = scipy.optimize.OptimizeResult(x=None, status=1, message="time limit")
    monkeypatch.setattr(scipy.optimize, "milp", lambda *arguments, **options: unfinished)
    found = hwflow.fit(chain(1, (3, 2)), board="pynq-z2")
    assert found.best is None
    assert all("HiGHS found nothing within 60 s" in case.why for case in found.cases)
