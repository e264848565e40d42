"""Short runs of the fuzzers; ``make fuzz N=...`` and ``make fuzz-golden N=...`` run long ones."""

import pytest

from tests import fuzz_golden
from tests.fuzz import TARGETS, Outcome, check_lossless, compiled, fuzz
from tests.ops.random_graphs import random_kinds


@pytest.mark.cpp
def test_random_networks_agree_with_their_cpp() -> None:
    outcome = fuzz(networks=3, seed=20_000, quiet=True)
    assert outcome.failures == []
    assert outcome.networks >= 2, outcome.refused


def test_random_networks_are_lossless() -> None:
    outcome = Outcome()
    designs = 0
    for seed in range(30_000, 30_020):
        design = compiled(seed, TARGETS[seed % len(TARGETS)], outcome)
        if design is not None:
            check_lossless(seed, design, outcome)
            designs += 1
    assert outcome.failures == []
    assert designs >= 13, outcome.refused


@pytest.mark.parametrize("scales", ["float", "mixed"])
def test_random_networks_with_other_scales_are_lossless(scales: str) -> None:
    outcome = Outcome()
    designs = 0
    for seed in range(50_000, 50_015):
        design = compiled(seed, TARGETS[seed % len(TARGETS)], outcome, scales)
        if design is not None:
            check_lossless(seed, design, outcome)
            designs += 1
    assert outcome.failures == []
    assert designs >= 10, outcome.refused


def test_random_cells_are_lossless() -> None:
    outcome = Outcome()
    for seed in range(6):
        design = compiled(seed, TARGETS[seed % len(TARGETS)], outcome, "recurrent")
        assert design is not None, outcome.refused
        check_lossless(seed, design, outcome)
    assert outcome.failures == []


@pytest.mark.cpp
@pytest.mark.slow
def test_random_cells_agree_with_their_cpp() -> None:
    outcome = fuzz(networks=12, seed=100, scales="recurrent", quiet=True)
    assert outcome.failures == []
    assert outcome.networks == 12, outcome.refused


@pytest.mark.cpp
def test_random_networks_with_other_scales_agree_with_their_cpp() -> None:
    outcome = fuzz(networks=4, seed=51_000, scales="mixed", quiet=True)
    assert outcome.failures == []
    assert outcome.networks >= 2, outcome.refused


def test_golden_models_of_random_networks_and_graphs_agree_with_the_simulation() -> None:
    outcome = fuzz_golden.fuzz(networks=36, seed=70_000, quiet=True)
    assert outcome.failures == []
    assert outcome.networks["graph"] >= 12, outcome.refused
    assert outcome.operators["Dense in 8 bits"] >= 6, outcome.operators


@pytest.mark.slow
def test_golden_models_of_many_random_networks_agree_with_the_simulation() -> None:
    outcome = fuzz_golden.fuzz(networks=1000, seed=80_000)
    assert outcome.failures == []
    assert len(outcome.operators) == len(random_kinds()) + 1, outcome.operators


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("scales", ["float", "mixed"])
def test_many_random_networks_with_other_scales_agree_with_their_cpp(scales: str) -> None:
    outcome = fuzz(networks=120, seed=60_000, scales=scales)
    assert outcome.failures == []
    assert outcome.networks >= 80, outcome.refused


@pytest.mark.cpp
@pytest.mark.slow
def test_many_random_networks_agree_with_their_cpp() -> None:
    outcome = fuzz(networks=320, seed=40_000)
    assert outcome.failures == []
    assert outcome.networks >= 200, outcome.refused
