"""How a space is gone through, decided once and kept with the run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwflow.exploration.explorer import Explorer
from hwflow.exploration.points import up_to
from hwflow.exploration.space import Numbers, Space

CHUNK = 2000
"""Configurations of a chunk at least, where there are as many: one commit and one task for each."""

SHARE = 0.25
"""Share of the time of a heuristic exploration that is for a part which is certified."""

CHECKS = 8
"""Chunks in which one configuration is computed again by the golden model."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is evaluated.

    Attributes:
        size: configurations in all.
        exhaustive: all of them are evaluated.
        chunk: configurations of a chunk.
        seconds: how long all would take about, one worker.
        evaluations: configurations that are evaluated.
        time_s: seconds after which no more are begun, or None.
        part: what is said of a part that is evaluated beside these and is certified.
    """

    size: int
    exhaustive: bool
    chunk: int
    seconds: float
    evaluations: int
    time_s: float | None = None
    part: Mapping[str, Any] | None = None

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self.size // self.chunk)

    def numbers(self, chunk: int) -> Numbers:
        """Return the configurations of a chunk."""
        return np.arange(chunk * self.chunk, min((chunk + 1) * self.chunk, self.size))

    def checked(self, chunk: int, seed: int) -> int | None:
        """Return the configuration of a chunk that is computed again, in some chunks."""
        if chunk % max(1, self.chunks // CHECKS):
            return None
        numbers = self.numbers(chunk)
        return int(numbers[np.random.default_rng((seed, chunk)).integers(len(numbers))])

    def __str__(self) -> str:
        """Return the line that a user reads first."""
        if self.exhaustive or (self.part is not None and self.part["whole"]):
            return f"{self._said}: the front is certified"
        above = "" if self.part is None else f" above {up_to(self.part)}, certified up to there"
        return f"{self._said}: the front is heuristic{above}"

    def cheapest(self, seconds: float) -> int:
        """Return how many of the cheapest configurations some of the time is enough for.

        Args:
            seconds: the time, unless the plan has one.
        """
        time_s = seconds if self.time_s is None else self.time_s
        return int(time_s * SHARE / max(self.seconds / self.size, 1e-9))

    def fitted(self, most: int) -> str:
        """Return this line where settings are fitted for so many configurations at most."""
        if self.exhaustive and self.size <= most:
            return f"{self._said}; settings are fitted for each on every board"
        return (
            f"{self._said}; settings are fitted for {most} of them at most on every board: "
            "the front is heuristic"
        )

    @property
    def _said(self) -> str:
        if self.exhaustive:
            return (
                f"{self.size:,} configurations, all of them, about {duration(self.seconds)} to "
                "evaluate with one worker"
            )
        part = self.part
        if part is not None and part["whole"]:
            return (
                f"{self.size:,} configurations, all {part['configurations']:,} of them that keep "
                f"to {', '.join(part['limits'])}"
            )
        cheap = "" if part is None else f"the cheapest {part['configurations']:,}, and "
        most = [f"{self.evaluations:,}"] if self.evaluations < self.size else []
        if self.time_s is not None:
            most.append(f"those of {duration(self.time_s)}")
        return (
            f"{self.size:,} configurations, {duration(self.seconds)} for all of them; {cheap}"
            f"the best of {' or '.join(most)}, by sensitivity and evolution"
        )


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:,.0f} h"


def chunk_size(space: Space) -> int:
    """Return a number of configurations that have a prefix in common."""
    for stride in reversed((space.size, *space.strides)):
        if stride >= CHUNK:
            return stride
    return space.size


def measured(explorer: Explorer) -> float:
    """Return the seconds that a configuration takes about, from some that follow each other."""
    space = explorer.space
    tree = explorer.tree(explorer.search)
    chunk = chunk_size(space)
    first = (space.size // chunk // 2) * chunk
    numbers = np.arange(first, min(first + min(chunk, 400), space.size))
    tree.counts(numbers)  # kernels are made once
    started = time.perf_counter()
    tree.counts(numbers)
    return (time.perf_counter() - started) / len(numbers)
