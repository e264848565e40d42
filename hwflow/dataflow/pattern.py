"""What a process does with its streams: how many tokens are read before each one is written.

A kernel is a few loops, one behind the other. A *step* is one iteration: it reads some tokens of
each input, then writes some of its result. What a step does depends on no data, so that a process
is a table of counts. A *token* is one word of a stream: the channels of one position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
"""One whole number for each step of a process."""

SHALLOW = 8
"""Cycles at most from reading a token to writing the result, for one operation on each element:
the FIFOs take two, a table or a product with its rounding up to five."""


@dataclass(frozen=True, eq=False)
class Loop:
    """One loop of a kernel.

    Attributes:
        reads: tokens that each step reads, of shape ``(inputs, steps)``.
        writes: tokens that each step writes behind that, of shape ``(steps,)``.
    """

    reads: Counts
    writes: Counts

    def in_turns(self, turns: int) -> Loop:
        """Return the loop with each step in turns: the first reads, and the last writes."""
        inputs, steps = self.reads.shape
        reads, writes = none(inputs, steps, turns), none(steps, turns)
        reads[..., 0], writes[..., -1] = self.reads, self.writes
        return Loop(reads.reshape(inputs, -1), writes.ravel())


@dataclass(frozen=True, eq=False)
class Pattern:
    """All steps of a process for one inference.

    Attributes:
        reads: for each input, the tokens that have been read by the end of each step.
        writes: tokens of the result that have been written by the end of each step.
        ends: for each step the last step of its loop.
        depth: cycles at most that a step takes from its reads to its writes.
    """

    reads: tuple[Counts, ...]
    writes: Counts
    ends: Counts
    depth: int = SHALLOW

    @property
    def steps(self) -> int:
        """Iterations of all loops."""
        return len(self.writes)

    @classmethod
    def of(cls, loops: Iterable[Loop], depth: int = SHALLOW) -> Pattern:
        """Return the pattern of loops that run one behind the other."""
        found = [loop for loop in loops if len(loop.writes)]
        reads = np.concatenate([loop.reads for loop in found], axis=1).cumsum(axis=1)
        lengths = np.array([len(loop.writes) for loop in found])
        return cls(
            tuple(reads),
            np.concatenate([loop.writes for loop in found]).cumsum(),
            np.repeat(lengths.cumsum() - 1, lengths),
            depth,
        )

    @classmethod
    def elementwise(
        cls, tokens: int, inputs: int = 1, depth: int = SHALLOW, *, turns: int = 1
    ) -> Pattern:
        """Return the pattern of a kernel that makes one token of one of each input."""
        return cls.of([Loop(ones(inputs, tokens), ones(tokens)).in_turns(turns)], depth)

    @classmethod
    def choosing(
        cls, read: npt.ArrayLike, written: npt.ArrayLike, depth: int = SHALLOW, *, turns: int = 1
    ) -> Pattern:
        """Return the pattern of one loop over one input.

        Args:
            read: whether each step reads a token.
            written: whether each step writes one.
            depth: cycles from the reads of a step to its writes.
            turns: parts that each step is done in.
        """
        reads, writes = (np.asarray(flags, np.int64).ravel() for flags in (read, written))
        return cls.of([Loop(reads[None], writes).in_turns(turns)], depth)

    @classmethod
    def buffered(cls, tokens: Sequence[int], written: int, depth: int = SHALLOW) -> Pattern:
        """Return the pattern of a kernel that reads its inputs one behind the other, then writes.

        Args:
            tokens: tokens of each input.
            written: tokens of the result.
            depth: cycles from the last read to the first write.
        """
        loops = [Loop(only(len(tokens), k, n), none(n)) for k, n in enumerate(tokens)]
        return cls.of([*loops, Loop(none(len(tokens), written), ones(written))], depth)

    @classmethod
    def packing(cls, tokens: int, written: int) -> Pattern:
        """Return the pattern of a kernel that packs the same elements into other words.

        Args:
            tokens: words read.
            written: words written; one of both divides the other.
        """
        if tokens >= written:
            every = tokens // written
            return cls.choosing(ones(tokens), np.arange(1, tokens + 1) % every == 0)
        every = written // tokens
        return cls.choosing(np.arange(written) % every == 0, ones(written))


def ones(*shape: int) -> Counts:
    """Return a 1 for each step."""
    return np.ones(shape, np.int64)


def none(*shape: int) -> Counts:
    """Return a 0 for each step."""
    return np.zeros(shape, np.int64)


def only(inputs: int, which: int, steps: int) -> Counts:
    """Return the reads of a loop that takes one token of one input in each step."""
    reads = none(inputs, steps)
    reads[which] = 1
    return reads
