"""What every completion of a partial configuration costs at least.

A stage's cost depends on its options, the types of what it takes, and the channels that are read of
its result. So a network is gone through as an automaton: a state is what later stages can tell of
the choices before, the options that they share and the types that they take. All states that can
be reached are found, from the first stage on. From the last stage back, dynamic programming (R.
Bellman, Dynamic Programming, 1957) gives the least sum from each state on. For the channels that
are read, the least cost of all that later choices can make of them is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from hwflow.core.workers import Processes
from hwflow.exploration.costs import SUMS, Costs
from hwflow.exploration.explorer import Priced
from hwflow.exploration.space import Numbers
from hwflow.exploration.table import Table

F64 = npt.NDArray[np.float64]

EDGES = 8192
"""Choices at the states of one stage, from which on no bound is looked for: each is compiled."""

READS = 64
"""The same, of ways in which later choices can read what is there in one state."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Stride:
    """How one stage leads from states to states.

    Attributes:
        new: variables that no stage before depends on; their options are chosen here, the last
            counting fastest.
        prefix: for each state a configuration that leads to it, later options 0, (states,).
        adds: what each choice adds to the number of a configuration, (choices,).
        instance: the stage, as it is for each, (states, choices).
        after: the state that follows, (states, choices).
    """

    new: tuple[int, ...]
    prefix: Numbers
    adds: Numbers
    instance: Numbers
    after: Numbers


@dataclass(frozen=True, eq=False, kw_only=True)
class Bounds:
    """Least costs of all completions, on one board.

    Attributes:
        costs: what turns sums into figures.
        strides: one for each stage.
        own: least cost of each stage, (states, choices, SUMS) each.
        rest: least sums from each state on, (states, SUMS), before each stage and behind the last.
    """

    costs: Costs
    strides: list[Stride]
    own: list[F64]
    rest: list[F64]

    @cached_property
    def table(self) -> Table:
        """The stages."""
        return self.costs.table

    def walk(self, numbers: Numbers) -> list[tuple[Numbers, Numbers]]:
        """Return the state before each stage, and the choice in it, of configurations."""
        space, state = self.table.space, np.zeros(len(numbers), np.int64)
        found = []
        for stride in self.strides:
            choice = np.zeros(len(numbers), np.int64)
            for variable in stride.new:
                choice = choice * space.sizes[variable] + space.options(numbers, variable)
            found.append((state, choice))
            state = stride.after[state, choice]
        return found

    def suffixes(self, stage: int, figure: int) -> Numbers:
        """Return what completes a configuration at least cost, for each state before a stage.

        Args:
            stage: number of the stage.
            figure: which of ``SUMS`` is to be least.
        """
        state = np.arange(len(self.rest[stage]))
        found = np.zeros(len(state), np.int64)
        for i in range(stage, len(self.strides)):
            stride = self.strides[i]
            total = self.own[i][state, :, figure] + self.rest[i + 1][stride.after[state], figure]
            choice = total.argmin(axis=1)
            found += stride.adds[choice]
            state = stride.after[state, choice]
        return found

    def at_least(self, numbers: Numbers) -> list[F64]:
        """Return what configurations cost at least, by their choices before each stage, and by all.

        Each is of shape (configurations, SUMS).
        """
        total = np.zeros((len(numbers), len(SUMS)))
        found = []
        for i, (state, choice) in enumerate(self.walk(numbers)):
            found.append(total + self.rest[i][state])
            total = total + self.own[i][state, choice]
        return [*found, total]


def bounds_of(priced: Priced, executor: Processes) -> Bounds | None:
    """Return the bounds of a space on a board; None where there are too many states.

    Args:
        priced: the space; what is missing of it is compiled.
        executor: what compiles.
    """
    while True:
        stages = priced.table.stages
        strides = _strides(priced, executor)
        if priced.table.stages is stages:
            break
    if strides is None:
        return None
    own = _own(priced.costs, strides)
    if own is None:
        return None
    rest = [np.zeros((int(strides[-1].after.max()) + 1, len(SUMS)))]
    for stride, cost in zip(reversed(strides), reversed(own), strict=True):
        rest.insert(0, (cost + rest[0][stride.after]).min(axis=1))
    return Bounds(costs=priced.costs, strides=strides, own=own, rest=rest)


def _strides(priced: Priced, executor: Processes) -> list[Stride] | None:
    """Return all states and what leads from each to the next, from the first stage on."""
    table, space = priced.table, priced.table.space
    stages, variables = table.stages, table.variables
    prefix, types = np.zeros(1, np.int64), np.zeros((1, len(stages)), np.int64)
    known: set[int] = set()
    found = []
    for i in range(len(stages)):
        new = tuple(v for v in variables[i] if v not in known)
        known |= {*new}
        adds = _adds(priced, new)
        if len(prefix) * len(adds) > EDGES:
            return None
        numbers = (prefix[:, None] + adds).ravel()
        priced.learn(numbers, executor)
        if table.stages is not stages:
            return None
        instance = table.paths(numbers)[i]
        types = np.repeat(types, len(adds), axis=0)
        types[:, i] = [table.instances[at].result for at in instance.tolist()]
        columns = [space.options(numbers, v) for v in sorted(known & _later(variables, i))]
        columns += [types[:, f] for f in live(table, i)]
        keys = np.stack(columns, axis=1) if columns else np.zeros((len(numbers), 1), np.int64)
        _, first, after = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        shape = len(prefix), len(adds)
        found.append(
            Stride(new=new, prefix=prefix, adds=adds, instance=instance.reshape(shape),
                   after=after.reshape(shape))
        )  # fmt: skip
        prefix, types = numbers[first], types[first]
    return found if len(known) == len(space.sizes) else None


def _adds(priced: Priced, new: tuple[int, ...]) -> Numbers:
    """Return what each choice of some variables adds to the number of a configuration."""
    space = priced.table.space
    choices = product(*(range(space.sizes[v]) for v in new))
    return np.array([sum(d * space.strides[v] for d, v in zip(c, new, strict=True))
                     for c in choices], np.int64)  # fmt: skip


def _later(variables: list[tuple[int, ...]], stage: int) -> set[int]:
    return {v for own in variables[stage + 1 :] for v in own}


def live(table: Table, stage: int) -> list[int]:
    """Return the stages up to one whose results later stages take."""
    return sorted({f for s in table.stages[stage + 1 :] for f in s.feeds if f <= stage})


Reads = Mapping[tuple[int, ...], int]
"""Channels that are read of each live result, and what completes a configuration for it."""


def _own(costs: Costs, strides: list[Stride]) -> list[F64] | None:
    """Return the least cost of each stage for each state and choice, from the last stage on."""
    reads: list[Reads] = [{(): 0}]
    found: list[F64] = []
    for i in reversed(range(len(strides))):
        stride = strides[i]
        own = np.full((*stride.instance.shape, len(SUMS)), np.inf)
        before: list[Reads] = []
        for state, instances in enumerate(stride.instance.tolist()):
            made: dict[tuple[int, ...], int] = {}
            for choice, instance in enumerate(instances):
                for masks, suffix in reads[int(stride.after[state, choice])].items():
                    later = dict(zip(live(costs.table, i), masks, strict=True))
                    read = costs.read_of(instance, [later[i]] if i in later else [])
                    rest = suffix + int(stride.adds[choice])
                    cost = costs.cost((instance, read), int(stride.prefix[state]) + rest)
                    own[state, choice] = np.minimum(own[state, choice], cost.sums)
                    made.setdefault(_read_before(costs, i, later, (instance, read)), rest)
            if len(made) > READS:
                return None
            before.append(made)
        found.insert(0, own)
        reads = before
    return found


def _read_before(
    costs: Costs, stage: int, later: Mapping[int, int], key: tuple[int, int]
) -> tuple[int, ...]:
    """Return the channels that a stage and later ones read of the results before it."""
    feeds = costs.table.stages[stage].feeds
    taken = dict(zip(feeds, costs.taken(*key), strict=True))
    parts = ([m[f] for m in (taken, later) if f in m] for f in live(costs.table, stage - 1))
    return tuple(costs.joined(part) for part in parts)
