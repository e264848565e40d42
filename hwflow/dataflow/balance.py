"""Depths that keep a network as fast as FIFOs without end would.

A run without limits ends earliest. If an inference ends later with given depths, its last step
waited for a full FIFO, one way or another: a chain of waits without one exists without limits, too.
So making the FIFOs on that chain deeper until none is left gives a network that is as fast; then
each of them is made as small as it may be without losing a cycle.

Networks of more than ``MOST_STEPS`` steps are not run. Their FIFOs hold ``ROOM`` words, which cost
hardly more than two.

How fast processes are is an estimate. So these depths are one, too; what keeps a network from
locking (``proof``) rests on counts alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hwflow.dataflow.model import Outcome, run
from hwflow.dataflow.network import Network

INFERENCES = 2
"""What is watched: how long one takes, and how soon the next one follows."""

MOST_STEPS = 300_000
"""Steps of one inference up to which a network is run; a run of so many takes three seconds."""

ROOM = 16
"""Words that a FIFO of shift registers holds in one look-up table a bit (UG474, SRL16)."""


def fast_depths(
    network: Network, safe: Mapping[str, int], given: Collection[str] = ()
) -> tuple[Mapping[str, int], Outcome | None]:
    """Return depths that lose no cycle against FIFOs without limits, and the run with them.

    The run is None for a network that is too large; then cycles may be lost.

    Args:
        network: processes with their estimated speeds.
        safe: depths that are free of deadlock; none becomes less.
        given: FIFOs that keep their depth, even where that loses cycles.
    """
    if network.steps > MOST_STEPS:
        return {n: d if n in given else max(d, ROOM) for n, d in safe.items()}, None
    most = {n: max(c.tokens * INFERENCES, safe[n]) for n, c in network.channels.items()}
    ideal = run(network, most, inferences=INFERENCES).cycles
    depths = dict(safe)
    raised: set[str] = set()
    outcome = run(network, depths, inferences=INFERENCES)
    while outcome.cycles != ideal and (limiting := outcome.limiting.difference(given)):
        for name in limiting:
            depths[name] = min(2 * depths[name], most[name])
        raised |= limiting
        outcome = run(network, depths, inferences=INFERENCES)
    # in the network's order where they are as wide: that of a set differs between processes
    widest = sorted(network.channels, key=lambda name: -network.channels[name].width)
    for name in (n for n in widest if n in raised):
        depths[name] = _least(network, depths, name, safe[name], outcome.cycles)
    return depths, run(network, depths, inferences=INFERENCES) if raised else outcome


def _least(
    network: Network, depths: Mapping[str, int], name: str, low: int, ideal: tuple[int, ...]
) -> int:
    """Return the least depth of one FIFO with which no cycle is lost."""
    high = depths[name]
    while low < high:
        middle = (low + high) // 2
        if run(network, {**depths, name: middle}, inferences=INFERENCES).cycles == ideal:
            high = middle
        else:
            low = middle + 1
    return low
