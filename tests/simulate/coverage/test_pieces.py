"""What operators say they are made of: every value falls into a piece, and every piece is met."""

import numpy as np
import pytest

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Example, Op
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ir.tensor import TensorType
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.input import Input
from hwflow.ops.lookup_dense import LookupDense
from hwflow.ops.softmax import Softmax

EXAMPLES = [
    pytest.param(example, id=f"{kind}-{example.name}")
    for kind, cls in sorted(Op.registry.items())
    if cls is not Input
    for example in cls.examples()
]


def random_operands(example: Example, samples: int) -> tuple[FixedArray, ...]:
    """Return operands within their ranges; the first two samples are all least and greatest."""
    rng = np.random.default_rng(0)
    found = []
    for x in example.inputs:
        raw = rng.integers(x.lo, x.hi + 1, (samples, *x.shape))
        raw[0], raw[1] = x.lo, x.hi
        found.append(FixedArray(raw, x.dtype))
    return tuple(found)


def every_value(x: TensorType) -> FixedArray:
    """Return each value of the type, everywhere at once, one a sample."""
    values = np.arange(x.bounds[0], x.bounds[1] + 1)
    raw = np.clip(values.reshape(-1, *(1,) * len(x.shape)), x.lo, x.hi)
    return FixedArray(np.broadcast_to(raw, (len(values), *x.shape)).copy(), x.dtype)


def reached(pieces: Pieces, operands: tuple[FixedArray, ...]) -> set[int]:
    found = {
        int(goal)
        for cells in pieces.cells(*operands)
        for table in pieces.goals
        for goal in np.unique(table[cells])
    }
    return found - {-1}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_value_falls_into_a_piece_that_can_be_reached(example: Example) -> None:
    pieces = example.op.pieces(*example.inputs)
    if pieces is None:
        return
    operands = random_operands(example, 50)
    full = example.op.compute(*operands)
    for cells in pieces.cells(*operands):
        assert np.broadcast_shapes(cells.shape, full.shape) == full.shape
        assert cells.min() >= 0
        assert cells.max() < len(pieces.low)
        if {Kind.STEPS, Kind.ENTRIES} & {*pieces.kinds}:
            assert (pieces.goals[0][cells] >= 0).all()
    numbers = np.unique(np.concatenate(pieces.goals))
    assert np.array_equal(numbers[numbers >= 0], np.arange(len(pieces.kinds)))
    if pieces.levels is not None:
        assert np.isin(full.raw, pieces.levels).all()


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_goal_of_a_function_of_one_value_can_be_reached(example: Example) -> None:
    pieces = example.op.pieces(*example.inputs)
    (x, *others) = example.inputs
    if pieces is None or others or x.dtype.width > 16 or isinstance(example.op, Softmax):
        return
    if isinstance(example.op, LookupDense) and example.op.addends.source.shape[1] > 1:
        return  # of several values
    mean = isinstance(example.op, AveragePool)  # that of equal values is exact
    operands = random_operands(example, 50) if mean else (every_value(x),)
    assert reached(pieces, operands) == set(range(len(pieces.kinds)))


def test_pieces_are_those_that_the_range_leaves() -> None:
    (example,) = [e.values[0] for e in EXAMPLES if e.id == "Sigmoid-direct"]
    assert isinstance(example, Example)
    (x,) = example.inputs
    narrow = TensorType(x.shape, x.dtype, np.full(x.channels, -3), np.full(x.channels, 4))
    found = example.op.pieces(narrow)
    assert found is not None
    assert found.kinds == (Kind.ENTRIES,) * 8


def test_every_entry_of_a_small_softmax_can_be_reached() -> None:
    x = TensorType.full((2,), FixedType(6, 4))
    op = Softmax(table_size=64, inv_table_size=64)
    pieces = op.pieces(x)
    every = np.arange(-32, 32)
    raw = np.stack([np.repeat(every, 64), np.tile(every, 64)], axis=1)
    assert reached(pieces, (FixedArray(raw, x.dtype),)) == set(range(len(pieces.kinds)))


def test_every_entry_of_tables_of_several_values_can_be_reached() -> None:
    examples = [e for e in LookupDense.examples() if e.op.addends.source.shape[1] > 1]  # type: ignore[attr-defined]
    assert len(examples) == 2
    for example in examples:
        pieces = example.op.pieces(*example.inputs)
        assert pieces is not None
        operands = random_operands(example, 5000)
        assert reached(pieces, operands) == set(range(len(pieces.kinds)))
