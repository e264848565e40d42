"""Chooses the settings of a model: the best of the estimate for boards, clocks and io types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hwflow.core.board import Board
from hwflow.core.config import Config, read_config, read_settings
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.estimate.graph import estimate
from hwflow.estimate.liveness import is_stage
from hwflow.fitting.budgets import Budget, board_budgets, parse_budgets, verify_budgets
from hwflow.fitting.options import Layer, Ops, Progress, layers_of, ops_of, regimes
from hwflow.fitting.problem import Problem, area_of, figures_of, held
from hwflow.fitting.record import Case, Fit, LayerChoice, Plan, Use, best_plans
from hwflow.fitting.settings import chosen_config
from hwflow.fitting.solver import TARGETS, solve
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op, Target
from hwflow.passes.graph.legalize import legalize
from hwflow.project.advice.trial import Settled
from hwflow.project.candidates import load_boards
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

IO_TYPES = ("io_parallel", "io_stream")


def fit(
    source: Any,
    *,
    target: str = "latency",
    board: str | Path | Sequence[str | Path] | None = None,
    clock_period_ns: float | Sequence[float] | None = None,
    budgets: Mapping[str, object] | None = None,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    progress: Progress = lambda stage, done: None,
    **options: Any,
) -> Fit:
    """Choose strategies, reuse factors, parallelization factors and the io type of a model.

    No bit of any result changes. What is set for a layer, in ``config``, is not chosen; nor is the
    io type where it is set. What is found is proven to be the best of the estimate among all legal
    settings, and of all that are as good, the one of least area: the mean share of the board's
    resources.

    Args:
        source: what ``load`` takes.
        target: what must be best: ``latency``, ``throughput`` or ``area``.
        board: name of a board profile, or path of one; or several.
        clock_period_ns: one clock; or several, of which one is chosen.
        budgets: what the design may take at most, such as ``{"lut": "60%", "latency": "1us"}``;
            beside them, it must fit the board, by the best values of the estimate.
        config: settings, see ``compile``; limits in ``[verify]`` are budgets, too.
        progress: called with the stage and the share of it that is done.
        options: further options of ``compile``: ``io_type``, ``backend``, ``plugins``, ``weights``,
            ``trust``, ``data``, ``example``.

    Raises:
        CompileError: what ``compile`` and ``load_board`` find; HW530, a budget cannot be read;
            HW531, there is no such target.
    """
    if target not in TARGETS:
        raise CompileError([_no_target(target)])
    asked = parse_budgets(budgets or {})
    names = _several(board, (str, Path))
    boards = load_boards([str(name) for name in names])
    progress("compile", 0.0)
    design, free = _compiled(source, config, str(names[0]) if names else None, options)
    progress("compile", 1.0)
    asked += tuple(verify_budgets(design.config.verify))
    finder = _Finder(design, target, asked, progress)
    clocks = [float(clock) for clock in _several(clock_period_ns, (int, float))]
    cases = tuple(
        finder.case(each, io_type, clock)
        for each in boards or (design.board,)
        for io_type in (IO_TYPES if free else (design.target.io_type,))
        for clock in clocks or (design.config.target.clock_period_ns or each.clock_period_ns,)
    )
    found = Fit(
        source=design.source, goal=target, budgets=asked, cases=cases,
        plans=best_plans(cases, target), config=design.config,
    )  # fmt: skip
    if found.best is None:
        return found
    given = dict(zip((each.name for each in boards), map(str, names), strict=True))
    name = given.get(found.best.board.name, design.config.target.board)
    return _confirmed(found, source, chosen_config(design.config, found.best, name), options)


def _several(given: Any, one: tuple[type, ...]) -> list[Any]:
    """Return what was given, one or several, as a list."""
    if given is None:
        return []
    return [given] if isinstance(given, one) else list(given)


def _compiled(
    source: Any, config: Any, board: str | None, options: Mapping[str, Any]
) -> tuple[Design, bool]:
    """Return a design, whose settings can be tried, and whether the io type can be chosen."""
    settings = read_config(Path(config)) if isinstance(config, (str, Path)) else config
    if not isinstance(settings, Config):
        settings = read_settings(settings or {})
    free = "io_type" not in settings.target.model_fields_set and options.get("io_type") is None
    compiled = partial(compile_model, source, config=config, board=board)
    try:
        return compiled(**options), free
    except CompileError:
        if not free:
            raise
        try:
            return compiled(**{**options, "io_type": IO_TYPES[1]}), free
        except CompileError:
            pass
        raise


@dataclass(frozen=True, eq=False)
class _Choices:
    """What the layers can be on a target, by regime; or why nothing can be generated."""

    regimes: tuple[tuple[Graph, tuple[Layer, ...], bool], ...]
    why: str = ""


@dataclass(eq=False)
class _Finder:
    """Finds the best settings for one board, clock and io type after the other."""

    design: Design
    goal: str
    asked: tuple[Budget, ...]
    progress: Progress

    def __post_init__(self) -> None:
        self._known: dict[Target, _Choices] = {}

    def case(self, board: Board, io_type: str, clock: float) -> Case:
        """Return what was found."""
        target = replace(
            self.design.target, io_type=io_type, part=board.part, clock_period_ns=clock
        )
        if target not in self._known:  # boards with one part have the choices in common
            self._known[target] = self._choices(target)
        choices = self._known[target]
        stage = f"solve {board.name}, {io_type}, {clock:g} ns"
        self.progress(stage, 0.0)
        plans = [self._best(board, target, *regime) for regime in choices.regimes]
        self.progress(stage, 1.0)
        found = [plan for plan in plans if plan is not None]
        best = min(found, key=lambda plan: plan.rank(self.goal), default=None)
        return Case(board, target, best, choices.why)

    def _choices(self, target: Target) -> _Choices:
        design = self.design
        settled = Settled(design.origin.unsettled, design.config, target, design.board)
        ops = ops_of(settled.graph, target, design.config)
        why = self._obstacle(settled, ops)
        if why:
            return _Choices((), why)
        ends = any(budget.high for budget in self.asked)
        found = []
        for dataflow, of in regimes(ops, target):
            graph = settled.graph.replace_ops(_example(of, dataflow=dataflow))
            layers = layers_of(graph, target, of, ends=ends, progress=self.progress)
            found.append((graph, layers, dataflow and not target.streams))
        return _Choices(tuple(found))

    def _obstacle(self, settled: Settled, ops: Ops) -> str:
        """Return why nothing can be generated, whatever is chosen; or an empty text."""
        first = {name: of[0][1] for name, of in ops.items() if of}
        try:
            legalize(settled.graph.replace_ops(first), settled.target, self.design.config)
        except CompileError as error:
            return "; ".join(dict.fromkeys(f"{d.title} ({d.where})" for d in error.diagnostics))
        none = [name for name, of in ops.items() if not of]
        return f"no legal settings for {', '.join(none)}" if none else ""

    def _best(
        self, board: Board, target: Target, graph: Graph, layers: tuple[Layer, ...], dataflow: bool
    ) -> Plan | None:
        """Return the best plan, with the estimate of the graph that it gives."""
        budgets = (*self.asked, *board_budgets(board))
        problem = Problem(
            graph=graph, target=target, board=board, layers=layers, budgets=budgets,
            dataflow=dataflow,
        )  # fmt: skip
        found = solve(problem, self.goal)
        if found is None:
            return None
        taken = [*zip(graph.nodes, layers, found.options, strict=True)]
        chosen = graph.replace_ops({node.name: option.op for node, _, option in taken})
        report = estimate(chosen, target, board)
        if report.total != found.total:
            raise RuntimeError(f"the estimate of {self.design.source} is not that of its layers")
        figures = figures_of(report.total, board)
        return Plan(
            board=board,
            target=target,
            layers=tuple(
                LayerChoice(
                    name=node.name,
                    origin=node.origin,
                    kind=node.op.kind,
                    settings=option.settings,
                    cost=option.cost,
                    tried=layer.tried,
                )
                for node, layer, option in taken
            ),
            report=report,
            area=area_of(report.total, board),
            proven=found.proven,
            uses=tuple(Use(b, problem.limit(b), held(figures, b)) for b in self.asked),
        )


def _example(ops: Ops, *, dataflow: bool) -> dict[str, Op]:
    """Return an operator for each layer, with which the design is a dataflow, or is none."""
    found = {name: of[0][1] for name, of in ops.items()}
    for name, of in ops.items() if dataflow else ():
        found[name] = next((op for _, op in of if is_stage(op)), found[name])
    return found


def _confirmed(found: Fit, source: Any, config: Config, options: Mapping[str, Any]) -> Fit:
    """Return what was found with the design that its settings give, whose estimate is the same.

    Raises:
        RuntimeError: the estimate of the compiled design is another one, which is a bug of hwflow.
    """
    plan = found.best
    assert plan is not None
    own = {k: v for k, v in options.items() if k != "io_type"}
    design = compile_model(source, config=config, **own)
    if estimate(design.graph, design.target, design.board).total != plan.report.total:
        raise RuntimeError(f"the settings chosen for {found.source} have another estimate")
    return replace(found, config=config, design=design)


def _no_target(target: str) -> Diagnostic:
    return Diagnostic(
        code="HW531",
        title="unknown target of a fit",
        found=repr(target)[:80],
        supported=", ".join(TARGETS),
    )
