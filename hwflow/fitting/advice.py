"""Which single change would make something fit, or come nearest: each tried, with its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import ceil, floor
from typing import Any

import numpy as np

from hwflow.core.board import Board, list_boards
from hwflow.estimate.device import family_of, speed_grade
from hwflow.fitting.budgets import BLOCKS, Budget, parse_budgets
from hwflow.fitting.change import Change, Miss
from hwflow.fitting.finder import Finder
from hwflow.fitting.fitted import Case
from hwflow.fitting.problem import Problem, figures_of, held
from hwflow.fitting.record import Use
from hwflow.fitting.search import Found, Search, excess_of
from hwflow.fitting.solver import least
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Cost
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op, Target

BOARDS, CLOCKS, LAYERS = 2, 2, 2
"""How many cheap boards, clocks faster and slower, and layers are tried."""

PERIODS = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.5, 16.0, 20.0, 25.0)
"""Clock periods that are tried, in ns."""


def nearest(finder: Finder, cases: Sequence[Case]) -> Miss | None:
    """Return what comes nearest to fitting of all that was looked at; None where nothing can."""
    misses = (nearest_miss(finder, case.board, case.target) for case in cases if not case.why)
    return min((m for m in misses if m is not None), key=lambda m: m.excess, default=None)


def nearest_miss(finder: Finder, board: Board, target: Target) -> Miss | None:
    """Return what comes nearest to fitting; None where nothing can be generated.

    Args:
        finder: the finder of the graph.
        board: the board.
        target: backend, io type, part and clock.
    """
    best: Miss | None = None
    for problem in finder.problems(board, target)[0]:
        found = _in_time(Search(problem, "excess").best)
        if found is None:
            continue
        excess = excess_of(problem, found.total)
        if best is None or excess < best.excess:
            best = Miss(board, target, found.total, excess, _broken(problem, found.total))
    return best


def _in_time(search: Callable[[], Found | None]) -> Found | None:
    """Return what a search finds; None where it takes too long."""
    try:
        return search()
    except TimeoutError:
        return None


def _broken(problem: Problem, total: Cost) -> tuple[Use, ...]:
    figures = figures_of(total, problem.board)
    uses = (Use(b, problem.limit(b), held(figures, b)) for b in problem.broken(total))
    return tuple(sorted(uses, key=lambda use: -use.share))


def changes(finder: Finder, miss: Miss) -> tuple[Change, ...]:
    """Return single changes: those with which something fits, then those that come nearest.

    Args:
        finder: the finder of the graph.
        miss: what comes nearest without a change.
    """
    found = [*_budgets(finder, miss), *_clocks(finder, miss), *_bits(finder, miss)]
    found += _boards(finder, miss)
    better = [change for change in found if change.excess < miss.excess * (1 - 1e-6)]
    return tuple(sorted(better, key=lambda change: (not change.fits, change.excess)))


def _tried(finder: Finder, board: Board, target: Target, settings: Mapping[str, Any]) -> Change:
    """Return a change with the best that it gives, or with what then comes nearest."""
    plan = finder.case(board, target).plan
    if plan is not None:
        return Change(settings, 1.0, plan)
    miss = nearest_miss(finder, board, target)
    return Change(settings, float("inf") if miss is None else miss.excess, None)


def _budgets(finder: Finder, miss: Miss) -> Iterator[Change]:
    """Yield each budget of the user's as far as it must be loosened when no other is."""
    for budget in finder.asked:
        others = tuple(b for b in finder.asked if b is not budget)
        problems, _ = finder.problems(miss.board, miss.target, others)
        ends = [_least(problem, budget) for problem in problems]
        reached = min((end for end in ends if end is not None), default=None)
        if reached is None:
            continue
        text = _loosened(budget, reached, miss)
        (wider,) = parse_budgets({budget.name: text})
        changed = finder.with_budgets((*others, wider))
        yield _tried(changed, miss.board, miss.target, {"budgets": {budget.name: text}})


def _least(problem: Problem, budget: Budget) -> float | None:
    found = _in_time(partial(least, problem, budget.figure))
    return None if found is None else held(figures_of(found.total, problem.board), budget)


def _loosened(budget: Budget, reached: float, miss: Miss) -> str:
    """Return a budget that is just kept by a figure, in the unit that it was written in."""
    clock, high = miss.target.clock_period_ns, ":high" if budget.high else ""
    if budget.figure in BLOCKS.values():
        if budget.amount is not None and budget.amount.percent:
            share = 100.0 * reached / miss.board.resources.count(budget.figure)
            return f"{ceil(share * 10 - 1e-6) / 10:g}%{high}"
        return f"{ceil(reached - 1e-6)}{high}"
    if budget.name == "throughput":
        return str(floor(1e9 / (reached * clock) + 1e-6))
    if budget.cycles is not None:
        return f"{ceil(reached - 1e-6)}{'cycles' if budget.name == 'latency' else ''}"
    return f"{ceil(reached * clock - 1e-6)}ns"


def _clocks(finder: Finder, miss: Miss) -> Iterator[Change]:
    """Yield the next clocks, faster and slower."""
    own = miss.target.clock_period_ns
    faster = [period for period in PERIODS if period < own * 0.95][-CLOCKS:]
    slower = [period for period in PERIODS if period > own * 1.05][:CLOCKS]
    for period in (*reversed(faster), *slower):
        target = replace(miss.target, clock_period_ns=period)
        yield _tried(finder, miss.board, target, {"clock_period_ns": period})


def _boards(finder: Finder, miss: Miss) -> Iterator[Change]:
    """Yield other boards, until one fits: the cheapest that may, and the largest."""
    figures, broken = figures_of(miss.total, miss.board), {u.budget.figure for u in miss.uses}
    faster = not broken & set(BLOCKS.values())  # blocks are not what is short

    def suits(board: Board) -> bool:
        kind = (family_of(board.part), speed_grade(board.part))
        if not board.buildable or board.part == miss.board.part:
            return False
        if faster and kind == (family_of(miss.board.part), speed_grade(miss.board.part)):
            return False
        return all(figures[r].value <= board.resources.count(r) for r in BLOCKS.values())

    ranked = sorted(
        (board for board in list_boards() if suits(board)),
        key=lambda board: (board.price_rank, board.resources.count("lut")),
    )
    largest = sorted(ranked, key=lambda board: board.resources.count("lut"))[-1:]
    for board in dict.fromkeys((*ranked[:BOARDS], *largest)):
        target = replace(miss.target, part=board.part)
        change = _tried(finder, board, target, {"board": board.name})
        yield change
        if change.fits:
            return


def _bits(finder: Finder, miss: Miss) -> Iterator[Change]:
    """Yield weights of fewer bits, for the layers that take most of what is short."""
    for name in _largest(finder, miss)[:LAYERS]:
        op: Any = finder.unsettled.by_name[name].op
        for bits in dict.fromkeys((op.weight.dtype.width - 1, op.weight.dtype.width // 2)):
            graph = _narrowed(finder.unsettled, name, bits) if bits >= 1 else None
            if graph is None:
                continue
            other = replace(finder, unsettled=graph)
            settings = {"bits": {"layer": name, "weights": bits}}
            change = _tried(other, miss.board, miss.target, settings)
            yield change
            if change.fits:
                break


def _largest(finder: Finder, miss: Miss) -> list[str]:
    """Return layers with weights, by what they take at least of the scarcest figure."""
    scarcest = miss.uses[0].budget.figure if miss.uses else "lut"
    column = {"latency": "step"}.get(scarcest, scarcest)
    sizes: dict[str, float] = {}
    for problem in finder.problems(miss.board, miss.target)[0]:
        for layer in problem.layers:
            op = finder.unsettled.by_name[layer.name].op
            if isinstance(getattr(op, "weight", None), FixedArray):
                sizes[layer.name] = float(layer.column(column).min())
    return sorted(sizes, key=lambda name: -sizes[name])


def _narrowed(graph: Graph, name: str, bits: int) -> Graph | None:
    """Return a graph with a layer's weights rounded to fewer bits; None where that is refused.

    The real weights are about the same: bits at the end go.
    """
    op: Any = graph.by_name[name].op
    dtype, less = op.weight.dtype, op.weight.dtype.width - bits
    narrow = FixedType(bits, dtype.integer, dtype.signed)
    raw = np.clip((op.weight.raw + (1 << less >> 1)) >> less, narrow.raw_min, narrow.raw_max)
    changed: Op = replace(op, weight=FixedArray(raw, narrow))
    try:
        return graph.replace_ops({name: changed})
    except (ValueError, OverflowError):
        return None
