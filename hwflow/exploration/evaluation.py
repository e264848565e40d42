"""Evaluates configurations chunk by chunk, from disk where they are there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwflow.core.workers import Executor
from hwflow.exploration.checks import check
from hwflow.exploration.evolution import children
from hwflow.exploration.explorer import Explorer, Progress
from hwflow.exploration.front import costs_of
from hwflow.exploration.plan import Plan
from hwflow.exploration.result import Counts, Found
from hwflow.exploration.separable import predicted_front, single_losses
from hwflow.exploration.space import Numbers
from hwflow.exploration.store import Store
from hwflow.exploration.tree import Tree

PART = 32
"""Most configurations of a generation that one worker evaluates at a time."""

LEAST = 4
"""Fewest: those that are evaluated together share their first layers."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Goes through a space as a plan says.

    Attributes:
        explorer: the model.
        plan: what to evaluate.
        store: what was evaluated before, and where the rest is kept.
        executor: what evaluates.
        progress: called with the share that is done.
    """

    explorer: Explorer
    plan: Plan
    store: Store
    executor: Executor
    progress: Progress

    def run(self) -> Found:
        """Evaluate what is missing, and return all."""
        self.progress("evaluate", 0.0)
        if self.plan.exhaustive:
            return self._exhaustive()
        return self._heuristic()

    def _exhaustive(self) -> Found:
        plan, priced = self.plan, self.explorer.boards[0]
        done = self.store.chunks()
        missing = [chunk for chunk in range(plan.chunks) if chunk not in done]
        for chunk in missing:
            priced.figures(plan.numbers(chunk))  # what no worker should compile again
        tasks = [(plan.numbers(chunk), plan.checked(chunk, self._seed)) for chunk in missing]
        for i, counts in enumerate(self._computed(tasks)):
            self.store.add(missing[i], counts)
            self.progress("evaluate", (plan.chunks - len(missing) + i + 1) / plan.chunks)
        return found_in(self.store, plan)

    def _heuristic(self) -> Found:
        """Evaluate the front of single losses, then generations of its children."""
        kept = self.store.single()
        numbers, generation = np.empty(0, np.int64), 0
        while len(numbers) < self.plan.evaluations:
            new = self._generation(generation, numbers, _counts(kept, numbers))
            new = new[: self.plan.evaluations - len(numbers)]
            if not len(new):
                break
            missing = np.array([n for n in new.tolist() if n not in kept], np.int64)
            if len(missing):
                counts = self._evaluated(missing, generation)
                self.store.add_single(missing.tolist(), counts)
                kept = self.store.single()
            numbers = np.concatenate([numbers, new])
            generation += 1
            self.progress("evaluate", len(numbers) / self.plan.evaluations)
        return found_in(self.store, self.plan)

    def _generation(self, generation: int, numbers: Numbers, counts: Counts) -> Numbers:
        priced, space = self.explorer.boards[0], self.explorer.space
        if generation == 0:
            return predicted_front(priced, single_losses(space, self._tree()))
        column = 0 if self.explorer.search.labels is not None else 1
        costs = costs_of(priced.figures(numbers), self.explorer.request.cost)
        quality = counts[:, column].astype(np.int64)
        return children(space, numbers, quality, costs, (self._seed, generation))

    def _evaluated(self, numbers: Numbers, generation: int) -> Counts:
        self.explorer.boards[0].figures(numbers)
        size = min(PART, max(LEAST, len(numbers) // self.executor.slots))
        parts = [numbers[i : i + size] for i in range(0, len(numbers), size)]
        tasks = [(part, int(part[0]) if i == 0 and generation % 4 == 0 else None)
                 for i, part in enumerate(parts)]  # fmt: skip
        return np.concatenate(list(self._computed(tasks)))

    def _computed(self, tasks: Sequence[tuple[Numbers, int | None]]) -> Iterator[Counts]:
        """Yield the counts of tasks: configurations, and one that is computed again or None."""
        parts = [numbers for numbers, _ in tasks]
        seconds = self.plan.seconds / self.plan.size * max(map(len, parts), default=1)
        group = self.executor.group(len(tasks), seconds)
        found = self.executor.in_order(counted, self._tree(), parts, group=group)
        for (numbers, again), counts in zip(tasks, found, strict=True):
            if again is not None:
                right, agree = counts[int(np.searchsorted(numbers, again))].tolist()
                check(self.explorer, self.explorer.boards[0], again, (right, agree))
            yield counts

    def _tree(self) -> Tree:
        return self.explorer.tree(self.explorer.search)

    @property
    def _seed(self) -> int:
        return self.explorer.request.seed


def counted(tree: Tree, numbers: Numbers) -> Counts:
    """Return the right answers of configurations, in any process."""
    return tree.counts(numbers)


def _counts(kept: Mapping[int, tuple[int, int]], numbers: Numbers) -> Counts:
    return np.array([kept[n] for n in numbers.tolist()], np.int32).reshape(-1, 2)


def found_in(store: Store, plan: Plan) -> Found:
    """Return everything that was evaluated, as the plan has it."""
    if plan.exhaustive:
        counts = np.concatenate([c for _, c in store.counts()])
        return Found(np.arange(plan.size), counts, certified=True)
    kept = store.single()
    numbers = np.array(list(kept), np.int64)
    return Found(numbers, _counts(kept, numbers), certified=len(numbers) == plan.size)
