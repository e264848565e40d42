"""Chooses the settings of a model: the best of the estimate for boards, clocks and io types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hwflow.core.board import Board
from hwflow.core.config import Config, read_config, read_settings
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fitting.advice import changes, nearest
from hwflow.fitting.budgets import parse_budgets, verify_budgets
from hwflow.fitting.finder import Finder
from hwflow.fitting.fitted import Fit, best_plans
from hwflow.fitting.options import Progress
from hwflow.fitting.settings import chosen_config
from hwflow.fitting.solver import TARGETS
from hwflow.ir.op import Target
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
        options: further ones of ``compile``, but ``board``, ``strategy`` and ``reuse_factor``.

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
    finder = Finder(
        unsettled=design.origin.unsettled, config=design.config, goal=target, asked=asked,
        progress=progress,
    )  # fmt: skip
    targets = _targets(design, boards or (design.board,), clock_period_ns, free=free)
    cases = tuple(finder.case(each, to) for each, to in targets)
    found = Fit(
        source=design.source, goal=target, budgets=asked, cases=cases,
        plans=best_plans(cases, target), config=design.config,
    )  # fmt: skip
    if found.best is None:
        miss = nearest(finder, cases)
        return found if miss is None else replace(found, miss=miss, changes=changes(finder, miss))
    best = finder.with_binding(found.best)
    found = replace(found, plans=(best, *found.plans[1:]))
    given = dict(zip((each.name for each in boards), map(str, names), strict=True))
    name = given.get(best.board.name, design.config.target.board)
    return _confirmed(found, source, chosen_config(design.config, best, name), options)


def _targets(
    design: Design, boards: Sequence[Board], clocks: Any, *, free: bool
) -> Iterator[tuple[Board, Target]]:
    """Yield what is looked at: boards, with io types where those are free, and clocks."""
    periods = [float(clock) for clock in _several(clocks, (int, float))]
    for board in boards:
        own = design.config.target.clock_period_ns or board.clock_period_ns
        for io_type in IO_TYPES if free else (design.target.io_type,):
            for clock in periods or (own,):
                to = replace(design.target, io_type=io_type, part=board.part, clock_period_ns=clock)
                yield board, to


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


def _confirmed(found: Fit, source: Any, config: Config, options: Mapping[str, Any]) -> Fit:
    """Return what was found with the design that its settings give, whose estimate is the same.

    Raises:
        RuntimeError: the estimate of the compiled design is another one, which is a bug of hwflow.
    """
    plan = found.best
    assert plan is not None
    own = {k: v for k, v in options.items() if k != "io_type"}
    design = compile_model(source, config=config, **own)
    if design.estimate().total != plan.report.total:
        raise RuntimeError(f"the settings chosen for {found.source} have another estimate")
    return replace(found, config=config, design=design)


def _no_target(target: str) -> Diagnostic:
    return Diagnostic(
        code="HW531",
        title="unknown target of a fit",
        found=repr(target)[:80],
        supported=", ".join(TARGETS),
    )
