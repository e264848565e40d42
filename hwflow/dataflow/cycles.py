"""Circles of processes that could wait for each other.

Where processes are locked, each waits for one other: for the source of an empty FIFO, or for the
reader of a full one. Following the waits leads round a circle of FIFOs, whatever their direction.
So only processes on such circles can lock each other, and each circle has a full and an empty FIFO.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hwflow.dataflow.network import Channel, Network

MOST_PATHS = 100_000
"""Paths that are tried within one part of a network, about a second's worth."""


class TooManyPathsError(Exception):
    """A part of a network has more circles than are listed."""


@dataclass(frozen=True)
class Hop:
    """A process that waits at a FIFO.

    Attributes:
        process: who waits.
        channel: the FIFO.
        full: whether it waits to write; else it waits to read.
    """

    process: str
    channel: Channel
    full: bool


Circle = tuple[Hop, ...]
"""Waits, one for the next. The first waits to read, and the last to write to the first's process:
there both branches meet."""


def blocks(network: Network) -> list[list[Channel]]:
    """Return the FIFOs in groups that circles cannot leave: biconnected components.

    Hopcroft and Tarjan, "Efficient algorithms for graph manipulation", 1973.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    groups: list[list[Channel]] = []
    for start in network.processes:
        if start not in order:
            _from(network, start, order, low, groups)
    return groups


def _from(
    network: Network, start: str, order: dict[str, int], low: dict[str, int],
    groups: list[list[Channel]],
) -> None:  # fmt: skip
    """Add the groups of what hangs together with a process."""
    edges: list[Channel] = []
    used: set[str] = set()
    order[start] = low[start] = len(order)
    path: list[tuple[str, Channel | None]] = [(start, None)]
    waiting = {start: iter(network.touching[start])}
    while path:
        at, came = path[-1]
        channel = next(waiting[at], None)
        if channel is None:
            path.pop()
            if came is not None:
                _close(path[-1][0], at, came, (order, low, edges, groups))
            continue
        if channel.name in used:
            continue
        used.add(channel.name)
        edges.append(channel)
        other = _other(channel, at)
        if other in order:
            low[at] = min(low[at], order[other])
            continue
        order[other] = low[other] = len(order)
        path.append((other, channel))
        waiting[other] = iter(network.touching[other])


def _close(
    before: str, at: str, came: Channel,
    found: tuple[dict[str, int], dict[str, int], list[Channel], list[list[Channel]]],
) -> None:  # fmt: skip
    """Go back over a FIFO; what lies behind it is a group where it reaches no further back."""
    order, low, edges, groups = found
    low[before] = min(low[before], low[at])
    if low[at] < order[before]:
        return
    cut = edges.index(came)
    groups.append(edges[cut:])
    del edges[cut:]


def _other(channel: Channel, process: str) -> str:
    return channel.target if channel.source == process else channel.source


def circles(group: Sequence[Channel]) -> Iterator[Circle]:
    """Yield every circle of a group, in both directions of waiting.

    Raises:
        TooManyPathsError: there are more paths than ``MOST_PATHS``.
    """
    touching: dict[str, list[Channel]] = {}
    for channel in group:
        touching.setdefault(channel.source, []).append(channel)
        touching.setdefault(channel.target, []).append(channel)
    rank = {name: k for k, name in enumerate(touching)}
    left = [MOST_PATHS]
    for root in touching:
        yield from _circles_at(root, touching, rank, left)


def _circles_at(
    root: str, touching: Mapping[str, Sequence[Channel]], rank: Mapping[str, int], left: list[int]
) -> Iterator[Circle]:
    """Yield the circles through a root and processes of higher rank; count paths off ``left``."""
    path: list[tuple[str, Channel]] = []
    waiting, on_path = [(root, iter(touching[root]))], {root}
    while waiting:
        at, channels = waiting[-1]
        channel = next(channels, None)
        if channel is None:
            waiting.pop()
            on_path.discard(at)
            del path[-1:]
            continue
        left[0] -= 1
        if left[0] < 0:
            raise TooManyPathsError
        other = _other(channel, at)
        if other == root and path and channel is not path[0][1]:
            yield _circle([*path, (at, channel)])
        elif rank[other] > rank[root] and other not in on_path:
            path.append((at, channel))
            on_path.add(other)
            waiting.append((other, iter(touching[other])))


def _circle(path: Sequence[tuple[str, Channel]]) -> Circle:
    """Return the waits along a path, from a process that reads both FIFOs beside it."""
    hops = [Hop(at, channel, full=channel.source == at) for at, channel in path]
    first = next(k for k, hop in enumerate(hops) if hops[k - 1].full and not hop.full)
    return (*hops[first:], *hops[:first])
