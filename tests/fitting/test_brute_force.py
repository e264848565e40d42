"""What a fit finds is what trying every legal setting of every layer finds.

Every combination of legal settings is estimated; the best of those that keep to the budgets is
compared with what the fit found, and that with the estimate of the design compiled with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

import hwflow
from hwflow.codegen.hls.streams import streams_of
from hwflow.core.board import RESOURCES, load_board
from hwflow.estimate.capacity import as_reported
from hwflow.estimate.graph import BOARD_COLUMN, estimate, total_of
from hwflow.estimate.liveness import is_stage
from hwflow.ir.cost import Cost
from hwflow.ir.graph import Node
from hwflow.ir.op import Op
from hwflow.project.design import Design
from tests.fitting.nets import branched, chain, image, scaled, skipped

CLOCK, BOARD = 5.0, "pynq-z2"
STRATEGIES = ("latency", "resource", "distributed_arithmetic")


def ops_of(design: Design, node: Node) -> list[Op]:
    """Return a layer's operator with all its legal settings."""
    known, inputs = {*node.op.settings}, design.graph.input_types(node)
    found: list[Op] = []
    for strategy in STRATEGIES if "strategy" in known else (None,):
        op = node.op if strategy is None else changed(node.op, strategy=strategy)
        reuse = op.reuse_factors(design.target, *inputs) if "reuse_factor" in known else ()
        positions = prod(design.graph.types[node.name].shape[:-1])
        parallel = [d for d in range(1, positions + 1) if positions % d == 0]
        if "parallelization_factor" not in known or design.target.streams:
            parallel = []
        for rf, pf in product(reuse or [None], parallel or [None]):
            values = {"reuse_factor": rf, "parallelization_factor": pf}
            found.append(changed(op, **{k: v for k, v in values.items() if v is not None}))
    return [op for op in found if not any(op.check(design.target, *inputs))]


def changed(op: Op, **settings: Any) -> Op:
    return replace(op, **settings)


class Tried:
    """A design with every combination of legal settings, each estimated as a whole."""

    def __init__(self, model: onnx.ModelProto, io_type: str) -> None:
        options: dict[str, Any] = {"board": BOARD, "io_type": io_type, "clock_period_ns": CLOCK}
        self.design = hwflow.compile(model, **options)
        self.ops = {node.name: ops_of(self.design, node) for node in self.design.graph.nodes}

    @property
    def combinations(self) -> int:
        return prod(len(each) for each in self.ops.values())

    def totals(self) -> Iterator[Cost]:
        """Yield the estimate of the whole design with every combination.

        The cost of a layer depends on its own settings, on whether any layer makes a dataflow of
        the design, and in streams on the depths of its FIFOs. It is taken from the first estimate
        with the same; every 97th combination is estimated as a whole.
        """
        graph, target = self.design.graph, self.design.target
        known: dict[tuple[Any, ...], Cost] = {}
        for number, taken in enumerate(product(*self.ops.values())):
            nodes = [replace(n, op=op) for n, op in zip(graph.nodes, taken, strict=True)]
            one = replace(graph, nodes=tuple(nodes))
            fifos = streams_of(one, target).fifos if target.streams else None
            dataflow = any(map(is_stage, taken))
            keys = [(n.name, n.op, dataflow, str((fifos or {}).get(n.name))) for n in nodes]
            whole = None
            if number % 97 == 0 or not known.keys() >= {*keys}:
                whole = estimate(one, target, fifos=fifos)
                known |= {key: row.cost for key, row in zip(keys, whole.layers, strict=True)}
            total = total_of(graph, {key[0]: known[key] for key in keys}, target)
            assert whole is None or whole.total == as_reported(total, target.part)
            yield total


NAMES = (*RESOURCES, "latency", "ii")


def figures(total: Cost, end: str = "value") -> list[float]:
    found = [getattr(getattr(total, BOARD_COLUMN[r], Cost().dsp), end) for r in RESOURCES]
    return [*found, total.latency_cycles.value, total.ii.value]


@dataclass
class Everything:
    """All combinations on a board: their figures, the upper ends of areas, and the area."""

    board: str
    best: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @classmethod
    def of(cls, tried: Sequence[Tried], board: str) -> "Everything":
        totals = [total for one in tried for total in one.totals()]
        ends = (np.array([figures(total, end) for total in totals]) for end in ("value", "high"))
        return cls(board, *ends)

    @property
    def counts(self) -> npt.NDArray[np.float64]:
        resources = load_board(self.board).resources
        return np.array([resources.count(r) for r in RESOURCES], float)

    @property
    def area(self) -> npt.NDArray[np.float64]:
        there = self.counts > 0
        shares = 100 * self.best[:, : len(RESOURCES)][:, there] / self.counts[there]
        return np.asarray(shares.mean(axis=1))

    def optimum(
        self, goal: str, limits: Mapping[str, float], *, high: bool = False
    ) -> tuple[float, float] | None:
        """Return the least goal of all that keep to limits, and the least area with it."""
        kept = (self.best[:, : len(RESOURCES)] <= self.counts).all(axis=1)
        for name, limit in limits.items():
            kept &= (self.high if high else self.best)[:, NAMES.index(name)] <= limit * (1 + 1e-9)
        if not kept.any():
            return None
        columns = {"latency": self.best[:, -2], "throughput": self.best[:, -1], "area": self.area}
        least = columns[goal][kept].min()
        return least, self.area[kept & (columns[goal] <= least * (1 + 1e-9))].min()


def compare(
    model: onnx.ModelProto, everything: Everything, goal: str, limits: Mapping[str, float],
    high: str = "", **options: Any,
) -> bool:  # fmt: skip
    """Compare a fit with all combinations, and return whether one keeps to the limits."""
    units = {"latency": "cycles", "ii": ""}
    budgets = {k: f"{v:.12f}{units.get(k, high)}" for k, v in limits.items()}
    found = hwflow.fit(
        model, target=goal, board=everything.board, clock_period_ns=CLOCK, budgets=budgets,
        **options,
    )  # fmt: skip
    expected = everything.optimum(goal, limits, high=bool(high))
    assert (found.best is None) == (expected is None), (goal, limits, expected)
    if found.best is None or expected is None:
        return False
    total, plan = found.best.report.total, found.best
    times = {"latency": total.latency_cycles.value, "throughput": total.ii.value}
    assert plan.proven
    assert (times.get(goal, plan.area), plan.area) == pytest.approx(expected, rel=1e-7)
    assert found.design is not None
    assert found.design.estimate().total == total
    return True


def compare_all(
    model: onnx.ModelProto, io_types: Sequence[str], seed: int, cases: int, *, most: int = 10_000
) -> None:
    """Compare fits for every target and several budgets with trying everything."""
    tried = [Tried(model, io_type) for io_type in io_types]
    assert 50 < sum(one.combinations for one in tried) <= most
    everything = Everything.of(tried, BOARD)
    options = {"io_type": io_types[0]} if len(io_types) == 1 else {}
    rng, fitted = np.random.default_rng(seed), 0
    for case in range(cases):
        names = [] if case == 0 else rng.choice(["lut", "ff", "dsp", "latency", "ii"], 2, False)
        limits = {}
        for name in names:
            column = everything.best[:, NAMES.index(name)]
            limits[str(name)] = float(np.quantile(column, rng.uniform(0.02, 0.6)))
        for goal in ("latency", "throughput", "area"):
            fitted += compare(model, everything, goal, limits, **options)
    assert fitted > cases  # most budgets leave something to choose


@pytest.mark.parametrize(
    "io_type", ["io_parallel", pytest.param("io_stream", marks=pytest.mark.slow)]
)
def test_a_chain_is_fitted_as_by_trying_everything(io_type: str) -> None:
    compare_all(chain(1, (3, 2, 2)), [io_type], 1, 4)


def test_the_io_type_is_the_better_one() -> None:
    compare_all(image(2), ["io_parallel", "io_stream"], 2, 4)


@pytest.mark.parametrize(
    "io_type", [pytest.param("io_parallel", marks=pytest.mark.slow), "io_stream"]
)
def test_branches_are_fitted_as_by_trying_everything(io_type: str) -> None:
    compare_all(skipped(4), [io_type], 4, 4)


@pytest.mark.parametrize(
    "io_type", ["io_parallel", pytest.param("io_stream", marks=pytest.mark.slow)]
)
def test_requantisers_and_tables_take_turns(io_type: str) -> None:
    compare_all(scaled(5), [io_type], 5, 3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_hundred_thousand_combinations(seed: int) -> None:
    made = [chain(seed, (2, 2, 2, 2, 1)), branched(seed, 2), image(seed, 4), image(seed, 5)][
        seed % 4
    ]
    compare_all(made, [["io_parallel", "io_stream"][seed // 4]], seed, 8, most=100_000)


@pytest.mark.parametrize("name", ["lut", "ff", "dsp"])
def test_budgets_for_upper_ends(name: str) -> None:
    net = chain(7, (3, 2, 2))
    everything = Everything.of([Tried(net, "io_parallel")], BOARD)
    for quantile in (0.1, 0.3, 0.6):
        limit = float(np.quantile(everything.high[:, NAMES.index(name)], quantile))
        for goal in ("latency", "area"):
            compare(net, everything, goal, {name: limit}, ":high", io_type="io_parallel")
