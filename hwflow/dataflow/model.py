"""A cycle-accurate model of a network: what each process does when, and what stops it.

In every cycle, a process does its next step if all of these hold; else it waits as a whole, as a
stalled pipeline does:

- ``ii`` cycles have passed since the step before;
- each token that it reads was written a cycle before, at the latest;
- there is space for each token that it writes; what was read a cycle before left some.

With a lag of n, the results of a step are written n steps later, together with the reads of that
step. Behind the last step of a loop follow n that read nothing.

No cycle is played: a step's time is the latest of the times it waits for, so that each is computed
once, whatever the order of processes. Where no process has a step whose times are known, but some
have steps left, the network is locked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hwflow.dataflow.network import Network, Process
from hwflow.dataflow.pattern import Counts


@dataclass(frozen=True)
class Wait:
    """A process that waits for ever.

    Attributes:
        process: who waits.
        channel: the FIFO it waits at.
        full: whether it waits to write; else it waits to read.
        tokens: tokens that went into the FIFO before.
    """

    process: str
    channel: str
    full: bool
    tokens: int

    def __str__(self) -> str:
        """Return the wait in words."""
        if self.full:
            return f"{self.process} waits to write token {self.tokens + 1} of {self.channel}, full"
        return f"{self.process} waits to read token {self.tokens + 1} of {self.channel}, empty"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a run.

    Attributes:
        cycles: for each inference, the cycles from the start of the first to its last step.
        most: for each FIFO the most tokens that were in it at once.
        held: for each FIFO the cycles that its source waited since it was full.
        starved: for each FIFO the cycles that its reader waited since it was empty.
        locked: the processes that wait for ever; empty where all ended.
        limiting: the full FIFOs that the last step of an inference waited for, one way or another.
    """

    cycles: tuple[int, ...]
    most: Mapping[str, int]
    held: Mapping[str, int]
    starved: Mapping[str, int]
    locked: tuple[Wait, ...] = ()
    limiting: frozenset[str] = frozenset()

    @property
    def interval(self) -> int:
        """Cycles between the ends of the last two inferences, or of the only one."""
        return self.cycles[-1] - (self.cycles[-2] if len(self.cycles) > 1 else 0)


def run(
    network: Network,
    depths: Mapping[str, int],
    *,
    lags: Mapping[str, int] | None = None,
    inferences: int = 1,
) -> Outcome:
    """Return what becomes of inferences that enter one behind the other.

    Args:
        network: the processes and FIFOs.
        depths: words that each FIFO holds.
        lags: steps from reads to writes of each process, instead of those estimated.
        inferences: how many.
    """
    states = {
        name: _State(process, process.lag if lags is None else lags[name], inferences)
        for name, process in network.processes.items()
    }
    _link(network, states, depths)
    waiting = deque(states.values())
    while waiting:
        state = waiting.popleft()
        state.queued = False
        if not state.advance():
            continue
        for other in state.neighbours:
            if not other.queued and other.at < other.total:
                other.queued = True
                waiting.append(other)
    return _outcome(network, states, inferences)


@dataclass(kw_only=True, eq=False)
class _Link:
    """A FIFO in a run.

    Attributes:
        name: name of the FIFO.
        depth: words that it holds.
        written: cycle in which each token was written, so far.
        read: cycle in which each was read.
        writers: step of the source that wrote each token.
        readers: step of the reader that read each.
        held: cycles that the source waited.
        starved: cycles that the reader waited.
    """

    name: str
    depth: int
    written: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    writers: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    held: int = 0
    starved: int = 0


class _State:
    """A process in a run: which step is next, and what the steps before did."""

    def __init__(self, process: Process, lag: int, inferences: int) -> None:
        reads, writes = pipelined(process, lag)
        self.process = process
        self.reads = [np.diff(counts, prepend=0).tolist() for counts in reads]
        self.writes = np.diff(writes, prepend=0).tolist()
        self.steps = len(self.writes)
        self.total = self.steps * inferences
        self.at = 0
        self.time = -process.ii
        self.times: list[int] = []
        self.causes: list[_Link | None] = []
        self.queued = True
        self.inputs: list[tuple[list[int], _Link]] = []
        self.outputs: list[_Link] = []
        self.neighbours: list[_State] = []

    def advance(self) -> bool:
        """Do every step whose time is known; return whether there was one."""
        first, steps, ii = self.at, self.steps, self.process.ii
        inputs, outputs, writes = self.inputs, self.outputs, self.writes
        while self.at < self.total:
            step = self.at % steps
            due, cause = self.time + ii, None
            for reads, link in inputs:
                if count := reads[step]:
                    last = len(link.read) + count
                    if len(link.written) < last:
                        return self.at > first
                    if link.written[last - 1] + 1 > due:
                        due, cause = link.written[last - 1] + 1, link
            count = writes[step]
            if count:
                for link in outputs:
                    last = len(link.written) + count - link.depth
                    if len(link.read) < last:
                        return self.at > first
                    if last > 0 and link.read[last - 1] + 1 > due:
                        due, cause = link.read[last - 1] + 1, link
            self._do(step, due, cause)
        return self.at > first

    def _do(self, step: int, due: int, cause: _Link | None) -> None:
        """Do a step in a cycle; what it waited for is noted."""
        waited = due - self.time - self.process.ii
        if cause is not None and cause in self.outputs:
            cause.held += waited
        elif cause is not None:
            cause.starved += waited
        for reads, link in self.inputs:
            link.read.extend([due] * reads[step])
            link.readers.extend([self.at] * reads[step])
        count = self.writes[step]
        for link in self.outputs if count else ():
            link.written.extend([due] * count)
            link.writers.extend([self.at] * count)
        self.times.append(due)
        self.causes.append(cause)
        self.time = due
        self.at += 1

    def wait(self) -> Wait:
        """Return what an unfinished process waits for."""
        step = self.at % self.steps
        for reads, link in self.inputs:
            if len(link.written) < len(link.read) + reads[step]:
                return Wait(self.process.name, link.name, full=False, tokens=len(link.written))
        full = next(
            link for link in self.outputs
            if len(link.read) < len(link.written) + self.writes[step] - link.depth
        )  # fmt: skip
        return Wait(self.process.name, full.name, full=True, tokens=len(full.written))


def pipelined(process: Process, lag: int) -> tuple[Sequence[Counts], Counts]:
    """Return tokens read and written by the end of each step, where results come ``lag`` later."""
    pattern = process.pattern
    if not lag:
        return pattern.reads, pattern.writes
    reads: list[list[Counts]] = [[] for _ in pattern.reads]
    writes: list[Counts] = []
    start = 0
    for last in np.unique(pattern.ends).tolist():
        before = pattern.writes[start - 1] if start else 0
        for counts, found in zip(pattern.reads, reads, strict=True):
            found += [counts[start : last + 1], np.full(lag, counts[last])]
        writes += [np.full(lag, before), pattern.writes[start : last + 1]]
        start = last + 1
    return [np.concatenate(found) for found in reads], np.concatenate(writes)


def _link(network: Network, states: Mapping[str, _State], depths: Mapping[str, int]) -> None:
    """Join the processes of a run by their FIFOs."""
    for name, channel in network.channels.items():
        link = _Link(name=name, depth=depths[name])
        source, target = states[channel.source], states[channel.target]
        source.outputs.append(link)
        target.inputs.append((target.reads[target.process.inputs.index(name)], link))
        source.neighbours.append(target)
        target.neighbours.append(source)


def _outcome(network: Network, states: Mapping[str, _State], inferences: int) -> Outcome:
    links = {link.name: link for state in states.values() for link in state.outputs}
    locked = tuple(state.wait() for state in states.values() if state.at < state.total)
    cycles: list[int] = []
    limiting: frozenset[str] = frozenset()
    if not locked:
        for k in range(1, inferences + 1):
            last = max(states.values(), key=lambda state: state.times[k * state.steps - 1])
            cycles.append(1 + last.times[k * last.steps - 1])
            limiting |= _limiting(network, states, last, k * last.steps - 1)
    return Outcome(
        cycles=tuple(cycles),
        most={name: _most(link) for name, link in links.items()},
        held={name: link.held for name, link in links.items()},
        starved={name: link.starved for name, link in links.items()},
        locked=locked,
        limiting=limiting,
    )


def _most(link: _Link) -> int:
    """Return the most tokens that were in a FIFO in one cycle; those read in it count."""
    if not link.written:
        return 0
    before = np.searchsorted(link.read, link.written)
    return int((np.arange(1, len(link.written) + 1) - before).max())


def _limiting(
    network: Network, states: Mapping[str, _State], state: _State, step: int
) -> frozenset[str]:
    """Return the full FIFOs on the chain of waits that ends with a step of a process."""
    found = set()
    while step >= 0:
        cause = state.causes[step]
        if cause is None:
            step -= 1
            continue
        channel = network.channels[cause.name]
        if channel.source == state.process.name:
            found.add(cause.name)
            token = int(np.searchsorted(cause.writers, step, side="right")) - 1 - cause.depth
            state, step = states[channel.target], cause.readers[token]
        else:
            token = int(np.searchsorted(cause.readers, step, side="right")) - 1
            state, step = states[channel.source], cause.writers[token]
    return frozenset(found)
