"""Lines of the golden model: what fused arithmetic makes of them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from hwflow.ops.requantization.floating_lines import rounded_once

doubles = st.floats(-(2.0**40), 2.0**40).filter(lambda v: v == 0 or abs(v) > 2.0**-60)


@given(doubles, doubles)
@example(1 + 2.0**-24, 2.0**-60)  # rounded twice, the tie that float64 makes goes to even
@example(1 + 2.0**-24, -(2.0**-60))
@example(1 + 3 * 2.0**-24, -(2.0**-60))
def test_sums_are_rounded_once(a: float, b: float) -> None:
    (found,) = rounded_once(np.array([a]), np.array([b]))
    exact = Fraction(a) + Fraction(b)
    down, up = (np.nextafter(found, np.float32(end)) for end in (-np.inf, np.inf))
    error = abs(Fraction(float(found)) - exact)
    for other in (down, up):
        distance = abs(Fraction(float(other)) - exact)
        assert error <= distance
        if error == distance:
            assert found.view(np.int32) % 2 == 0
