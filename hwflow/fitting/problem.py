"""What is asked: a graph whose layers can be chosen, and the budgets of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwflow.core.board import RESOURCES, Board
from hwflow.estimate.graph import BOARD_COLUMN, total_of
from hwflow.estimate.logic import logic_of
from hwflow.fitting.budgets import Budget
from hwflow.fitting.options import Layer, Option
from hwflow.fitting.program import Vector
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target

SLACK = 1e-9
"""Part by which a figure may pass a limit: what adding up in another order changes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem:
    """A graph on a target and a board, whose layers can be chosen within budgets.

    Attributes:
        graph: with any choices.
        target: what the hardware is generated for.
        board: in whose blocks areas are counted.
        layers: what each layer can be, in the order of the graph.
        budgets: what the design may take; those of the board among them.
        dataflow: a layer at least must be what makes a dataflow of a design in io_parallel.
        excluded: choices that are not taken.
        most_cycles: the largest latency that is taken, beside the budgets.
    """

    graph: Graph
    target: Target
    board: Board
    layers: tuple[Layer, ...]
    budgets: tuple[Budget, ...]
    dataflow: bool = False
    excluded: tuple[tuple[Option, ...], ...] = ()
    most_cycles: float = float("inf")

    def total(self, options: Sequence[Option]) -> Cost:
        """Return the estimate of the design with an option of each layer."""
        chosen = zip(self.layers, options, strict=True)
        costs = {layer.name: option.cost for layer, option in chosen}
        return total_of(self.graph, costs, self.target)

    def column(self, figure: str) -> list[Vector]:
        """Return a figure of every option, by layer."""
        return [layer.column(figure) for layer in self.layers]

    def limit(self, budget: Budget) -> float:
        """Return the limit of a budget in blocks of the board, or in cycles."""
        return budget.limit(self.board, self.target.clock_period_ns)

    def limit_of(self, figure: str) -> float:
        """Return the tightest limit on a figure, best values only; infinite without any."""
        limits = [self.limit(b) for b in self.budgets if b.figure == figure and not b.high]
        return min(limits, default=float("inf"))

    def broken(self, total: Cost) -> list[Budget]:
        """Return the budgets that an estimate does not keep to."""
        figures = figures_of(total, self.board)
        return [b for b in self.budgets if held(figures, b) > loosened(self.limit(b))]

    def within(self, figure: str, limit: float) -> Problem | None:
        """Return the same with options up to a limit; None where a layer has none."""
        layers = []
        for layer in self.layers:
            kept = np.flatnonzero(layer.column(figure) <= loosened(limit))
            if not len(kept):
                return None
            layers.append(layer.only(kept.tolist()))
        return replace(self, layers=tuple(layers))


def loosened(limit: float) -> float:
    """Return a limit that adding up in another order cannot pass."""
    return limit * (1 + SLACK) + SLACK


def figures_of(total: Cost, board: Board) -> dict[str, Estimate]:
    """Return the figures of a design that budgets are about, in blocks of a board and in cycles."""
    logic = logic_of(board)
    areas = {
        resource: logic.converted(resource, getattr(total, BOARD_COLUMN[resource], Estimate()))
        for resource in RESOURCES
    }
    return {**areas, "latency": total.latency_cycles, "ii": total.ii}


def held(figures: dict[str, Estimate], budget: Budget) -> float:
    """Return what is held against a budget: the best value, or the upper end where it says so."""
    found = figures[budget.figure]
    return float(found.high if budget.high else found.value)


def share_of(total: Cost, board: Board) -> float:
    """Return the share of a board that a design takes, by its fullest resource, in per cent."""
    figures = figures_of(total, board)
    shares = []
    for resource in RESOURCES:
        used, available = figures[resource].value, board.resources.count(resource)
        shares.append(used / available if available else float("inf") if used > 0 else 0.0)
    return 100.0 * max(shares)


def area_weights(board: Board) -> dict[str, float]:
    """Return what a block adds to the area: the mean share of a board's resources, in per cent."""
    counts = {resource: board.resources.count(resource) for resource in RESOURCES}
    kinds = sum(count > 0 for count in counts.values())
    return {r: 100.0 / count / kinds if count else 0.0 for r, count in counts.items()}


def area_of(total: Cost, board: Board) -> float:
    """Return the area of a design, the mean share of a board's resources in per cent."""
    figures = figures_of(total, board)
    return sum(weight * figures[r].value for r, weight in area_weights(board).items())


def cost_of(total: Cost, board: Board, figure: str) -> float:
    """Return ``share`` or ``area`` in per cent, or the blocks of a resource."""
    special = {"share": share_of, "area": area_of}
    return (
        special[figure](total, board)
        if figure in special
        else figures_of(total, board)[figure].value
    )
