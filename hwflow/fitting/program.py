"""Linear programs with choices, for HiGHS: one option of each group, and linear constraints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

SECONDS = 60.0
"""Time that one program may take; what is found by then has a bound, but no proof."""

SCALE = 1000.0
"""Largest coefficient of an objective, so that HiGHS' absolute gap of 1e-6 is a part in 1e9."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen.

    Attributes:
        options: index of the option taken, by group.
        goal: what was to be least, with it.
        proven: whether no other choice is better.
    """

    options: tuple[int, ...]
    goal: float
    proven: bool


@dataclass(eq=False)
class Program:
    """Groups of which one option each is taken, and continuous variables of 0 or more.

    A linear expression is a vector: a coefficient for each variable, and a constant at the end.

    Attributes:
        sizes: options of each group.
        extra: continuous variables.
        rows: expressions that must be 0 at most.
    """

    sizes: Sequence[int]
    extra: int = 0
    rows: list[Vector] = field(default_factory=list)

    @property
    def binaries(self) -> int:
        """Variables of options."""
        return sum(self.sizes)

    def zero(self) -> Vector:
        """Return the expression 0."""
        return np.zeros(self.binaries + self.extra + 1)

    def constant(self, value: float) -> Vector:
        """Return a number as an expression."""
        found = self.zero()
        found[-1] = value
        return found

    def variable(self, index: int) -> Vector:
        """Return a continuous variable as an expression."""
        found = self.zero()
        found[self.binaries + index] = 1.0
        return found

    def sum_of(self, figures: Sequence[Vector]) -> Vector:
        """Return the sum over groups of what is chosen, from a figure of each option by group."""
        found = self.zero()
        found[: self.binaries] = np.concatenate(figures)
        return found

    def of_group(self, group: int, figures: Vector) -> Vector:
        """Return the figure of what is chosen in a group."""
        found = self.zero()
        start = sum(self.sizes[:group])
        found[start : start + len(figures)] = figures
        return found

    def at_most(self, expression: Vector, limit: Vector) -> None:
        """Ask that an expression is at most another one."""
        self.rows.append(expression - limit)

    def forbid(self, options: Sequence[int]) -> None:
        """Ask for something else than these options, by group."""
        row = self.zero()
        starts = np.cumsum([0, *self.sizes[:-1]])
        row[starts + np.array(options)] = 1.0
        row[-1] = 1.0 - len(options)
        self.rows.append(row)

    def minimum(self, goal: Vector) -> Choice | None:
        """Return the choice with the least goal; None where there is none.

        Raises:
            TimeoutError: nothing was found in ``SECONDS``, and it was not shown that there is
                nothing.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        n = self.binaries + self.extra
        groups = np.repeat(np.arange(len(self.sizes)), self.sizes)
        one = csr_array(
            (np.ones(len(groups)), (groups, np.arange(len(groups)))), (len(self.sizes), n)
        )
        constraints = [LinearConstraint(one, 1.0, 1.0)]
        if self.rows:
            rows = np.array([_scaled(row) for row in self.rows])
            constraints.append(LinearConstraint(csr_array(rows[:, :-1]), -np.inf, -rows[:, -1]))
        upper = np.concatenate([np.ones(self.binaries), np.full(self.extra, np.inf)])
        largest = float(np.abs(goal[:-1]).max(initial=0.0)) / SCALE or 1.0
        with silence():
            found = milp(
                goal[:-1] / largest,
                integrality=np.concatenate([np.ones(self.binaries), np.zeros(self.extra)]),
                bounds=Bounds(0.0, upper),
                constraints=constraints,
                options={"mip_rel_gap": 0.0, "time_limit": SECONDS},
            )
        if found.status == 2:
            return None
        if found.x is None:
            raise TimeoutError(
                f"HiGHS found nothing within {SECONDS:g} s, and not that there is nothing"
            )
        starts = np.cumsum([0, *self.sizes])
        taken = (found.x[a:b].argmax() for a, b in pairwise(starts))
        value = float(found.fun) * largest + float(goal[-1])
        return Choice(tuple(int(i) for i in taken), value, found.status == 0)


@contextmanager
def silence() -> Iterator[None]:
    """Keep what HiGHS prints beside its log out of standard output, which programs read."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _scaled(row: Vector) -> Vector:
    """Return a constraint whose largest coefficient is 1."""
    largest = np.abs(row[:-1]).max(initial=0.0)
    return row / largest if largest else row
