"""The factor of the cost leads the cost down its path, and lets networks live."""

import pytest

from hwflow.compression.training.steering import DESCENT, FLOOR, MARGIN, PATIENCE, Steering


def test_path_goes_down_exponentially_and_stays() -> None:
    steering = Steering(goal=100.0, start=10000.0)
    assert steering.path(0.0) == 10000.0
    assert steering.path(DESCENT / 2) == pytest.approx(1000.0 * MARGIN**0.5)
    assert steering.path(DESCENT) == steering.path(1.0) == pytest.approx(100.0 * MARGIN)


def test_cost_that_answers_to_the_factor_arrives() -> None:
    steering, cost, steps = Steering(goal=1000.0), 50000.0, 4000
    for i in range(steps):
        factor = steering.step(cost, 0.5, i / steps)
        push = factor * cost / 0.5  # what it loses against what keeps it
        cost *= 1.0 - 0.003 * push
        cost *= 1.0 + 0.0003 * (cost < 50000.0)
    assert cost == pytest.approx(MARGIN * 1000.0, rel=0.05)


def test_cost_never_counts_more_than_the_loss() -> None:
    steering = Steering(goal=10.0)
    for i in range(2000):
        factor = steering.step(5000.0, 0.3, i / 2000)
        assert factor * 5000.0 <= PATIENCE * max(0.3, FLOOR) * (1 + 1e-12)
    assert factor * 5000.0 == pytest.approx(PATIENCE * 0.3, rel=1e-3)
