"""The front that would be if losses of single choices added up, for all budgets at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.exploration.costs import SUMS
from hwflow.exploration.explorer import Priced
from hwflow.exploration.space import Numbers, Space
from hwflow.exploration.tree import Tree

F64 = npt.NDArray[np.float64]

LABELS = 64
"""Partial configurations that are kept of each choice of what later stages depend on."""


def single_losses(space: Space, tree: Tree) -> list[F64]:
    """Return what each option of each variable loses, all others at their most bits.

    The loss is the mean divergence of the classes' probabilities from the float model's, in nats.
    """
    widest = [size - 1 for size in space.sizes]
    wanted = {}
    for variable, size in enumerate(space.sizes):
        for option in range(size):
            digits = [*widest[:variable], option, *widest[variable + 1 :]]
            wanted[variable, option] = space.number(digits)
    numbers = np.unique(np.array(list(wanted.values()), np.int64))
    losses = dict(zip(numbers.tolist(), tree.losses(numbers).tolist(), strict=True))
    return [
        np.array([losses[wanted[variable, option]] for option in range(size)])
        for variable, size in enumerate(space.sizes)
    ]


def stage_areas(priced: Priced) -> list[F64]:
    """Return what each stage takes of the board, by the options of its variables.

    It is the sum of the shares of all resources, of one configuration for each choice.
    """
    table, space = priced.table, priced.table.space
    numbers = np.array([space.number(d) for d in table.covering()], np.int64)
    found = []
    weights = priced.costs.weights()
    for own, (kinds, inverse) in zip(table.variables, priced.costs.kinds(numbers), strict=True):
        areas = np.full([space.sizes[v] for v in own], np.inf)
        sums = np.array([sum(w * k.sums[SUMS.index(n)] for n, w in weights.items()) for k in kinds])
        places = tuple(space.options(numbers, v) for v in own)
        np.minimum.at(areas, places, sums[inverse])
        found.append(areas)
    return found


@dataclass(frozen=True, eq=False)
class _Labels:
    """Partial configurations.

    Attributes:
        digits: options so far, (labels, variables).
        area: what they take.
        loss: what they lose.
    """

    digits: npt.NDArray[np.int64]
    area: F64
    loss: F64

    def of(self, rows: npt.NDArray[np.int64]) -> _Labels:
        return _Labels(self.digits[rows], self.area[rows], self.loss[rows])


def predicted_front(priced: Priced, losses: list[F64]) -> Numbers:
    """Return configurations that none beats in the sum of areas and of single losses, ascending.

    Dynamic programming over the stages: of two partial configurations that later stages cannot
    tell apart, one that takes more and loses more is dropped (Bellman's principle).
    """
    space, variables = priced.table.space, priced.table.variables
    areas = stage_areas(priced)
    labels = _Labels(np.zeros((1, len(space.sizes)), np.int64), np.zeros(1), np.zeros(1))
    known: set[int] = set()
    for stage, own in enumerate(variables):
        for variable in own:
            if variable not in known:
                labels = _grown(labels, variable, losses[variable])
                known.add(variable)
        places = tuple(labels.digits[:, v] for v in own)
        labels = _Labels(labels.digits, labels.area + areas[stage][places], labels.loss)
        live = sorted({v for later in variables[stage + 1 :] for v in later} & known)
        labels = _pruned(labels, live)
    return np.unique(labels.digits @ np.array(space.strides, np.int64))


def _grown(labels: _Labels, variable: int, losses: F64) -> _Labels:
    """Return labels with each option of one more variable."""
    options = np.arange(len(losses))
    digits = np.repeat(labels.digits, len(losses), axis=0)
    digits[:, variable] = np.tile(options, len(labels.area))
    return _Labels(
        digits, np.repeat(labels.area, len(losses)),
        np.repeat(labels.loss, len(losses)) + np.tile(losses, len(labels.area)),
    )  # fmt: skip


def _pruned(labels: _Labels, live: list[int]) -> _Labels:
    """Return the labels that no other with the same live options beats, evenly thinned."""
    _, group = np.unique(labels.digits[:, live], axis=0, return_inverse=True)
    group = group.ravel()
    order = np.lexsort((labels.loss, labels.area, group))
    kept: list[npt.NDArray[np.int64]] = []
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        best = np.minimum.accumulate(labels.loss[rows])
        front = rows[labels.loss[rows] < np.concatenate([[np.inf], best[:-1]])]
        picks = np.unique(np.linspace(0, len(front) - 1, LABELS).round().astype(np.int64))
        kept.append(front[picks])
    return labels.of(np.concatenate(kept))
