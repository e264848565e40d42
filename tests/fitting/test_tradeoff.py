"""Settings that nothing beats in time and cost, compared with trying every combination."""

from dataclasses import replace

import numpy as np
import pytest

from hwflow.core.board import RESOURCES, load_board
from hwflow.fitting.finder import Finder
from hwflow.fitting.tradeoff import Tradeoff, time_of
from hwflow.project.design import Design
from tests.fitting.nets import chain
from tests.fitting.test_brute_force import BOARD, CLOCK, NAMES, Everything, Tried


def finder_of(design: Design, cost: str) -> Finder:
    return Finder(
        unsettled=design.origin.unsettled, config=design.config, goal=cost, asked=(),
        progress=lambda stage, done: None,
    )  # fmt: skip


def plans_of(tried: Tried, time: str, cost: str, points: int = 6) -> list[tuple[float, float]]:
    """Return time and cost of each plan; all are proven."""
    design = tried.design
    finder = finder_of(design, cost)
    plans, why = Tradeoff(finder, load_board(BOARD), design.target, time, points).plans()
    assert not why
    assert all(plan.proven for plan in plans)
    return [(time_of(plan, time), plan.cost(cost)) for plan in plans]


@pytest.mark.parametrize(
    ("io_type", "time", "cost"),
    [("io_parallel", "latency_ns", "share"), ("io_parallel", "ii", "lut"),
     ("io_parallel", "latency_ns", "dsp"), ("io_stream", "latency_ns", "lut")],
)  # fmt: skip
def test_nothing_beats_a_plan(io_type: str, time: str, cost: str) -> None:
    tried = Tried(chain(2, (8, 8)), io_type)
    everything = Everything.of([tried], BOARD)
    times = everything.best[:, NAMES.index("ii" if time == "ii" else "latency")] * CLOCK
    shares = everything.best[:, : len(RESOURCES)] / np.maximum(everything.counts, 1e-12)
    share = cost == "share"
    costs = 100 * shares.max(1) if share else everything.best[:, NAMES.index(cost)]
    fits = shares.max(1) <= 1
    found = plans_of(tried, time, cost)
    assert len(found) > 1
    for own_time, own_cost in found:
        assert (fits & np.isclose(times, own_time) & np.isclose(costs, own_cost)).any()
        less = fits & (times <= own_time + 1e-6) & (costs < own_cost * (1 - 1e-6))
        assert not less.any(), (own_time, own_cost)
        if io_type == "io_parallel":
            faster = fits & (times < own_time - 1e-6) & (costs <= own_cost * (1 + 1e-9))
            assert not faster.any(), (own_time, own_cost)
    assert found[0][0] == pytest.approx(times[fits].min())
    assert found[-1][1] == pytest.approx(costs[fits].min())


def test_strategies_that_are_not_allowed_are_not_taken() -> None:
    design = Tried(chain(4, (8, 6, 4)), "io_parallel").design
    finder = replace(finder_of(design, "share"), strategies=("resource",))
    plans, _ = Tradeoff(finder, load_board(BOARD), design.target, "latency_ns", 3).plans()
    taken = {layer.settings.get("strategy") for plan in plans for layer in plan.layers}
    assert taken <= {"resource", None}
    assert "resource" in taken
