"""Evaluates configurations chunk by chunk, from disk where they are there already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.workers import Executor, Processes
from hwflow.exploration.budgets import after_those_within
from hwflow.exploration.cheapest import Part
from hwflow.exploration.checks import Recomputed, compare, recomputed
from hwflow.exploration.explorer import Explorer, Priced, Progress
from hwflow.exploration.found import Counts, Found
from hwflow.exploration.front import costs_of
from hwflow.exploration.plan import CHECKS, CHUNK, Plan
from hwflow.exploration.protocols import F64, Evaluator, Searcher
from hwflow.exploration.searching import Evolution
from hwflow.exploration.space import Numbers, Space
from hwflow.exploration.store import Store
from hwflow.exploration.tree import Tree
from hwflow.exploration.within import excess_of

PART = 32
"""Most configurations of a generation that one worker evaluates at a time."""

BLOCK = 2**20
"""Configurations whose stages are looked for at a time: bounds the memory."""

LEAST = 4
"""Fewest: those that are evaluated together share their first layers."""


IDLE = 50
"""Times in a row that a searcher may ask for nothing new before it is not asked any more."""

NewSearcher = Callable[[Space, int], Searcher]
"""Makes a searcher for a space and a seed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Goes through a space as a plan says.

    Attributes:
        explorer: the model.
        plan: what to evaluate.
        store: what was evaluated before, and where the rest is kept.
        executor: what evaluates.
        progress: called with the share that is done.
        search: makes a searcher for the space and a seed; None for ``Evolution``.
        part: configurations that are evaluated before all others, proven to be the cheapest.
    """

    explorer: Explorer
    plan: Plan
    store: Store
    executor: Executor
    progress: Progress
    search: NewSearcher | None = None
    part: Part | None = None

    def run(self) -> Found:
        """Evaluate what is missing, and return all."""
        if self.plan.exhaustive:
            return self._exhaustive()
        return self._heuristic()

    def _exhaustive(self) -> Found:
        plan = self.plan
        done = self.store.chunks()
        missing = [chunk for chunk in range(plan.chunks) if chunk not in done]
        self._compile(missing)
        self.progress("evaluate", 0.0)
        tasks = [(plan.numbers(chunk), plan.checked(chunk, self._seed)) for chunk in missing]
        for i, counts in enumerate(self._computed(tasks)):
            self.store.add(missing[i], counts)
            self.progress("evaluate", (plan.chunks - len(missing) + i + 1) / plan.chunks)
        return found_in(self.store, plan)

    def _compile(self, chunks: Sequence[int]) -> None:
        """Compile what no worker should compile again."""
        step = max(1, BLOCK // self.plan.chunk)
        for at in range(0, len(chunks), step):
            self.progress("compile", at / len(chunks))
            numbers = [self.plan.numbers(chunk) for chunk in chunks[at : at + step]]
            self.explorer.boards[0].learn(np.concatenate(numbers), local(self.executor))
        self.explorer.boards[0].assembly.rest()

    def _heuristic(self) -> Found:
        """Evaluate what the searcher asks for, each configuration once."""
        self.progress("evaluate", 0.0)
        if self.part is not None:
            self._cheapest(self.part)
            if self.part.plain()["whole"]:
                return found_in(self.store, self.plan)
        kept, searcher = self.store.single(), self._searcher()
        seen: set[int] = set()
        turn = idle = 0
        began, over = time.monotonic(), False
        while len(seen) < self.plan.evaluations and idle < IDLE and not over:
            left = self.plan.evaluations - len(seen)
            new = self._asked(searcher.ask(left))[:left]
            if not len(new):
                break
            missing = np.array(sorted({*new.tolist()} - kept.keys()), np.int64)
            if len(missing):
                self._hold(missing)
                self.store.add_single(missing.tolist(), self._evaluated(missing, turn))
                kept = self.store.single()
            searcher.tell(new, *self._told(new, _counts(kept, new)))
            idle = 0 if {*new.tolist()} - seen else idle + 1
            seen |= {*new.tolist()}
            turn += 1
            gone = (time.monotonic() - began) / (self.plan.time_s or inf)
            over = gone > 1
            self.progress("evaluate", min(1.0, max(gone, len(seen) / self.plan.evaluations)))
        return found_in(self.store, self.plan)

    def _cheapest(self, part: Part) -> None:
        """Evaluate all of a part, in chunks."""
        kept = np.array(list(self.store.single()), np.int64)
        missing = np.setdiff1d(part.numbers, kept)
        chunks = [missing[at : at + CHUNK] for at in range(0, len(missing), CHUNK)]
        step = max(1, len(chunks) // CHECKS)
        tasks = [(c, int(c[len(c) // 2]) if i % step == 0 else None) for i, c in enumerate(chunks)]
        self.explorer.boards[0].learn(missing, local(self.executor))
        self.explorer.boards[0].assembly.rest()
        for i, counts in enumerate(self._computed(tasks)):
            self._hold(chunks[i])
            self.store.add_single(chunks[i].tolist(), counts)
            self.progress("evaluate the cheapest", (i + 1) / len(chunks))

    def _hold(self, numbers: Numbers) -> None:
        """Hold bounds against what is evaluated, where there are any."""
        if self.part is not None:
            self.part.hold(numbers)

    def _searcher(self) -> Searcher:
        if self.search is not None:
            return self.search(self.explorer.space, self._seed)
        return Evolution(priced=self.explorer.boards[0], tree=self._tree(), seed=self._seed)

    def _asked(self, numbers: Any) -> Numbers:
        """Return what a searcher asks for, held against the space."""
        asked = np.asarray(numbers, np.int64).reshape(-1)
        if len(asked) and not 0 <= asked.min() <= asked.max() < self.plan.size:
            raise CompileError([_outside(asked, self.plan.size)])
        return asked

    def _told(self, numbers: Numbers, counts: Counts) -> tuple[Numbers, F64]:
        """Return right answers and costs of configurations, as searchers take them."""
        column = 0 if self.explorer.search.labels is not None else 1
        prices = self.explorer.boards[0]
        costs = costs_of(prices.figures(numbers), self.explorer.request.cost)
        quality = counts[:, column].astype(np.int64)
        if self.explorer.request.limits:
            some = Found(numbers, counts, certified=False)
            beyond = excess_of(self.explorer, prices, some)
            last = np.array([self.plan.size - 1])  # all at most bits
            highest = costs_of(prices.figures(last), self.explorer.request.cost)[0]
            worst = self.explorer.search.size, highest
            quality, costs = after_those_within(beyond, quality, costs, worst)
        return quality, costs

    def _evaluated(self, numbers: Numbers, generation: int) -> Counts:
        self.explorer.boards[0].learn(numbers, local(self.executor))
        size = min(PART, max(LEAST, len(numbers) // self.executor.slots))
        parts = [numbers[i : i + size] for i in range(0, len(numbers), size)]
        tasks = [(part, int(part[0]) if i == 0 and generation % 4 == 0 else None)
                 for i, part in enumerate(parts)]  # fmt: skip
        return np.concatenate(list(self._computed(tasks)))

    def _computed(self, tasks: Sequence[_Task]) -> Iterator[Counts]:
        """Yield the counts of tasks: configurations, and one that is computed again or None."""
        seconds = self.plan.seconds / self.plan.size * max((len(n) for n, _ in tasks), default=1)
        group = self.executor.group(len(tasks), seconds)
        priced, near = self.explorer.boards[0], isinstance(self.executor, Processes)
        known = _Known(self._tree(), (self.explorer, priced) if near else None)
        found = self.executor.in_order(examined, known, tasks, group=group)
        for (numbers, again), (counts, usual) in zip(tasks, found, strict=True):
            if again is not None:
                right, agree = counts[int(np.searchsorted(numbers, again))].tolist()
                usual = usual or recomputed(self.explorer, priced, again)
                compare(priced, (right, agree), usual)
            yield counts

    def _tree(self) -> Tree:
        return self.explorer.tree(self.explorer.search)

    @property
    def _seed(self) -> int:
        return self.explorer.request.seed


_Task = tuple[Numbers, int | None]
"""Configurations, and the one of them that is computed a second time, if any."""


@dataclass(frozen=True, eq=False)
class _Known:
    """What all tasks have in common.

    Attributes:
        tree: what evaluates.
        model: what computes a second time; None where a worker does not have it.
    """

    tree: Tree
    model: tuple[Explorer, Priced] | None


def examined(known: _Known, task: _Task) -> tuple[Counts, Recomputed | None]:
    """Return the right answers of configurations, and of one the usual way, in any process."""
    numbers, again = task
    counts = counted(known.tree, numbers)
    if again is None or known.model is None:
        return counts, None
    return counts, recomputed(*known.model, again)


def counted(evaluator: Evaluator, numbers: Numbers) -> Counts:
    """Return the right answers of configurations, in any process."""
    return evaluator.counts(numbers)


def _counts(kept: Mapping[int, tuple[int, int]], numbers: Numbers) -> Counts:
    return np.array([kept[n] for n in numbers.tolist()], np.int32).reshape(-1, 2)


def found_in(store: Store, plan: Plan) -> Found:
    """Return everything that was evaluated, as the plan has it."""
    if plan.exhaustive:
        counts = np.concatenate([c for _, c in store.counts()])
        return Found(np.arange(plan.size), counts, certified=True)
    kept = store.single()
    numbers = np.array(list(kept), np.int64)
    whole = len(numbers) == plan.size or bool(plan.part and plan.part["whole"])
    return Found(numbers, _counts(kept, numbers), certified=whole, part=plan.part)


def _outside(asked: Numbers, size: int) -> Diagnostic:
    return Diagnostic(
        code="HW349", title="searcher that asks for configurations which are not there",
        where="searcher", found=f"{asked.min()} to {asked.max()}", supported=f"0 to {size - 1}",
        help="number choices with `space.number(digits)`, digits below `space.sizes`",
    )  # fmt: skip


def local(executor: Executor) -> Processes:
    """Return processes that have the model; remote ones do not."""
    return executor if isinstance(executor, Processes) else Processes(1)
