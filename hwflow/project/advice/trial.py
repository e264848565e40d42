"""Estimates of a design with other settings: what compiling it with them would estimate.

The passes that look at the target run anew on the graph as it stood before them; no pass before
them looks at strategies or reuse factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hwflow.codegen.hls.streams import streams_of
from hwflow.core.board import Board
from hwflow.core.config import Config
from hwflow.core.errors import CompileError
from hwflow.core.limits import parse_reuse_factor
from hwflow.estimate.graph import board_utilisation, estimate, node_cost, total_of, worst_fit
from hwflow.estimate.report import EstimateReport, Utilisation
from hwflow.estimate.streams import Fifos
from hwflow.ir.cost import Cost
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op, Target
from hwflow.ops.shared.matvec import STRATEGIES
from hwflow.passes.graph.apply_settings import apply_settings
from hwflow.passes.graph.choose_requantizers import choose_requantizers
from hwflow.passes.graph.choose_xnor import choose_xnor
from hwflow.passes.graph.legalize import legalize

Settings = Mapping[str, Mapping[str, Any]]
"""Entries that differ, in the form of ``hwflow.toml``: of ``target``, or of one layer by name."""


VERDICTS = ("fits", "may fit", "does not fit yet")
"""What is said about a board, best first."""


@dataclass(frozen=True)
class Trial:
    """Estimated totals with other settings.

    Attributes:
        total: areas, latency and II of the whole design.
        utilisation: against the board.
    """

    total: Cost
    utilisation: tuple[Utilisation, ...]

    @property
    def fits(self) -> str:
        """The worst of the utilisations."""
        return worst_fit([use.fits for use in self.utilisation])

    @property
    def verdict(self) -> str:
        """One of ``VERDICTS``: by the whole intervals, by the best figures, or not even so."""
        if self.fits == "yes":
            return VERDICTS[0]
        return VERDICTS[1] if self.worst <= 100 else VERDICTS[2]

    def percent(self, resource: str) -> float:
        """Return the share of a resource that is used, in per cent."""
        return next((u.percent.value for u in self.utilisation if u.resource == resource), 0.0)

    @property
    def worst(self) -> float:
        """The largest share of any resource, in per cent."""
        return max((use.percent.value for use in self.utilisation), default=0.0)


@dataclass(frozen=True, eq=False)
class Settled:
    """A graph on a target, whose settings can be tried.

    Attributes:
        unsettled: the graph before the passes that look at the target.
        config: the settings in effect.
        target: what the hardware is generated for.
        board: the board that it has to fit.
    """

    unsettled: Graph
    config: Config
    target: Target
    board: Board

    def on(self, target: Target, board: Board) -> Settled:
        """Return the same with another target and board."""
        return Settled(self.unsettled, self.config, target, board)

    @cached_property
    def graph(self) -> Graph:
        """The graph with its requantisers chosen; products are not yet."""
        return choose_requantizers(self.unsettled, self.target)

    @cached_property
    def _costs(self) -> dict[str, Cost]:
        graph = choose_xnor(self.graph, self.target)
        return {n.name: node_cost(graph, n, self.target, fifos=self._fifos) for n in graph.nodes}

    @cached_property
    def _fifos(self) -> Fifos | None:
        """The FIFOs of the graph as it is; reuse factors hardly change how deep they must be."""
        return streams_of(self.graph, self.target).fifos if self.target.streams else None

    @cached_property
    def _known(self) -> dict[tuple[str, str | None, int], Cost | None]:
        return {}

    def quick(self, changes: Mapping[str, tuple[str | None, int | str]]) -> Trial | None:
        """Return totals with other strategies and reuse factors; None where one is not legal.

        Products stay multiplications in the layers that change.

        Args:
            changes: strategy or None, and reuse factor or a bound on it, by layer.
        """
        costs = dict(self._costs)
        for name, (strategy, reuse_factor) in changes.items():
            cost = self._cost_with(self.graph.by_name[name], strategy, reuse_factor)
            if cost is None:
                return None
            costs[name] = cost
        total = total_of(self.graph, costs, self.target)
        return Trial(total, tuple(board_utilisation(total, self.board)))

    def _cost_with(self, node: Node, strategy: str | None, reuse_factor: int | str) -> Cost | None:
        op = with_strategy(node.op, strategy)
        inputs = self.graph.input_types(node)
        asked, legal = parse_reuse_factor(reuse_factor), op.reuse_factors(self.target, *inputs)
        taken = asked if isinstance(asked, int) else asked.taken(legal) or legal[-1]
        key = (node.name, strategy, taken)
        if key not in self._known:
            op = replace(op, reuse_factor=taken)  # type: ignore[call-arg]
            legal_op = not any(op.check(self.target, *inputs))
            changed = replace(node, op=op)
            cost = None
            if legal_op:
                cost = node_cost(self.graph, changed, self.target, fifos=self._fifos)
            self._known[key] = cost
        return self._known[key]

    def whole(self, settings: Settings) -> EstimateReport | None:
        """Return the estimate with other settings; None where they are not legal.

        Args:
            settings: strategies and reuse factors.
        """
        target = self.config.target.model_copy(update=dict(settings.get("target", {})))
        layers = {name: dict(values) for name, values in self.config.layers.items()}
        for name, values in settings.items():
            if name != "target":
                own = self._own_name(name)
                layers[own] = {**layers.get(own, {}), **values}
        kept: dict[str, dict[str, Any]] = {
            name: {key: values[key] for key in ("strategy", "reuse_factor") if key in values}
            for name, values in layers.items()
            if "strategy" in values or "reuse_factor" in values
        }
        config = replace(self.config, target=target, layers=kept, inputs={})
        graph, findings = apply_settings(self.graph, config, self.target)
        try:
            graph = legalize(choose_xnor(graph, self.target), self.target, config)
        except CompileError:
            return None
        if findings:
            return None
        fifos = streams_of(graph, self.target).fifos if self.target.streams else None
        return estimate(graph, self.target, self.board, fifos=fifos)

    def _own_name(self, name: str) -> str:
        """Return the name under which the settings have a layer already, or its own."""
        origin = self.graph.by_name[name].origin
        return origin if origin in self.config.layers else name

    @property
    def choosers(self) -> list[Node]:
        """The layers that have strategies and reuse factors."""
        return [n for n in self.graph.nodes if {"strategy", "reuse_factor"} <= {*n.op.settings}]

    @property
    def sharers(self) -> list[Node]:
        """The layers that have reuse factors alone."""
        known = ((n, n.op.settings) for n in self.graph.nodes)
        return [n for n, keys in known if "reuse_factor" in keys and "strategy" not in keys]


def with_strategy(op: Op, strategy: str | None) -> Op:
    """Return an operator with a strategy, or with its own for None, and a reuse factor of 1."""
    changed: dict[str, Any] = {"reuse_factor": 1}
    if strategy is not None:
        changed["strategy"] = strategy
    return replace(op, **changed)


def strategies() -> tuple[str, ...]:
    """Return the strategies that can be generated here; one needs a package."""
    from importlib.util import find_spec

    missing = find_spec("da4ml") is None
    return tuple(s for s in STRATEGIES if not (missing and s == "distributed_arithmetic"))
