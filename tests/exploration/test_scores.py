"""Integers that tell classes apart, and values whose rounding waits, against the slow way."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.exploration.explorer import Explorer
from hwflow.exploration.joint import Value
from hwflow.exploration.kernels import Move, move_of
from hwflow.exploration.outputs import Classifier, exact_classes
from hwflow.exploration.rounders import Rounder
from hwflow.exploration.scores import ranked
from hwflow.exploration.table import Instance
from hwflow.fixed import FixedType
from hwflow.ir.grid import Grid
from hwflow.ir.tensor import TensorType
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.reshape import Reshape
from tests.exploration.spaces import request


def last_instance(folder: Path, scale: list[Fraction], offset: list[Fraction]) -> Instance:
    """Return the last stage of a network of three classes, with another meaning of its integers."""
    explorer = Explorer.of(request(folder, "mlp", bits="w=2 a=4"))
    (priced,) = explorer.boards
    found = priced.table.path(0)[-1]
    assert found.port is not None
    grid = Grid(np.array(scale, object), np.array(offset, object))
    return replace(found, port=replace(found.port, grid=grid))


@pytest.mark.parametrize(
    "offset",
    [[Fraction(0)], [Fraction(1, 3), Fraction(-2, 7), Fraction(22, 7)],
     [Fraction(1, 3), Fraction(1, 3), Fraction(0)], [Fraction(0), Fraction(3, 7), Fraction(0)]],
)  # fmt: skip
def test_ranks_choose_the_class_of_the_real_numbers(offset: list[Fraction], tmp_path: Path) -> None:
    instance = last_instance(tmp_path, [Fraction(3, 7)], offset)
    way = ranked(instance, 40.0)
    assert way is not None
    results = np.random.default_rng(0).integers(-5, 6, (4000, 3)).astype(np.float64)
    scores = (results.astype(np.int64) + way.whole) * 4 + way.rank
    assert np.array_equal(scores.argmax(axis=1), exact_classes(instance, results))


@pytest.mark.parametrize(
    ("scale", "offset"),
    [([Fraction(1), Fraction(2), Fraction(3)], [Fraction(0)]),  # a scale for each class
     ([Fraction(-1)], [Fraction(0)]),
     ([Fraction(1)], [Fraction(0), Fraction(1, 10**14), Fraction(0)])],
)  # fmt: skip
def test_what_integers_do_not_tell_is_left_to_real_numbers(
    scale: list[Fraction], offset: list[Fraction], tmp_path: Path
) -> None:
    instance = last_instance(tmp_path, scale, offset)
    assert ranked(instance, 40.0) is None
    results = np.random.default_rng(0).integers(-5, 6, (500, 3)).astype(np.float64)
    judge = Classifier(None, np.zeros(500, np.int64), np.zeros((500, 3)))
    (found,) = judge.classes([instance], [results])
    assert np.array_equal(found, exact_classes(instance, results))


def rounder(factor: Any, shape: tuple[int, ...] = ()) -> Rounder:
    slope, offset = (np.asarray(v, np.float32).reshape(shape) for v in (factor, 0.5 + 0 * factor))
    least, most = (np.asarray(end, np.float32) for end in (0, 15))
    return Rounder(factor=slope, offset=offset, least=least, most=most, rounding=np.floor)


def moves() -> list[Move]:
    x = TensorType.full((4, 4, 3), FixedType(8, 8))
    pool = MaxPool(kernel=(2, 2), strides=(2, 2), pads=((0, 0), (0, 0)))
    padded = MaxPool(kernel=(3, 3), strides=(2, 2), pads=((1, 1), (1, 1)))
    found = [move_of(op, x) for op in (pool, padded, Reshape(shape=(48,)))]
    return [move for move in found if move is not None]


@pytest.mark.parametrize("move", moves(), ids=lambda move: move.key[0])
@pytest.mark.parametrize("factor", [np.array(0.3), np.array([0.1, 0.4, -0.2])])
def test_values_move_before_they_are_rounded(move: Move, factor: Any) -> None:
    rng = np.random.default_rng(1)
    sums = rng.integers(-60, 60, (3, 4, 4, 10)).astype(np.float32)
    waits = rounder(factor, (3, 1, 1, 1) if factor.ndim else ())
    found = Value(sums).rounded(waits).through(move)
    later = found.rounder is not None
    assert later == (not move.selects or bool((factor > 0).all()))
    assert np.array_equal(found.whole(), move(waits(sums)))


def test_sums_are_moved_once_for_all_roundings() -> None:
    move, sums = moves()[0], Value(np.ones((3, 4, 4, 2), np.float32))
    values = [sums.rounded(rounder(np.array(f))).through(move) for f in (0.5, 2.0)]
    assert values[0].array is values[1].array
    assert not np.array_equal(values[0].whole(), values[1].whole())
