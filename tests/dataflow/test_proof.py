"""Least depths: no lock in the model, whatever pipelines do; one word less, and it locks."""

import itertools
import random
from collections.abc import Iterator

import pytest

from hwflow.dataflow import cycles
from hwflow.dataflow.balance import INFERENCES, fast_depths
from hwflow.dataflow.model import run
from hwflow.dataflow.network import Network
from hwflow.dataflow.proof import LEAST, Safety, safe_depths, worst_lags
from tests.dataflow.random_networks import network_of, random_net, random_network

FEW_PROCESSES = 6
"""Networks so small get every combination of pipelines that hold back all or nothing."""


def pipelines(network: Network, seed: int) -> Iterator[dict[str, int]]:
    """Yield steps that each process holds back: all, none, every combination, or any numbers."""
    most = {name: process.deepest for name, process in network.processes.items()}
    yield most
    yield dict.fromkeys(most, 0)
    if len(most) <= FEW_PROCESSES:
        for held in itertools.product((False, True), repeat=len(most)):
            yield {n: most[n] if h else 0 for n, h in zip(most, held, strict=True)}
    rng = random.Random(seed)
    for _ in range(10):
        yield {name: rng.randint(0, deepest) for name, deepest in most.items()}


def assert_safe(network: Network, safety: Safety, seed: int) -> None:
    for lags in pipelines(network, seed):
        assert not run(network, safety.depths, lags=lags, inferences=2).locked, lags


def assert_least(network: Network, safety: Safety) -> None:
    """Take one word from each FIFO that is deeper than the smallest."""
    deeper = {name for name, depth in safety.depths.items() if depth > LEAST}
    assert deeper == safety.circles.keys() | (safety.whole & deeper)
    for name, circle in safety.circles.items():
        less = {**safety.depths, name: safety.depths[name] - 1}
        locked = run(network, less, lags=worst_lags(network, circle)).locked
        assert any(wait.full and wait.channel == name for wait in locked), name


@pytest.mark.parametrize("seed", range(40))
def test_any_network_is_safe_at_depths_that_are_least(seed: int) -> None:
    network = random_network(seed)
    safety = safe_depths(network)
    assert_safe(network, safety, seed)
    assert_least(network, safety)


def check_net(seed: int) -> int:
    network = network_of(random_net(seed))
    safety = safe_depths(network)
    assert_safe(network, safety, seed)
    assert_least(network, safety)
    return len(safety.circles)


@pytest.mark.parametrize("seed", range(20))
def test_branched_net_is_safe_at_depths_that_are_least(seed: int) -> None:
    check_net(seed)


@pytest.mark.slow
def test_200_branched_nets_are_safe_at_depths_that_are_least() -> None:
    assert sum(check_net(seed) for seed in range(200)) > 200


@pytest.mark.parametrize("seed", range(20))
def test_depths_lose_no_cycle_and_none_could_be_less(seed: int) -> None:
    network = network_of(random_net(seed))
    safe = safe_depths(network).depths
    depths, outcome = fast_depths(network, safe)
    assert outcome is not None
    whole = {c.name: INFERENCES * c.tokens for c in network.channels.values()}
    assert outcome.cycles == run(network, whole, inferences=INFERENCES).cycles
    assert all(outcome.most[name] <= depth for name, depth in depths.items())
    for name, depth in depths.items():
        if depth > safe[name]:
            slower = run(network, {**depths, name: depth - 1}, inferences=INFERENCES)
            assert slower.cycles != outcome.cycles


def test_circles_too_many_to_list_get_whole_values(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = next(s for s in range(100) if safe_depths(random_network(s)).circles)
    network = random_network(seed)
    monkeypatch.setattr(cycles, "MOST_PATHS", 1)
    safety = safe_depths(network)
    assert safety.whole
    assert all(safety.depths[name] >= network.channels[name].tokens for name in safety.whole)
    assert_safe(network, safety, seed)
