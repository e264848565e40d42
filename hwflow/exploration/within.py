"""Which configurations keep to the limits on a board, and what is in the way of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.budgets import Budget, Limit, available_of, eased, reason
from hwflow.exploration.costs import F64
from hwflow.exploration.explorer import Explorer, Priced
from hwflow.exploration.found import Found
from hwflow.exploration.front import costs_of, pareto

NOTHING = "HW344"
"""What is said where nothing keeps to the limits."""


def check_limits(explorer: Explorer) -> None:
    """Refuse limits that the data cannot answer.

    Raises:
        CompileError: HW343, accuracy is limited and there are no labels.
    """
    limited = [limit for limit in explorer.request.limits if limit.figure == "accuracy"]
    if limited and explorer.search.labels is None:
        raise CompileError([_no_labels(limited[0])])


def _no_labels(limit: Limit) -> Diagnostic:
    return Diagnostic(
        code="HW343", title="limit that cannot be held against anything", where="--min",
        found=f"{limit.name}={100 * limit.number:g}%, and the data has no labels",
        help=f"limit agreement with the float model instead: --min agree={100 * limit.number:g}%",
    )  # fmt: skip


def excess_of(explorer: Explorer, priced: Priced, found: Found) -> F64:
    """Return how far configurations are beyond each limit, (limits, configurations)."""
    budget = Budget(explorer.request.limits, available_of(priced.board))
    return budget.excess(priced.figures(found.numbers), _shares(explorer, found))


def _shares(explorer: Explorer, found: Found) -> dict[str, F64]:
    shares = found.counts / explorer.search.size
    return {"accuracy": shares[:, 0], "agreement": shares[:, 1]}


def within(
    explorer: Explorer, priced: Priced, found: Found
) -> tuple[Found, list[dict[str, Any]]]:  # fmt: skip
    """Return what keeps to the limits, and the points that would be on the front without them.

    Returns:
        The configurations, and for each such point ``id``, ``bits``, right answers as ``search``,
        and ``reasons``, such as ``dsp 3,214 > 220``.

    Raises:
        CompileError: HW344, nothing keeps to them.
    """
    if not explorer.request.limits:
        return found, []
    excess = excess_of(explorer, priced, found)
    inside = excess.sum(axis=0) == 0
    table = {**priced.figures(found.numbers), **_shares(explorer, found)}
    if not inside.any():
        raise CompileError([_nothing(explorer, priced, found, (excess, table))])
    kept = replace(found, numbers=found.numbers[inside], counts=found.counts[inside])
    column = 0 if explorer.search.labels is not None else 1
    quality = found.counts[:, column].astype(np.int64)
    rows = pareto(quality, costs_of(table, explorer.request.cost))
    left_out = [
        {
            "id": int(found.numbers[row]),
            "bits": explorer.space.choices(int(found.numbers[row])),
            "search": int(quality[row]) / explorer.search.size,
            "reasons": _reasons(explorer, priced, (excess, table), int(row)),
        }
        for row in rows.tolist()
        if not inside[row]
    ]
    return kept, left_out


Measured = tuple[F64, Mapping[str, F64]]
"""How far configurations are beyond each limit, and what they have."""


def _reasons(explorer: Explorer, priced: Priced, measured: Measured, row: int) -> list[str]:
    excess, table = measured
    available = available_of(priced.board)
    return [
        reason(limit, float(table[limit.figure][row]), available)
        for limit, beyond in zip(explorer.request.limits, excess[:, row], strict=True)
        if beyond > 0
    ]


def _nothing(explorer: Explorer, priced: Priced, found: Found, measured: Measured) -> Diagnostic:
    """Return what is nearest to the limits, and which of them alone is in the way."""
    excess, _ = measured
    row = int(np.lexsort((excess.sum(axis=0), excess.max(axis=0)))[0])
    said = ", ".join(_reasons(explorer, priced, measured, row))
    ways = [
        way
        for at, limit in enumerate(explorer.request.limits)
        if (way := _way(limit, at, measured, priced)) is not None
    ]
    help_ = " or ".join(ways) + (" would do" if ways else "")
    return Diagnostic(
        code=NOTHING, title="nothing keeps to the limits", where=priced.name,
        found=f"the nearest of {len(found.numbers):,} is point {int(found.numbers[row])}: {said}",
        help=help_ or "no single limit is in the way: ease several, or take a larger board",
    )  # fmt: skip


def _way(limit: Limit, at: int, measured: Measured, priced: Priced) -> str | None:
    """Return how far a limit has to be eased if all others stay, if that is enough."""
    excess, table = measured
    rest = np.delete(excess, at, axis=0).sum(axis=0) == 0
    values = table[limit.figure][rest]
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    best = float(values.max() if limit.least else values.min())
    return eased(limit, best, available_of(priced.board))
