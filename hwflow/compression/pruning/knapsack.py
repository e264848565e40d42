"""The most valuable set of groups whose hardware there is room for, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.fitting.program import SECONDS, silence

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CELLS = 10**8
"""Groups times units of room up to which a table is made; beyond it HiGHS searches."""

SLACK = 1e-9
"""Part of a bound that rounding may be off by, so that nothing is fixed too early."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A set of groups.

    Attributes:
        groups: which are in it.
        value: their values, added up.
        proven: whether no other set within the budgets is worth more.
    """

    groups: Mask
    value: float
    proven: bool


def most_valuable(values: Vector, costs: Vector, budgets: Vector, needed: Mask) -> Kept | None:
    """Return the set of greatest value within the budgets; None where the needed alone exceed them.

    A 0-1 knapsack with one row for each resource. Most groups are settled by the linear
    relaxation: one whose reduced cost is greater than the gap between the relaxation and a set
    that is known has the same place in every better set (Martello and Toth, Knapsack Problems,
    1990, section 2.2.3). What is left is solved by a
    table where one resource is counted in whole numbers, else by HiGHS.

    Args:
        values: 0 or more, ``(groups,)``.
        costs: 0 or more, ``(resources, groups)``; quick where they are whole numbers.
        budgets: ``(resources,)``.
        needed: groups that stay in any case.

    Raises:
        TimeoutError: HiGHS found nothing in ``hwflow.fitting.program.SECONDS``.
    """
    room = budgets - costs[:, needed].sum(axis=1)
    if (room < 0).any():
        return None
    fits = (costs <= room[:, None]).all(axis=0)
    chosen = needed | (fits & (costs == 0).all(axis=0))
    free = np.flatnonzero(~chosen & fits & (values > 0))
    taken, proven = _solved(values[free], costs[:, free], room)
    chosen[free[taken]] = True
    return Kept(chosen, float(values[chosen].sum()), proven)


def _solved(values: Vector, costs: Vector, room: Vector) -> tuple[Mask, bool]:
    """Return which of some groups are taken, and whether that is proven to be best."""
    if not len(values) or (costs.sum(axis=1) <= room).all():
        return np.ones(len(values), bool), True
    share, prices = _relaxed(values, costs, room)
    known = _rounded(share, values, costs, room)
    reduced = values - prices @ costs
    bound = float(prices @ room + np.maximum(reduced, 0.0).sum())
    gap = bound - float(values[known].sum()) + SLACK * max(bound, 1.0)
    open_, inside = np.abs(reduced) <= gap, reduced > gap
    if not open_.any():
        return inside, True
    left = room - costs[:, inside].sum(axis=1)
    taken, proven = _exact(values[open_], costs[:, open_], left)
    found = inside.copy()
    found[open_] = taken
    better = values[found].sum() >= values[known].sum()
    return (found if better else known), proven


def _relaxed(values: Vector, costs: Vector, room: Vector) -> tuple[Vector, Vector]:
    """Return the part of each group that the linear relaxation takes, and what room is worth.

    With one resource groups are taken by their value per cost (Dantzig 1957).
    """
    if len(room) == 1:
        ratio = values / costs[0]
        order = np.argsort(-ratio, kind="stable")
        whole = np.cumsum(costs[0, order]) <= room[0]
        share = np.zeros(len(values))
        share[order[whole]] = 1.0
        return share, ratio[order[~whole][:1]]
    from scipy.optimize import linprog

    with silence():
        found = linprog(-values, A_ub=costs, b_ub=room, bounds=(0.0, 1.0), method="highs-ipm")
    return np.asarray(found.x), np.maximum(-np.asarray(found.ineqlin.marginals), 0.0)


def _rounded(share: Vector, values: Vector, costs: Vector, room: Vector) -> Mask:
    """Return a set within the room: what the relaxation takes whole, then what still fits."""
    found = share > 1 - 1e-9
    left = room - costs[:, found].sum(axis=1)
    worth = values / np.maximum((costs / np.maximum(room, 1e-300)[:, None]).sum(axis=0), 1e-300)
    for i in np.argsort(-worth, kind="stable"):
        if not found[i] and (costs[:, i] <= left).all():
            found[i] = True
            left = left - costs[:, i]
    return found


def _exact(values: Vector, costs: Vector, room: Vector) -> tuple[Mask, bool]:
    whole = len(room) == 1 and bool((costs == np.rint(costs)).all())
    if whole and len(values) * (room[0] + 1) <= CELLS:
        return _by_table(values, costs[0].astype(np.int64), int(room[0])), True
    return _by_search(values, costs, room)


def _by_table(values: Vector, costs: npt.NDArray[np.int64], room: int) -> Mask:
    """Return the best set by the greatest value for every room (Bellman 1957)."""
    best = np.zeros(room + 1)
    takes = np.zeros((len(values), room + 1), bool)
    for i, (value, cost) in enumerate(zip(values, costs, strict=True)):
        if cost > room:
            continue
        with_it = best[: room + 1 - cost] + value
        better = with_it > best[cost:]
        takes[i, cost:] = better
        best[cost:] = np.where(better, with_it, best[cost:])
    found = np.zeros(len(values), bool)
    for i in range(len(values) - 1, -1, -1):
        found[i] = takes[i, room]
        room -= int(costs[i]) if found[i] else 0
    return found


def _by_search(values: Vector, costs: Vector, room: Vector) -> tuple[Mask, bool]:
    """Return the best set by branch and bound, and whether that was finished in time."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    with silence():
        found = milp(
            -values / values.max(), integrality=np.ones(len(values)), bounds=Bounds(0.0, 1.0),
            constraints=LinearConstraint(costs, -np.inf, room),
            options={"mip_rel_gap": 0.0, "time_limit": SECONDS},
        )  # fmt: skip
    if found.x is None:
        raise TimeoutError(f"HiGHS found nothing within {SECONDS:g} s")
    return found.x > 0.5, found.status == 0
