"""Factors from reports: shrunk, tested on what was left out, never from one design unsaid."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.ir.cost import Estimate
from hwflow.synthesis.fitting import (
    INTERVAL_SIGMAS,
    TAU,
    WEIGHT,
    Point,
    factor_of,
    fit,
    fit_all,
    symmetric_error,
)

SIGMA = 0.2
"""Spread that the intervals below claim."""


def point(design: str, reported: float, estimated: float = 100.0) -> Point:
    half = np.exp(SIGMA * INTERVAL_SIGMAS / 2)
    return Point(design, Estimate(estimated, estimated / half, estimated * half), reported)


def test_one_design_moves_a_factor_by_its_share() -> None:
    """With one design the spread is that of the interval: weight TAU^2 / (TAU^2 + SIGMA^2)."""
    expected = log(2) * TAU**2 / (TAU**2 + SIGMA**2)
    assert log(factor_of([point("a", 200)])) == pytest.approx(expected)
    found = fit([point("a", 200)])
    assert (found.designs, found.error_after, found.dropped) == (1, None, False)
    assert found.error_before == pytest.approx(200 / 3)


def test_the_factor_is_the_posterior_mean() -> None:
    """Against numerical integration over a grid of factors."""
    reported = [150.0, 180.0, 120.0, 210.0]
    points = [point(str(n), value) for n, value in enumerate(reported)]
    ratios = np.log(np.array(reported) / 100)
    spread = (WEIGHT * SIGMA**2 + ((ratios - ratios.mean()) ** 2).sum()) / (
        WEIGHT + len(ratios) - 1
    )
    grid = np.linspace(-2, 2, 400_001)
    density = np.exp(
        -(grid**2) / (2 * TAU**2) - ((ratios[:, None] - grid) ** 2).sum(axis=0) / (2 * spread)
    )
    mean = (grid * density).sum() / density.sum()
    assert log(factor_of(points)) == pytest.approx(mean, abs=1e-6)


def test_many_designs_that_agree_move_it_all_the_way() -> None:
    points = [point(str(n), 200) for n in range(200)]
    assert factor_of(points) == pytest.approx(2, rel=0.01)
    found = fit(points)
    assert found.error_before == pytest.approx(200 / 3)
    assert found.error_after is not None
    assert found.error_after < 1


def test_a_sweep_of_one_network_is_one_design() -> None:
    sweep = [point("a", 400, 100 + n) for n in range(50)]
    assert factor_of([*sweep, point("b", 100)]) < factor_of([point(str(n), 400) for n in range(50)])
    assert fit(sweep).designs == 1
    assert fit(sweep).error_after is None


def test_the_error_after_is_of_designs_left_out() -> None:
    a, b = point("a", 200), point("b", 50)
    found = fit([a, b])
    after = [symmetric_error(100 * factor_of([b]), 200), symmetric_error(100 * factor_of([a]), 50)]
    assert found.error_after == pytest.approx(sum(after) / 2)
    assert found.error_after > found.error_before, "two designs that contradict each other"


def test_a_factor_that_does_not_help_is_dropped() -> None:
    found = fit([point("a", 300), point("b", 30), point("c", 400), point("d", 25)])
    assert found.dropped
    assert (found.factor, found.error_after) == (1.0, found.error_before)


def test_figures_without_a_ratio_say_nothing() -> None:
    zero = Point("a", Estimate(), 0.0)
    assert factor_of([zero, Point("b", Estimate(5, 1, 9), 0.0)]) == 1.0
    assert fit([zero]).error_before == 0
    assert fit_all({"dsp": [zero], "lut": []}).keys() == {"dsp"}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(1e-3, 1e6)), min_size=1, max_size=12))
def test_factors_lie_between_1_and_the_extremes(found: list[tuple[str, float]]) -> None:
    points = [point(design, reported) for design, reported in found]
    ratios = [p.reported / 100 for p in points]
    factor = factor_of(points)
    assert min(1.0, *ratios, 1.0) <= factor * (1 + 1e-9)
    assert factor <= max(1.0, *ratios) * (1 + 1e-9)
    assert 0.05 <= factor <= 20


def test_the_right_factor_is_found_among_noise() -> None:
    """Real factor 1.5, designs spread by 0.2: within two standard errors of it."""
    rng = np.random.default_rng(5)
    reported = 150 * np.exp(rng.normal(0, SIGMA, 60))
    factor = factor_of([point(str(n), float(value)) for n, value in enumerate(reported)])
    assert log(factor) == pytest.approx(log(1.5), abs=2 * SIGMA / sqrt(60) + 0.01)
