"""Finds the best settings of a graph for one board, clock and io type after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hwflow.codegen.hls.streams import streams_of
from hwflow.core.board import Board
from hwflow.core.config import Config
from hwflow.core.errors import CompileError
from hwflow.estimate.graph import estimate, total_of
from hwflow.estimate.liveness import is_stage
from hwflow.fitting.budgets import Budget, board_budgets
from hwflow.fitting.fitted import Case
from hwflow.fitting.options import Layer, Ops, Option, Progress, layers_of, ops_of, regimes
from hwflow.fitting.problem import Problem, area_of, cost_of, figures_of, held, loosened
from hwflow.fitting.record import LayerChoice, Plan, Use
from hwflow.fitting.search import Found
from hwflow.fitting.solver import TARGETS, solve
from hwflow.ir.cost import Cost
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op, Target
from hwflow.passes.graph.choose_requantizers import choose_requantizers
from hwflow.passes.graph.legalize import legalize

NEARLY = 80.0
"""Per cent of a budget from which it is asked whether it binds."""

TRIES = 20
"""Choices that are looked at while FIFOs take more than was counted."""


@dataclass(frozen=True, eq=False)
class _Choices:
    """What the layers can be on a target, by regime; or why nothing can be generated."""

    regimes: tuple[tuple[Graph, tuple[Layer, ...], bool], ...]
    why: str = ""


@dataclass(eq=False, kw_only=True)
class Finder:
    """Finds the best settings.

    Attributes:
        unsettled: the graph before the passes that look at the target.
        config: what the user set.
        goal: ``latency``, ``throughput``, or one of ``COSTS``.
        asked: the user's budgets.
        progress: called with the stage and the share of it that is done.
        strategies: those that layers may have; all unless given.
        tries: choices that are looked at while FIFOs take more than was counted.
    """

    unsettled: Graph
    config: Config
    goal: str
    asked: tuple[Budget, ...]
    progress: Progress
    strategies: tuple[str, ...] = ()
    tries: int = TRIES

    def __post_init__(self) -> None:
        self._known: dict[Target, _Choices] = {}

    def with_budgets(self, asked: tuple[Budget, ...]) -> Finder:
        """Return the same with other budgets of the user's, for the same ends of intervals."""
        other = replace(self, asked=asked)
        other._known = self._known
        return other

    def case(self, board: Board, target: Target) -> Case:
        """Return the best settings for a board and a target."""
        problems, why = self.problems(board, target)
        stage = f"solve {board.name}, {target.io_type}, {target.clock_period_ns:g} ns"
        self.progress(stage, 0.0)
        try:
            found = [plan for plan in map(self.best, problems) if plan is not None]
        except TimeoutError as error:
            return Case(board, target, why=str(error))
        self.progress(stage, 1.0)
        best = min(found, key=lambda plan: plan.rank(self.goal), default=None)
        return Case(board, target, best, why)

    def with_binding(self, plan: Plan) -> Plan:
        """Return a plan that says which budgets bind: without which alone something is better."""
        own, uses = self._rank(plan)[0], []
        for use in plan.uses:
            others = tuple(b for b in self.asked if b is not use.budget)
            if use.share >= NEARLY:
                other = self.with_budgets(others).case(plan.board, plan.target).plan
                better = None if other is None else self._rank(other)[0]
                if better is not None and better < own / loosened(1.0):
                    use = replace(use, without=better)
            uses.append(use)
        return replace(plan, uses=tuple(uses))

    def problems(
        self, board: Board, target: Target, budgets: Sequence[Budget] | None = None
    ) -> tuple[list[Problem], str]:
        """Return what is asked on a board, by regime; and why nothing can be generated, if so.

        Args:
            board: the board.
            target: backend, io type, part and clock.
            budgets: other ones than the user's.
        """
        if target not in self._known:  # boards with one part have the choices in common
            self._known[target] = self._choices(target)
        choices = self._known[target]
        asked = self.asked if budgets is None else budgets
        problems = [
            Problem(
                graph=graph, target=target, board=board, layers=layers,
                budgets=(*asked, *board_budgets(board)), dataflow=dataflow,
            )
            for graph, layers, dataflow in choices.regimes
        ]  # fmt: skip
        return problems, choices.why

    def _choices(self, target: Target) -> _Choices:
        graph = choose_requantizers(self.unsettled, target)
        ops = self._allowed(ops_of(graph, target, self.config))
        why = self._obstacle(graph, target, ops)
        return _Choices((), why) if why else _Choices(tuple(self._regimes(graph, target, ops)))

    def _allowed(self, ops: Ops) -> Ops:
        """Return the choices with strategies that are allowed, of layers that have any."""
        if not self.strategies:
            return ops
        return {
            name: [c for c in of if c[0].get("strategy", self.strategies[0]) in self.strategies]
            for name, of in ops.items()
        }

    def _regimes(
        self, graph: Graph, target: Target, ops: Ops
    ) -> Iterator[tuple[Graph, tuple[Layer, ...], bool]]:
        ends = any(budget.high for budget in self.asked)
        for dataflow, of in regimes(ops, target):
            example = graph.replace_ops(_example(of, dataflow=dataflow))
            fifos = streams_of(example, target).least_fifos if target.streams else None
            layers = layers_of(example, target, of, ends=ends, fifos=fifos, progress=self.progress)
            yield example, layers, dataflow and not target.streams

    def _obstacle(self, graph: Graph, target: Target, ops: Ops) -> str:
        """Return why nothing can be generated, whatever is chosen; or an empty text."""
        first = {name: of[0][1] for name, of in ops.items() if of}
        try:
            legalize(graph.replace_ops(first), target, self.config)
        except CompileError as error:
            return "; ".join(dict.fromkeys(f"{d.title} ({d.where})" for d in error.diagnostics))
        none = [name for name, of in ops.items() if not of]
        return f"no legal settings for {', '.join(none)}" if none else ""

    def best(self, problem: Problem) -> Plan | None:
        """Return the best plan of a problem, with the estimate of the graph that it gives.

        How deep FIFOs must be to lose no cycle follows from the whole design. Choices are priced
        with the least depths that cannot lock, so that what they promise bounds from below what
        they give; others are looked at until one gives no more than all that are left promise.
        """
        kept: Plan | None = None
        for _ in range(self.tries):
            found = solve(problem, self.goal)
            if found is None:
                return kept
            plan, asked = self._plan(problem, found)
            if not problem.broken(asked) and (kept is None or self._rank(plan) < self._rank(kept)):
                kept = plan
            if kept is not None and self._settles(kept, problem, found.total):
                return kept
            problem = replace(problem, excluded=(*problem.excluded, found.options))
        return None if kept is None else replace(kept, proven=False)

    def _rank(self, plan: Plan) -> tuple[float, ...]:
        return plan.rank(self.goal)

    def _settles(self, kept: Plan, problem: Problem, promised: Cost) -> bool:
        """Return whether a plan is as good as all that others promise."""
        clock, area = problem.target.clock_period_ns, area_of(promised, problem.board)
        times = {"latency": promised.latency_cycles, "throughput": promised.ii}
        first = times[self.goal].value * clock if self.goal in times else area
        own = self._rank(kept)
        if self.goal not in TARGETS:
            return own[0] <= loosened(cost_of(promised, problem.board, self.goal))
        if own[0] < first / loosened(1.0):
            return True
        return own[0] <= loosened(first) and own[1] <= loosened(area)

    def plan_of(self, problem: Problem, found: Found) -> Plan:
        """Return the plan of a choice."""
        return self._plan(problem, found)[0]

    def _plan(self, problem: Problem, found: Found) -> tuple[Plan, Cost]:
        """Return the plan of a choice, and what its design asks for."""
        graph, target, board = problem.graph, problem.target, problem.board
        taken = [*zip(graph.nodes, problem.layers, found.options, strict=True)]
        chosen = graph.replace_ops({node.name: option.op for node, _, option in taken})
        fifos = streams_of(chosen, target).fifos if target.streams else None
        report = estimate(chosen, target, board, fifos=fifos)
        costs = {row.name: row.cost for row in report.layers}
        asked = total_of(chosen, costs, target)
        if not target.streams and asked != found.total:
            raise RuntimeError(f"the estimate of {graph.name} is not that of its layers")
        figures = figures_of(asked, board)
        plan = Plan(
            board=board,
            target=target,
            layers=tuple(_chosen(n, layer, o, costs[n.name]) for n, layer, o in taken),
            report=report,
            area=area_of(asked, board),
            proven=found.proven,
            uses=tuple(Use(b, problem.limit(b), held(figures, b)) for b in self.asked),
        )
        return plan, asked


def _example(ops: Ops, *, dataflow: bool) -> dict[str, Op]:
    """Return an operator for each layer, with which the design is a dataflow, or is none."""
    found = {name: of[0][1] for name, of in ops.items()}
    for name, of in ops.items() if dataflow else ():
        found[name] = next((op for _, op in of if is_stage(op)), found[name])
    return found


def _chosen(node: Node, layer: Layer, option: Option, cost: Cost) -> LayerChoice:
    return LayerChoice(
        name=node.name, origin=node.origin, kind=node.op.kind, settings=option.settings,
        cost=cost, tried=layer.tried,
    )  # fmt: skip
