"""How much of a front stands if the estimates are as wrong as their intervals say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.exploration.costs import SUMS, StageCost
from hwflow.exploration.explorer import Priced
from hwflow.exploration.front import costs_of, pareto
from hwflow.exploration.space import Numbers

F64 = npt.NDArray[np.float64]

DRAWS = 1000
"""Times that costs are drawn."""

RIVALS = 400
"""Configurations that points are compared with: those of the front, and of the next fronts."""

QUANTILE = 1.6448536269514722
"""Quantile of the normal distribution for 95 %: intervals are from the 5 to the 95 % quantile."""

DRAWN = (
    "the error of each layer and figure within its interval, log-normal on either side and the "
    "same for all bits of the layer; latency, II and energy as estimated"
)
"""What differs from draw to draw. An error that all layers have in common changes no order."""


def stability(
    priced: Priced, numbers: Numbers, quality: npt.NDArray[np.int64], names: Sequence[str],
    seed: int,
) -> tuple[list[float], dict[str, Any]] | None:  # fmt: skip
    """Return in which share of draws each point of the front is on it, and what was drawn.

    Args:
        priced: what costs are drawn for.
        numbers: the configurations; those of the front first, others that come next after them.
        quality: right answers of each.
        names: what counts against a configuration.
        seed: seed of the draws.

    Returns:
        A share for each configuration; None where no cost that counts is drawn.
    """
    if not set(names) & {*SUMS, "share"}:
        return None
    rng = np.random.default_rng(seed)
    sums = _Sums(priced, numbers)
    nominal = priced.figures(numbers)
    beyond = nominal["lut_synth"] - sums.best("lut_synth")  # LUTs in the place of missing DSPs
    better = quality[:, None] >= quality[None, :]
    stays = np.zeros(len(numbers))
    for _ in range(DRAWS):
        found = sums.drawn(rng)
        found["lut_synth"] = found["lut_synth"] + beyond
        if "share" in names:
            found["share"] = priced.costs.shares(found)
        costs = costs_of({**nominal, **found}, names)
        stays += ~_beaten(costs, quality, better)
    about = {
        "draws": DRAWS, "seed": seed, "rivals": len(numbers), "drawn": DRAWN,
    }  # fmt: skip
    return (stays / DRAWS).tolist(), about


def _beaten(
    costs: F64, quality: npt.NDArray[np.int64], better: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return which rows another one beats: nowhere worse, somewhere better, or equal and before.

    Args:
        costs: (rows, costs).
        quality: (rows,).
        better: whether one row is as good as another, (one, another).
    """
    if costs.shape[1] == 1:
        left = np.ones(len(quality), bool)
        left[pareto(quality, costs)] = False
        return left
    cheaper = (costs[:, None, :] <= costs[None, :, :]).all(axis=2) & better
    same = cheaper & cheaper.T
    before = np.arange(len(quality))[:, None] < np.arange(len(quality))[None, :]
    return np.asarray((cheaper & (~same | before)).any(axis=0))


class _Sums:
    """Sums of figures over layers, as estimated and drawn."""

    def __init__(self, priced: Priced, numbers: Numbers) -> None:
        self._stages = [
            (np.array([_ends(kind) for kind in kinds], np.float64), inverse)
            for kinds, inverse in priced.costs.kinds(numbers)
        ]

    def best(self, name: str) -> F64:
        """Return a figure as estimated."""
        found: F64 = sum(
            (ends[inverse, 0, SUMS.index(name)] for ends, inverse in self._stages), np.zeros(1)
        )
        return found

    def drawn(self, rng: np.random.Generator) -> dict[str, F64]:
        """Return all figures with new errors."""
        errors = rng.standard_normal((len(self._stages), len(SUMS))) / QUANTILE
        total: F64 = sum(
            (
                _with_error(ends, error)[inverse]
                for (ends, inverse), error in zip(self._stages, errors, strict=True)
            ),
            np.zeros((1, len(SUMS))),
        )
        return {name: total[:, i] for i, name in enumerate(SUMS)}


def _ends(kind: StageCost) -> tuple[tuple[float, ...], ...]:
    return kind.sums, kind.low, kind.high


def _with_error(ends: F64, error: F64) -> F64:
    """Return figures that lie as far in their intervals as an error says.

    Args:
        ends: best figure, lower and upper end, (kinds, 3, figures).
        error: for each figure: 0 is the best one, -1 and 1 are the ends.
    """
    value, low, high = ends[:, 0], ends[:, 1], ends[:, 2]
    end, size = np.where(error < 0, low, high), np.abs(error)
    straight = np.maximum(value + size * (end - value), 0.0)
    usual = (value > 0) & (end > 0)
    ratio = np.divide(end, value, out=np.ones_like(value), where=usual) ** size
    found: F64 = np.where(usual, value * ratio, straight)
    return found


def rivals(quality: npt.NDArray[np.int64], costs: F64) -> npt.NDArray[np.int64]:
    """Return rows of the front, then of the front without it, and so on, ``RIVALS`` about."""
    left = np.arange(len(quality))
    found: list[npt.NDArray[np.int64]] = []
    while len(left) and sum(map(len, found)) < RIVALS:
        front = left[pareto(quality[left], costs[left])]
        found.append(front)
        left = np.setdiff1d(left, front, assume_unique=True)
    first, *rest = found
    others = np.concatenate([np.empty(0, np.int64), *rest])
    return np.concatenate([first, others[: max(0, RIVALS - len(first))]])
