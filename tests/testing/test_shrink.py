"""An input on which two computations differ becomes as small as it can."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedType, RawArray
from hwflow.ir.tensor import TensorType
from hwflow.testing.operators.shrinking import shrink

Bools = npt.NDArray[np.bool_]
TYPE = FixedType(8, 4)
PAIR = (TensorType.full((2, 3), TYPE), TensorType.full((4,), TYPE))


def sample(seed: int) -> list[RawArray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(TYPE.raw_min, TYPE.raw_max + 1, x.shape) for x in PAIR]


CONDITIONS: dict[str, tuple[Callable[[list[RawArray]], Bools], list[list[int]]]] = {
    "one value": (lambda b: b[1][:, 2] >= 17, [[0] * 6, [0, 0, 17, 0]]),
    "any value": (lambda b: (b[0] <= -5).any((1, 2)), [[-5], [0] * 4]),
    "two operands": (
        lambda b: (b[0][:, 1, 2] > 3) & (b[1][:, 0] < -2), [[0] * 5 + [4], [-3, 0, 0, 0]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("seed", range(20))
def test_the_smallest_input_is_found(name: str, seed: int) -> None:
    differs, expected = CONDITIONS[name]
    first = sample(seed)
    found = shrink(first, PAIR, differs)
    if not differs([f[np.newaxis] for f in first])[0]:
        assert found is None
        return
    assert found is not None
    assert differs([f[np.newaxis] for f in found])[0]
    for part, wanted in zip(found, expected, strict=True):
        values = part.ravel().tolist()
        assert (values == wanted) or (len(wanted) == 1 and sorted(values)[:2] == [wanted[0], 0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True))
def test_what_is_left_still_differs_and_is_needed(seed: int, needed: list[int]) -> None:
    first = sample(seed)
    flat = np.concatenate([f.ravel() for f in first])
    needed = [i for i in needed if flat[i] != 0]

    def differs(batch: list[RawArray]) -> Bools:
        joined = np.concatenate([b.reshape(len(b), -1) for b in batch], axis=1)
        return np.asarray((joined[:, needed] != 0).all(1))

    found = shrink(first, PAIR, differs)
    assert found is not None
    result = np.concatenate([f.ravel() for f in found])
    wanted = np.zeros(10, np.int64)
    wanted[needed] = np.sign(flat[needed])
    if needed:
        assert np.array_equal(result, wanted)


def test_ranges_without_zero_are_kept() -> None:
    x = TensorType((3,), TYPE, np.array([5, 5, 5], np.int64), np.array([9, 9, 9], np.int64))
    found = shrink([np.array([9, 8, 7])], [x], lambda b: b[0][:, 1] > 6)
    assert found is not None
    assert found[0].tolist() == [5, 7, 5]
