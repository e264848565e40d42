"""The type proposed for data holds every value of it, or covers its range with 16 bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedType
from hwflow.fixed.doubles import quantize_values
from hwflow.simulate.ports.proposal import WIDTH, propose


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.arange(256.0), "ufixed<8,8,RND_CONV,SAT>"),
        (np.arange(200, dtype=np.uint8), "ufixed<8,8,RND_CONV,SAT>"),
        (np.arange(-3, 4, dtype=np.int8), "fixed<8,8,RND_CONV,SAT>"),
        (np.array([False, True]), "ufixed<1,1,RND_CONV,SAT>"),
        (np.arange(-128, 128, dtype=np.int64), "fixed<8,8,RND_CONV,SAT>"),
        (np.arange(100.0), "ufixed<7,7,RND_CONV,SAT>"),
        (np.arange(-8, 9) / 8, "fixed<5,2,RND_CONV,SAT>"),
        (np.array([0.0, 0.25, 0.5]), "ufixed<2,0,RND_CONV,SAT>"),
        (np.array([0.0, 6e4, 7e4]), "ufixed<13,17,RND_CONV,SAT>"),
        (np.zeros(4), "ufixed<1,1,RND_CONV,SAT>"),
    ],
)
def test_values_on_a_grid(values: np.ndarray, text: str) -> None:
    found = propose([values[:, None]])
    assert found is not None
    assert (str(found.dtype), found.exact, found.samples) == (text, True, len(values))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.arange(256) / 255, "ufixed<16,1,RND_CONV,SAT>"),
        (np.array([-0.1, 31.999999]), "fixed<16,7,RND_CONV,SAT>"),
        (np.array([-0.1, 31.99]), "fixed<16,6,RND_CONV,SAT>"),
        (np.array([1.0, 70000.0]), "ufixed<16,17,RND_CONV,SAT>"),
        (np.array([1e-5, 3e-5]), "ufixed<16,-15,RND_CONV,SAT>"),
    ],
)
def test_values_on_none(values: np.ndarray, text: str) -> None:
    found = propose([values[:, None]])
    assert found is not None
    assert (str(found.dtype), found.exact) == (text, False)


@pytest.mark.parametrize("values", [["a"], [np.nan], [1e30], [1e-30], np.zeros((0, 1))])
def test_what_no_type_suits(values: object) -> None:
    assert propose([np.asarray(values).reshape(-1, 1)]) is None


floats = st.floats(-(2.0**40), 2.0**40, width=32)
grids = st.tuples(st.lists(st.integers(-(2**15), 2**15), min_size=1), st.integers(-20, 20))


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.lists(floats, min_size=1), grids.map(lambda g: [v * 2.0 ** g[1] for v in g[0]]))
)
def test_every_proposal(values: list[float]) -> None:
    data = np.array(values)[:, None]
    found = propose([data[:1], data[1:]] if len(data) > 1 else [data])
    if found is None:
        assert 0 < np.abs(data).max() < 2.0**-40
        return
    dtype = found.dtype
    kept = quantize_values(data, dtype) * dtype.step
    assert found.exact == np.array_equal(kept, data)
    if found.exact:
        assert dtype.width <= WIDTH
        narrower = FixedType(max(dtype.width - 1, 1), dtype.integer - 1, dtype.signed)
        worse = quantize_values(data, narrower) * narrower.step
        assert dtype.width == 1 or dtype.fractional == 0 or not np.array_equal(worse, data)
    else:
        assert dtype.width == WIDTH
        assert np.abs(kept - data).max() <= dtype.step / 2  # nothing saturates
        assert np.abs(data).max() >= 2.0 ** (dtype.integer - dtype.signed - 1) - dtype.step
