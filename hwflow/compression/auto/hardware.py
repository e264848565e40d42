"""The hardware of a network: settings by the solver of a fit, held against requirements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwflow.compression.auto.requirements import Requirements
from hwflow.core.board import Board, load_board
from hwflow.core.config import Config, read_settings, with_arguments
from hwflow.estimate.graph import BOARD_COLUMN
from hwflow.exploration.budgets import Limit, available_of, keeps, reason, value_of
from hwflow.exploration.costs import SUMS
from hwflow.exploration.reported import costs_of_report
from hwflow.fitting.advice import nearest
from hwflow.fitting.budgets import NAMES, parse_budgets
from hwflow.fitting.finder import Finder
from hwflow.fitting.fitted import Case, best_plans
from hwflow.fitting.record import Plan
from hwflow.fitting.settings import chosen_config
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design


@dataclass(frozen=True, kw_only=True, eq=False)
class Priced:
    """A network with its best settings, or with those that come nearest to the budgets.

    Attributes:
        point: ``cost`` with value, low and high of each figure, and ``share``, as in a front.
        io_type: that was chosen.
        clock_period_ns: that was chosen.
        reuse: greatest reuse factor; 0 where no settings keep to the budgets.
        excess: what is beyond each budget, in parts of it, by its name; 0 within.
        reasons: why it does not keep to them, such as ``latency 732 ns > 500 ns``.
        design: the design; None where no settings keep to the budgets.
        config: its settings.
    """

    point: Mapping[str, Any]
    io_type: str
    clock_period_ns: float
    reuse: int
    excess: Mapping[str, float]
    reasons: tuple[str, ...]
    design: Design | None
    config: Config | None

    @property
    def beyond(self) -> float:
        """What is beyond all budgets together."""
        return sum(self.excess.values())


def price(model: QonnxModel, wanted: Requirements) -> Priced | None:
    """Return the hardware of a quantised network; None where none can be generated at all.

    Settings are those of the least area within the budgets, among both io types and all clocks.

    Raises:
        CompileError: the network cannot be compiled.
    """
    board = load_board(wanted.settings.board)
    finder, design = _finder(model, wanted)
    cases = [finder.case(board, target) for target in _targets(design, wanted, board)]
    plans = best_plans(cases, "area")
    if plans:
        return _kept(model, finder, plans[0], wanted, board)
    return _missed(finder, cases, wanted, board)


def _finder(model: QonnxModel, wanted: Requirements) -> tuple[Finder, Design]:
    target = {"board": wanted.settings.board, "io_type": wanted.settings.io_type[0]}
    design = compile_model(clone(model), config=with_arguments(read_settings({}), target))
    budgets = {limit.name: _text(limit) for limit in wanted.budgets if limit.name in NAMES}
    finder = Finder(
        unsettled=design.origin.unsettled, config=design.config, goal="area",
        asked=parse_budgets(budgets), progress=lambda stage, done: None,
    )  # fmt: skip
    return finder, design


def _text(limit: Limit) -> str:
    """Return a limit as a budget of a fit is written."""
    if limit.name == "latency":
        return f"{limit.number:.12g}ns"
    return f"{100 * limit.number:.12g}%" if limit.of_board else f"{limit.number:.12g}"


def _targets(design: Design, wanted: Requirements, board: Board) -> Iterator[Target]:
    for io_type in wanted.settings.io_type:
        for clock in wanted.clocks:
            yield replace(design.target, io_type=io_type, part=board.part, clock_period_ns=clock)


def _kept(
    model: QonnxModel, finder: Finder, plan: Plan, wanted: Requirements, board: Board
) -> Priced:  # fmt: skip
    config = chosen_config(finder.config, plan, wanted.settings.board)
    design = compile_model(clone(model), config=config)
    cost = costs_of_report(design.estimate())
    reuse = max((int(layer.settings.get("reuse_factor", 1)) for layer in plan.layers), default=1)
    return _held(cost, plan.target, (reuse, design, config), wanted, board)


def _missed(
    finder: Finder, cases: list[Case], wanted: Requirements, board: Board
) -> Priced | None:  # fmt: skip
    miss = nearest(finder, cases)
    if miss is None:
        return None
    cost = _plain(miss.total, miss.target.clock_period_ns)
    return _held(cost, miss.target, (0, None, None), wanted, board)


def _plain(total: Cost, clock_period_ns: float) -> dict[str, Any]:
    found = {name: getattr(total, name) for name in (*SUMS, "ii", "latency_cycles")}
    found["latency_ns"] = total.latency_cycles.scaled(clock_period_ns)
    return {name: [figure.value, figure.low, figure.high] for name, figure in found.items()}


def _held(
    cost: dict[str, Any],
    target: Target,
    made: tuple[int, Design | None, Config | None],
    wanted: Requirements,
    board: Board,
) -> Priced:
    """Hold figures against the budgets."""
    available = available_of(board)
    shares = [
        cost[figure][0] / available[figure]
        for figure in BOARD_COLUMN.values()
        if available.get(figure)
    ]
    point = {"cost": cost, "share": max(shares, default=0.0)}
    values = [(limit, value_of(limit, point)) for limit in wanted.budgets]
    known = [(limit, value) for limit, value in values if value != float("inf")]
    return Priced(
        point=point, io_type=target.io_type, clock_period_ns=target.clock_period_ns, reuse=made[0],
        excess={
            limit.name: 0.0 if keeps(limit, value, available)
            else value / max(limit.bound(available), 1e-9) - 1.0
            for limit, value in known
        },
        reasons=tuple(
            reason(limit, value, available)
            for limit, value in known if not keeps(limit, value, available)
        ),
        design=made[1], config=made[2],
    )  # fmt: skip


def limits_of(design: Design, wanted: Requirements) -> list[str]:
    """Return which budgets a design does not keep to, in words; none where it keeps to all."""
    cost = costs_of_report(design.estimate())
    return list(
        _held(cost, design.target, (1, design, design.config), wanted, design.board).reasons
    )
