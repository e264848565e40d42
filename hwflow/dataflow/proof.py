"""The least depths with which no stall can lock a network, and why.

**What is proven.** A process does its steps in order. A step needs its tokens, and space for what
it writes. A pipeline of HLS tools may do more than the text of the kernel says. It may hold back
the results of up to ``deepest`` steps as long as no new input comes (a stalled pipeline), and it
may refuse to read as long as the result of that very step finds no space (no slack inside). For
each process either may be true; the proof holds for all combinations, and for all times.

**The proof.** Times do not matter: a step that can be done stays possible until it is done. So a
network that stops has processes that all wait, and following the waits leads round a circle
(``cycles``). Take one circle, and start where both branches meet: process J waits to read in step
t. Going round the circle, each wait says which step of the next process must have been done:

- *J waits for a token of an empty FIFO.* Its source must do the first step by whose end so many
  tokens are written. If that waits to read in turn, it may have held back results: it waits for the
  reads of a step up to ``deepest`` later, but none behind the end of its loop, which drains.
- *A process waits for space in a full FIFO of depth d.* If it has written n tokens by the end of
  its step, n - d must have been read; the reader must do the first step by whose end they are.

Back at J stands the step whose reads are waited for. If that is before t, it has been done, and
nothing of this circle waits. If it is t or later, J waits for itself. So a network is free of
deadlock **if and only if** every circle leads from every t to an earlier step. A wait for a token
of an earlier inference is none: that inference ends by the same argument.

The steps that circles lead to only become earlier when a depth grows. So the least depth of one
FIFO, the others given, is found by bisection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np

from hwflow.dataflow.cycles import Circle, Hop, TooManyPathsError, blocks, circles
from hwflow.dataflow.network import Network, Process
from hwflow.dataflow.pattern import Counts

LEAST = 2
"""Depth of the smallest FIFO: one word less, and it is not written and read at once (UG1399)."""

NEVER = -1
"""Step that is waited for where nothing is."""


@dataclass(frozen=True)
class Safety:
    """Depths with which a network cannot lock.

    Attributes:
        depths: words that each FIFO holds, by name.
        circles: for each FIFO that is deeper than ``LEAST`` the circle that asks for its depth.
        whole: FIFOs that hold all tokens, since their circles are too many to list, or since a
            process at one of their ends does not say what it does.
        short: FIFOs whose given depth is too small, with the least depth that would do.
    """

    depths: Mapping[str, int]
    circles: Mapping[str, Circle] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()
    short: Mapping[str, int] = field(default_factory=dict)


def safe_depths(network: Network, given: Mapping[str, int] | None = None) -> Safety:
    """Return depths that are free of deadlock, none of which could be less by one.

    Where a circle passes several FIFOs that could hold its tokens, the narrowest does.

    Args:
        network: the processes.
        given: depths that are not to be changed, by FIFO.
    """
    given = given or {}
    depths = {**dict.fromkeys(network.channels, LEAST), **given}
    asking: dict[str, Circle] = {}
    short = {name: LEAST for name, depth in given.items() if depth < LEAST}
    whole: set[str] = set()
    for group in blocks(network):
        if len(group) == 1:
            continue
        all_of = {c.name for c in group if not _known(network, c.source, c.target)}
        try:
            found = list(circles(group))
        except TooManyPathsError:
            found, all_of = [], {channel.name for channel in group}
        for name in all_of:
            depths[name] = max(network.channels[name].tokens, LEAST)
            if given.get(name, depths[name]) < depths[name]:
                short[name] = depths[name]
        whole |= all_of
        asking |= _deepened(network, found, depths, (given.keys() - all_of, short))
    return Safety(depths, asking, frozenset(whole), short)


def _known(network: Network, *names: str) -> bool:
    return all(network.processes[name].known for name in names)


def _deepened(
    network: Network, found: Sequence[Circle], depths: dict[str, int],
    given: tuple[Set[str], dict[str, int]],
) -> dict[str, Circle]:  # fmt: skip
    """Make FIFOs as deep as circles ask, then take back what others made needless.

    Args:
        network: the processes.
        found: the circles.
        depths: words that each FIFO holds, by name; changed in place.
        given: FIFOs that are not to be made deeper, and where to note those that must be.

    Returns:
        For each FIFO that is deeper than ``LEAST`` for a circle's sake, that circle.
    """
    raised: list[str] = []
    kept, short = given
    for circle in found:
        if locked_step(network, circle, depths) is None:
            continue
        full = [hop.channel for hop in circle if hop.full]
        narrowest = min(full, key=lambda c: (c.name in kept, c.width, c.tokens))
        depths[narrowest.name] = least_depth(network, [circle], depths, narrowest.name)
        raised.append(narrowest.name)
    asking: dict[str, Circle] = {}
    for name in dict.fromkeys(raised):
        own = [c for c in found if any(hop.full and hop.channel.name == name for hop in c)]
        depths[name] = least_depth(network, own, depths, name)
        if depths[name] > LEAST:
            less = {**depths, name: depths[name] - 1}
            asking[name] = next(c for c in own if locked_step(network, c, less) is not None)
        if name in kept:
            short[name] = depths[name]
    return asking


def least_depth(
    network: Network, found: Iterable[Circle], depths: Mapping[str, int], name: str
) -> int:
    """Return the least depth of one FIFO with which circles through it cannot lock."""
    low, high = LEAST, max(network.channels[name].tokens, LEAST)
    circles = list(found)
    while low < high:
        middle = (low + high) // 2
        tried = {**depths, name: middle}
        if any(locked_step(network, c, tried) is not None for c in circles):
            low = middle + 1
        else:
            high = middle
    return low


def locking(network: Network, depths: Mapping[str, int]) -> list[Circle]:
    """Return the circles that lock a network with given depths.

    Raises:
        TooManyPathsError: there are more circles than are listed.
    """
    found = chain.from_iterable(circles(g) for g in blocks(network) if len(g) > 1)
    return [circle for circle in found if locked_step(network, circle, depths) is not None]


def locked_step(network: Network, circle: Circle, depths: Mapping[str, int]) -> int | None:
    """Return the first step of a circle's first process that waits for itself, or None.

    Args:
        network: the processes.
        circle: waits, from one to read to one to write.
        depths: words that each FIFO holds, by name.
    """
    steps = np.arange(network.processes[circle[0].process].pattern.steps)
    at = steps
    for hop, behind in zip(circle, chain(circle[1:], circle[:1]), strict=True):
        at = _waited_for(network, hop, behind, at, depths)
    locked = np.flatnonzero(at >= steps)
    return int(locked[0]) if len(locked) else None


def worst_lags(network: Network, circle: Circle) -> dict[str, int]:
    """Return lags with which a circle locks if any do, by process.

    Processes on its way of empty FIFOs hold back what they can; those on its way of full ones have
    no slack.
    """
    lags = dict.fromkeys(network.processes, 0)
    for hop, behind in pairwise(circle):
        if not hop.full and not behind.full:
            lags[behind.process] = network.processes[behind.process].deepest
    return lags


def _waited_for(
    network: Network, hop: Hop, behind: Hop, at: Counts, depths: Mapping[str, int]
) -> Counts:
    """Return the steps of the next process that the steps of a waiting one wait for.

    Args:
        network: the processes.
        hop: who waits, at which FIFO.
        behind: the wait of the next process.
        at: steps of the waiting process, or ``NEVER``.
        depths: words that each FIFO holds, by name.
    """
    name, waiting = hop.channel.name, network.processes[hop.process]
    other = network.processes[behind.process]
    if hop.full:
        tokens = waiting.pattern.writes[at] - depths[name]
        counts = other.reads_of(name)
    else:
        tokens = waiting.reads_of(name)[at]
        counts = other.pattern.writes
    found = np.where((tokens > 0) & (at != NEVER), np.searchsorted(counts, tokens), NEVER)
    if hop.full or behind.full:
        return found
    return np.where(found == NEVER, NEVER, held_back(other, found))


def held_back(process: Process, at: Counts) -> Counts:
    """Return the steps whose reads may be needed before the results of others come out."""
    return np.minimum(at + process.deepest, process.pattern.ends[at])
