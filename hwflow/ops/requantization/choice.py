"""The cheapest implementation that provably computes a requantisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization import (
    cost,
    multiply_add_shift,
    piecewise,
    scaled_sum,
    shift,
    table,
    thresholds,
)
from hwflow.ops.requantization.keyed import Keyed
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem

Finder = Callable[[Problem], Plan | None]

FINDERS: Mapping[str, tuple[Finder, ...]] = {
    shift.NAME: (shift.find,),
    multiply_add_shift.NAME: (multiply_add_shift.find, scaled_sum.find),
    piecewise.NAME: (piecewise.find, piecewise.find_narrow),
    table.NAME: (table.find,),
    thresholds.NAME: (thresholds.find,),
}
"""The ways to find every implementation, by its name; of equally cheap ones the first is taken."""


def cheapest(
    problem: Problem,
    target: Target,
    inputs: Sequence[TensorType],
    names: Iterable[str] = tuple(FINDERS),
    *,
    turns: int = 1,
) -> list[tuple[float, Plan]]:
    """Return the implementations that serve, cheapest first, each with its figure of cost.

    Args:
        problem: what is to be computed.
        target: backend, io type, part and clock, which costs depend on.
        inputs: types of the operands.
        names: implementations to look for; of each name only the cheapest is returned.
        turns: values that each lane computes.
    """
    best = []
    for name in names:
        found = [
            plan for way in range(len(FINDERS[name])) if (plan := found_by(name, way, problem))
        ]
        priced = [(cost.figure(plan.cost(target, *inputs, turns=turns)), plan) for plan in found]
        best += sorted(priced, key=_price)[:1]
    return sorted(best, key=_price)


def _price(pair: tuple[float, Plan]) -> float:
    return pair[0]


def found_by(name: str, way: int, problem: Problem) -> Plan | None:
    """Return what one of the ways to find an implementation finds, each problem solved once."""
    return _find(name, way, Keyed(problem))


@lru_cache(maxsize=8192)
def _find(name: str, way: int, keyed: Keyed[Problem]) -> Plan | None:
    return FINDERS[name][way](keyed.asked)
