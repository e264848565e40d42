"""Processes and the FIFOs between them.

Streams at the ports of the top function are left out: outside, data is always there and results
are always taken. What the world withholds stops the hardware and cannot lock it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from hwflow.dataflow.pattern import Counts, Pattern


@dataclass(frozen=True, kw_only=True, eq=False)
class Process:
    """One function of the dataflow region.

    Attributes:
        name: unique in the network.
        kind: what it is, for people.
        pattern: what it does with its streams.
        inputs: for each input of the pattern its FIFO; empty where it is a port.
        outputs: the FIFOs that each result goes into; more than one for copies of a stream.
        ii: cycles from one step to the next, as estimated.
        lag: steps from a step's reads to its writes, as estimated.
        deepest: the same at most: what a stalled pipeline can hold back.
        known: whether the pattern is stated by the operator; else it stands for the worst.
    """

    name: str
    kind: str
    pattern: Pattern
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ii: int = 1
    lag: int = 1
    deepest: int = 1
    known: bool = True

    def reads_of(self, channel: str) -> Counts:
        """Return the tokens of a FIFO that have been read by the end of each step."""
        return self.pattern.reads[self.inputs.index(channel)]


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One FIFO.

    Attributes:
        name: name of the value, with the number of the copy where a stream is copied.
        value: the layer whose result it carries, or whose padded input.
        carried: the same, but for a padded input, which is a value of its own.
        source: process that writes.
        target: process that reads.
        tokens: tokens for one inference.
        elements: channels of a token.
        bits: width of an element.
    """

    name: str
    value: str
    carried: str
    source: str
    target: str
    tokens: int
    elements: int = 1
    bits: int = 1

    @property
    def width(self) -> int:
        """Bits of a token."""
        return self.elements * self.bits


@dataclass(frozen=True, eq=False)
class Network:
    """A dataflow region: processes in topological order, with the FIFOs between them.

    Attributes:
        processes: all processes, by name.
        channels: all FIFOs, by name.
    """

    processes: Mapping[str, Process]
    channels: Mapping[str, Channel]

    @classmethod
    def of(cls, processes: Iterable[Process], channels: Iterable[Channel]) -> Network:
        """Return the network, after checking that each FIFO has the same tokens at both ends.

        Raises:
            ValueError: a process writes more or fewer tokens than its reader reads, or has a lag
                beyond its ``deepest``.
        """
        found = cls({p.name: p for p in processes}, {c.name: c for c in channels})
        for process in found.processes.values():
            if process.lag > process.deepest:
                raise ValueError(f"{process.name}: lag {process.lag} of {process.deepest} at most")
        for channel in found.channels.values():
            written = int(found.processes[channel.source].pattern.writes[-1])
            read = int(found.processes[channel.target].reads_of(channel.name)[-1])
            if not written == read == channel.tokens:
                raise ValueError(f"{channel}: {written} tokens written, {read} read")
        return found

    @property
    def steps(self) -> int:
        """Steps of all processes in one inference."""
        return sum(process.pattern.steps for process in self.processes.values())

    @cached_property
    def touching(self) -> Mapping[str, tuple[Channel, ...]]:
        """The FIFOs at each process, on either side."""
        found: dict[str, list[Channel]] = {name: [] for name in self.processes}
        for channel in self.channels.values():
            found[channel.source].append(channel)
            found[channel.target].append(channel)
        return {name: tuple(channels) for name, channels in found.items()}
