"""Integers in the order of real numbers, and rounded weights of a sum: both proofs can fail."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.grid import Grid, rationals
from hwflow.ir.real.nodes import Clamp, Linear, Rounded, Source
from hwflow.ir.real.tabulation import tabulate
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.order import NoOrderError, in_order
from hwflow.passes.lowering.weighted_sum import UnprovenError, prove_weights

X = TensorType.full((3,), FixedType(4, 2))


@pytest.mark.parametrize("seed", range(20))
def test_integers_compare_as_the_real_numbers_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = rationals((rng.choice([-1, 1], 3) * rng.uniform(0.2, 2, 3)).astype(np.float32))
    offset = rationals(rng.normal(size=3).astype(np.float32))
    op = in_order(Grid(scale, offset), X)
    assert op is not None
    raw = np.arange(-8, 8)
    whole = op.compute(FixedArray(np.tile(raw[:, None], 3), X.dtype)).raw
    points = list(product(range(3), range(16)))
    real = {p: scale[p[0]] * Fraction(int(raw[p[1]]), 4) + offset[p[0]] for p in points}
    for a, b in product(points, points):
        assert (real[a] < real[b]) == (whole[a[1], a[0]] < whole[b[1], b[0]])


@pytest.mark.parametrize("offset", [[0.3, -1.7, 0.3], [0.0, 0.0, 0.0], [2.0, 2.0, 2.0]])
def test_channels_that_are_switched_off_compare_as_their_offsets_do(offset: list[float]) -> None:
    op = in_order(Grid(rationals([0, 0, 0]), rationals(offset)), X)
    assert op is not None
    (whole,) = op.compute(FixedArray(np.array([[-8, 7, 0]]), X.dtype)).raw
    for a, b in product(range(3), range(3)):
        assert (offset[a] < offset[b]) == (whole[a] < whole[b])


def test_values_too_close_together_have_no_order() -> None:
    with pytest.raises(NoOrderError, match="too close"):
        in_order(Grid(rationals(1), rationals([0.0, 2.0**-60, 1.0])), X)


def test_rounded_weights_that_move_a_sum_across_a_step_are_noticed() -> None:
    x = TensorType.full((1,), FixedType(3, 3))
    tree = Rounded(
        Clamp(
            Linear(Source(), rationals(Fraction(1, 1000)), rationals(0)),
            rationals(-1),
            rationals(1),
        ),
        "FLOOR",
    )
    function = tabulate(tree, np.array([-6000]), np.array([6000]))
    weights = [np.array([1000]), np.array([300])]
    right = [rationals(1000), rationals(300)]
    assert prove_weights(function, weights, right, (x, x), tree) > 0
    short = [rationals(Fraction(1000) - Fraction(1, 10**9)), rationals(300)]
    with pytest.raises(UnprovenError, match="lies on a step"):
        prove_weights(function, weights, short, (x, x), tree)
