"""Bounds held against exact costs while an exploration runs."""

from __future__ import annotations

import numpy as np

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.exploration.bounds import Bounds
from hwflow.exploration.costs import SUMS
from hwflow.exploration.explorer import Priced
from hwflow.exploration.space import Numbers
from hwflow.ir.qonnx.model import printable

CLOSE = 1e-9
"""Relative difference of equal sums that were added in another order."""

REPORT = "this is an error of hwflow, please report it"


def prove(bounds: Bounds, priced: Priced) -> None:
    """Hold every state and choice against configurations that cost least from there on.

    Args:
        bounds: the bounds.
        priced: the space and the board.

    Raises:
        CompileError: HW345, a bound is above a cost, or not that of any configuration; HW346, a
            stage is not the one that the bound is of.
    """
    for stage, stride in enumerate(bounds.strides):
        every = (stride.prefix[:, None] + stride.adds).ravel()
        hold(bounds, priced, every + bounds.suffixes(stage + 1, 0)[stride.after.ravel()])
        for figure in range(len(SUMS)):
            numbers = stride.prefix + bounds.suffixes(stage, figure)
            bound = bounds.at_least(numbers)
            least, whole = bound[stage][:, figure], bound[-1][:, figure]
            wrong = np.flatnonzero(np.abs(least - whole) > CLOSE * (1 + np.abs(whole)))
            if len(wrong):
                at = int(wrong[0])
                said = f"{SUMS[figure]} of {least[at]:,.9g}, and {whole[at]:,.9g} of all stages"
                raise CompileError([_wrong(_place(bounds, int(numbers[at]), stage), said)])
            hold(bounds, priced, numbers)


def hold(bounds: Bounds, priced: Priced, numbers: Numbers) -> None:
    """Hold all bounds that configurations pass against their exact costs.

    Raises:
        CompileError: HW345, a bound is above a cost; HW346, a stage is not the one that it is of.
    """
    paths = priced.table.paths(numbers)
    for stage, (state, choice) in enumerate(bounds.walk(numbers)):
        other = np.flatnonzero(bounds.strides[stage].instance[state, choice] != paths[stage])
        if len(other):
            raise CompileError([_other(_place(bounds, int(numbers[other[0]]), stage))])
    exact = priced.costs.sums(numbers)
    for stage, bound in enumerate(bounds.at_least(numbers)):
        rows, columns = np.nonzero(bound > exact + CLOSE * (1 + np.abs(exact)))
        if len(rows):
            at, figure = int(rows[0]), int(columns[0])
            said = (
                f"{SUMS[figure]} of {bound[at, figure]:,.9g}, and {exact[at, figure]:,.9g} exactly"
            )
            raise CompileError([_wrong(_place(bounds, int(numbers[at]), stage), said)])


def _wrong(where: str, said: str) -> Diagnostic:
    return Diagnostic(
        code="HW345", title="bound that differs from the exact cost", where=where, found=said,
        help=f"{REPORT}; --evals 1200 explores without bounds",
    )  # fmt: skip


def _other(where: str) -> Diagnostic:
    return Diagnostic(
        code="HW346", title="bound of another stage", where=where,
        found="a stage that has other options, or takes other types, than its bound is of",
        help=f"{REPORT}; --evals 1200 explores without bounds",
    )  # fmt: skip


def _place(bounds: Bounds, number: int, stage: int) -> str:
    """Return where a bound stands."""
    stages = bounds.table.stages
    name = printable(stages[stage].value) if stage < len(stages) else "all stages"
    return f"point {number}, {name}"
