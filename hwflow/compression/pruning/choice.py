"""Chooses what stays of a network, such that the estimate of the whole meets a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.compression.pruning.groups import Groups, Pattern, groups_of
from hwflow.compression.pruning.knapsack import Kept, most_valuable
from hwflow.compression.pruning.prices import prices_of
from hwflow.compression.pruning.surgery import reduced, without
from hwflow.compression.rough import Rough
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

UNITS = 16
"""Parts of a LUT or DSP block that prices are counted in, rounded up."""

PROBES = 6
"""Networks that are estimated for one choice, at most."""

NEAR = 0.98
"""Part of a limit from which on no more valuable set is looked for."""

WIDEST = 1.5
"""Greatest budget of the knapsack, in parts of what the prices say; they leave out what groups
share, so that the whole may cost less than its parts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Chosen:
    """What stays of a network.

    Attributes:
        model: the network; weights that leave are 0, channels that leave are gone.
        figures: what it costs, by measure.
        groups: groups that there were; 0 where the limits were met with all of them.
        kept: those that stay.
        proven: whether no other set of the same cost is more valuable.
        met: whether all limits are.
    """

    model: QonnxModel
    figures: Mapping[str, float]
    groups: int
    kept: int
    proven: bool
    met: bool


def choose(
    model: QonnxModel, rough: Rough, limits: Mapping[str, float], *, pattern: Pattern,
    values: Mapping[str, Floats],
) -> Chosen:  # fmt: skip
    """Return the most valuable part of a network whose estimate meets limits.

    A knapsack chooses by the values and prices of groups. Its budget is what the limit leaves for
    weights, corrected with estimates of the networks that it gives, by bisection.

    Args:
        model: a float network, prepared.
        rough: estimates.
        limits: the most that the network may cost, by measure.
        pattern: what is pruned together.
        values: the value of each weight, like ``Layer.matrix``, by the name of the layer's node.
    """
    measures = tuple(limits)
    figures = rough.figures(model, measures)
    if _meets(figures, limits):
        return Chosen(model=model, figures=figures, groups=0, kept=0, proven=True, met=True)
    search = _Search(model, rough, limits, pattern, values)
    low, high = 0.0, WIDEST
    scale, best = 1.0, None
    for _ in range(PROBES):
        found = search.at(scale)
        if found is None or not found.met:
            high = scale
        else:
            low, best = scale, found
            if any(found.figures[m] >= NEAR * limits[m] for m in measures):
                break
        scale = (low + high) / 2
    return best or search.least()


class _Search:
    """The choices for different budgets."""

    def __init__(
        self, model: QonnxModel, rough: Rough, limits: Mapping[str, float], pattern: Pattern,
        values: Mapping[str, Floats],
    ) -> None:  # fmt: skip
        self.model, self.rough, self.limits = model, rough, limits
        prices = prices_of(model, rough, tuple(limits))
        self.groups = groups_of(
            model, pattern, made=rough.quantized(model), hardware=rough.hardware, values=values
        )
        self.values = self.groups.sums(values)
        costs = [self.groups.sums(prices[m].weights) for m in limits]
        self.costs = np.ceil(UNITS * np.array(costs) - 1e-6)
        self.room = UNITS * np.array([limits[m] - prices[m].fixed for m in limits])
        self.needed = _needed(self.groups, self.values)

    def at(self, scale: float) -> Chosen | None:
        """Return the choice for a part of the room; None where the needed groups exceed it."""
        budgets = np.floor(np.maximum(self.room, 0.0) * scale)
        kept = most_valuable(self.values, self.costs, budgets, self.needed)
        return None if kept is None else self.applied(kept)

    def least(self) -> Chosen:
        """Return the network with what it needs alone."""
        return self.applied(Kept(self.needed, float(self.values[self.needed].sum()), True))

    def applied(self, kept: Kept) -> Chosen:
        """Return the network with the groups that are kept, and what it costs."""
        model = pruned(self.model, self.groups, kept.groups)
        figures = self.rough.figures(model, tuple(self.limits))
        return Chosen(
            model=model, figures=figures, groups=self.groups.count, kept=int(kept.groups.sum()),
            proven=kept.proven, met=_meets(figures, self.limits),
        )  # fmt: skip


def pruned(model: QonnxModel, groups: Groups, kept: Mask) -> QonnxModel:
    """Return a network without the groups that are not kept."""
    if groups.channels is not None:
        free = np.array(groups.channels.free)
        return reduced(without(groups.channels, free[~kept].tolist()))
    made, leaving = clone(model), groups.leaving(kept)
    for layer in list(layers_of(made)):
        layer.set_matrix(np.where(leaving[layer.node.name or ""], 0.0, layer.matrix()))
    return reduced(made)


def _needed(groups: Groups, values: Floats) -> Mask:
    """Return the most valuable group of each layer: a layer without weights passes nothing on."""
    needed = np.zeros(groups.count, bool)
    for side in groups.owners:
        for owners in side.values():
            own = np.unique(owners[owners >= 0])
            whole = groups.channels is None or bool((owners >= 0).all())
            if own.size and whole:
                needed[own[np.argmax(values[own])]] = True
    return needed


def _meets(figures: Mapping[str, float], limits: Mapping[str, float]) -> bool:
    return all(figures[measure] <= most for measure, most in limits.items())
