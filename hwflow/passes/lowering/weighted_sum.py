"""A sum of integers with different scales as one integer: whole weights, and a proof they serve.

Where the scales have a common unit that is not too fine, the weights are exact. Else they are
rounded so that the sum has some 50 bits, and it is proven that this moves no sum across a step of
the function behind it: for every value of one operand and every step, the values of the other next
to the step are looked at, and those that rounding could have moved are decided exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd

import numpy as np

from hwflow.fixed import RawArray
from hwflow.ir.grid import ONE, Rationals
from hwflow.ir.real.decision import decide_at
from hwflow.ir.real.expression import Expression
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType

SUM_BITS = 48
"""Bits of the weighted sum, at most: float64 holds it with room for a factor."""

MAX_NEAR = 10_000
"""Most sums next to a step that are decided one by one."""


class UnprovenError(Exception):
    """Rounded weights could not be proven to give the exact function."""


def whole_weights(
    scales: Sequence[Rationals], types: Sequence[TensorType]
) -> tuple[Rationals, tuple[RawArray, ...], tuple[Rationals, ...]]:
    """Return a unit, the scales as whole multiples of it, and what those are rounded from, if so.

    Args:
        scales: what a mantissa of each operand is worth.
        types: types of the operands.
    """
    unit = common_unit(scales)
    largest = [max(abs(b) for b in t.bounds) for t in types]
    exact = [scale / unit for scale in scales]
    total = sum(max(abs(w) for w in ws.ravel()) * n for ws, n in zip(exact, largest, strict=True))
    if total < 2**SUM_BITS:
        return unit, tuple(_integers(w) for w in exact), ()
    reach = sum((abs(scale) * n for scale, n in zip(scales, largest, strict=True)), scales[0] * 0)
    unit = np.where(reach == 0, ONE, reach) / 2**SUM_BITS
    exact = [scale / unit for scale in scales]
    return unit, tuple(_integers(w) for w in exact), tuple(exact)


def common_unit(scales: Sequence[Rationals]) -> Rationals:
    """Return the greatest numbers that all scales are whole multiples of; 1 where all are 0."""
    unit = scales[0]
    for scale in scales[1:]:
        unit = np.asarray(np.frompyfunc(_common_unit, 2, 1)(unit, scale))
    return np.where(unit == 0, ONE, abs(unit))


def _common_unit(a: Fraction, b: Fraction) -> Fraction:
    """Return the greatest number that both are whole multiples of; 1 for two zeros."""
    top = gcd(a.numerator * b.denominator, b.numerator * a.denominator)
    return Fraction(top, a.denominator * b.denominator) or Fraction(1)


def _integers(values: Rationals) -> RawArray:
    return np.array([round(v) for v in values.ravel()], np.int64).reshape(values.shape)


def prove_weights(
    function: StepFunction,
    weights: Sequence[RawArray],
    exact: Sequence[Rationals],
    types: Sequence[TensorType],
    tree: Expression,
) -> int:
    """Check that rounded weights give the exact function, and return the number of pairs looked at.

    Args:
        function: the function of the weighted sum, one row for each element of the other arguments.
        weights: two arrays of shape ``(rows,)``.
        exact: what they are rounded from, in the same shapes.
        types: types of the operands.
        tree: the function, of the sum in units.

    Raises:
        UnprovenError: some sum of rounded weights is on the wrong side of a step, or there are too
            many next to one.
    """
    if len(weights) != 2:
        raise UnprovenError("more than two operands with scales that have no common unit")
    order = sorted((0, 1), key=lambda i: types[i].bounds[1] - types[i].bounds[0])
    few, many = (types[i].bounds for i in order)
    points = 0
    for row in range(function.rows):
        own = (int(weights[i][row]) for i in order)
        true = (exact[i][row] for i in order)
        pairs = tuple(zip(own, true, strict=True))
        points += _prove_row(
            function.starts[row][1:], weights=pairs, few=few, many=many, tree=tree, row=row
        )
    return points


def _prove_row(
    steps: RawArray,
    *,
    weights: tuple[tuple[int, Fraction], ...],
    few: tuple[int, int],
    many: tuple[int, int],
    tree: Expression,
    row: int,
) -> int:
    """Check one row, and return the number of pairs looked at.

    Args:
        steps: where the function changes.
        weights: weights of the operand with few values and of the other: rounded, and exact.
        few: least and greatest value of the one with few.
        many: least and greatest value of the other.
        tree: see ``prove_weights``.
        row: its number.
    """
    (own_few, true_few), (own_many, true_many) = weights
    a = np.arange(few[0], few[1] + 1)[:, None]
    rest = steps[None, :] - own_few * a
    furthest = max(map(abs, few)) + max(map(abs, many))
    if true_many != 0 and abs(own_many) <= furthest // 2 + 3:
        raise UnprovenError("one operand is too small beside the other")
    nearest = np.clip(np.floor_divide(rest, own_many or 1), *many)
    for side in (0, 1):
        b = np.clip(nearest + side, *many)
        near = np.abs(own_many * b - rest) <= (np.abs(a) + np.abs(b)) // 2 + 2
        if int(near.sum()) > MAX_NEAR:
            raise UnprovenError(f"{int(near.sum())} sums lie next to a step")
        for i, j in zip(*np.nonzero(near), strict=True):
            x, y = int(a[i, 0]), int(b[i, j])
            rounded, total = own_few * x + own_many * y, true_few * x + true_many * y
            if decide_at(tree, Fraction(rounded), row) != decide_at(tree, total, row):
                raise UnprovenError(f"the sum of {x} and {y} lies on a step")
    return 2 * rest.size
