"""Operators on several activations against numpy's exact float64 arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Op, RefusedError, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.add import Add
from hwflow.ops.concat import Concat
from hwflow.ops.mul import Mul
from hwflow.ops.sub import Sub
from tests.ops.chain import compute, convert, onnx_node

MERGES: list[tuple[Op, np.ufunc]] = [(Add(), np.add), (Sub(), np.subtract), (Mul(), np.multiply)]

types = st.builds(FixedType, st.integers(1, 9), st.integers(-4, 6), st.booleans())
shapes = st.sampled_from(
    [((3,), (3,)), ((2, 3), (1, 3)), ((2, 1), (2, 3)), ((2, 1, 4), (1, 3, 1)), ((1,), (4,))]
)


def _random(dtype: FixedType, shape: tuple[int, ...], seed: int) -> FixedArray:
    rng = np.random.default_rng(seed)
    raw = rng.integers(dtype.raw_min, dtype.raw_max + 1, (40, *shape))
    raw[0], raw[1] = dtype.raw_min, dtype.raw_max
    return FixedArray(raw, dtype)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(MERGES), types, types, shapes)
def test_merges_are_exact_with_broadcasting(
    merge: tuple[Op, np.ufunc], a_t: FixedType, b_t: FixedType,
    shape: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:  # fmt: skip
    op, ufunc = merge
    a, b = _random(a_t, shape[0], 1), _random(b_t, shape[1], 2)
    np.testing.assert_array_equal(compute([op], a, b).values, ufunc(a.values, b.values))


def test_ranges_are_tight_per_channel() -> None:
    dtype = FixedType(8, 8)
    a = TensorType((2,), dtype, np.array([-3, 5]), np.array([2, 7]))
    b = TensorType((2,), dtype, np.array([-4, -1]), np.array([-2, 1]))
    total, difference, product = (op.infer(a, b) for op, _ in MERGES)
    assert (total.lo.tolist(), total.hi.tolist()) == ([-7, 4], [0, 8])
    assert (difference.lo.tolist(), difference.hi.tolist()) == ([-1, 4], [6, 8])
    assert (product.lo.tolist(), product.hi.tolist()) == ([-8, -7], [12, 7])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2), st.lists(types, min_size=2, max_size=4))
def test_concat_is_exact_in_a_type_that_covers_all(axis: int, dtypes: list[FixedType]) -> None:
    parts = []
    for i, dtype in enumerate(dtypes):
        shape = [2, 3, 2]
        shape[axis] += i
        parts.append(_random(dtype, tuple(shape), i))
    wanted = np.concatenate([p.values for p in parts], axis=axis + 1)
    np.testing.assert_array_equal(compute([Concat(axis=axis)], *parts).values, wanted)


def test_concat_finds_its_axis_in_channels_last_order() -> None:
    x = TensorType.full((5, 7, 3), FixedType(4, 4))  # ONNX (N, 3, 5, 7)
    for axis, wanted in ((1, 2), (2, 0), (3, 1), (-1, 1), (-3, 2)):
        (op,) = convert(onnx_node("Concat", [x, x], axes=(2, 3, 1), axis=axis))
        assert isinstance(op, Concat)
        assert op.axis == wanted


@pytest.mark.parametrize(
    ("op_type", "shapes", "attributes"),
    [
        ("Add", [(2, 3), (2,)], {}),
        ("Mul", [(2, 3), (2, 4)], {}),
        ("Concat", [(2,), (2,)], {"axis": 0}),
    ],
)
def test_what_onnx_does_not_define_or_hardware_lacks_is_refused(
    op_type: str, shapes: list[tuple[int, ...]], attributes: dict[str, int]
) -> None:
    inputs = [TensorType.full(s, FixedType(4, 4)) for s in shapes]
    with pytest.raises(RefusedError):
        convert(onnx_node(op_type, inputs, **attributes))


def test_broadcasting_over_many_axes_is_an_error_not_a_wrong_result() -> None:
    a, b = (TensorType.full(s, FixedType(4, 4)) for s in ((2,) * 5, (2, 1, 2, 2, 2)))
    assert [d.code for d in Add().check(Target(), a, b)] == ["HW223"]
