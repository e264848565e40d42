"""Times a network on this machine: one sample at a time, and in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Feeds = Mapping[str, npt.NDArray[Any]]
Run = Callable[[Feeds], object]

WARM_UP = 20
"""Runs before the first that counts: memory, caches and the clock of the CPU settle."""

FEWEST, MOST = 30, 5_000
"""Runs whose median counts."""

SECONDS = 0.4
"""How long one figure is measured, more than ``FEWEST`` runs aside."""

BATCHES = (1, 8, 64, 256, 1024, 8192)
"""Batches that are tried for throughput."""

MAX_BYTES = 2**28
"""Largest batch of inputs; a batch of large samples is tried up to here."""


@dataclass(frozen=True)
class Latency:
    """Time for one sample.

    Attributes:
        median_us: median, in microseconds.
        low_us: 5 % of the runs are faster.
        high_us: 5 % of the runs are slower.
        runs: how many were timed.
    """

    median_us: float
    low_us: float
    high_us: float
    runs: int


@dataclass(frozen=True)
class Throughput:
    """Samples per second at the best of the batches tried.

    Attributes:
        per_s: samples per second.
        batch: samples of a batch.
    """

    per_s: float
    batch: int


def latency(run: Run, sample: Feeds, seconds: float | None = None) -> Latency:
    """Return the time of single runs, after warm-up.

    Args:
        run: computes a batch.
        sample: a batch of one.
        seconds: how long runs are timed; None for ``SECONDS``.
    """
    times = _times(run, sample, SECONDS if seconds is None else seconds, WARM_UP)
    low, median, high = np.percentile(times, (5, 50, 95)) / 1e3
    return Latency(float(median), float(low), float(high), len(times))


def throughput(
    run: Run, samples: Feeds, batches: Sequence[int] = BATCHES, seconds: float | None = None
) -> Throughput:
    """Return samples per second at the best batch.

    Args:
        run: computes a batch.
        samples: as many as there are; they are repeated to fill a batch.
        batches: sizes to try.
        seconds: how long each is timed; None for half of ``SECONDS``.
    """
    each = SECONDS / 2 if seconds is None else seconds
    size = sum(array[:1].nbytes for array in samples.values())
    found = Throughput(0.0, 1)
    for batch in batches:
        if batch > 1 and batch * size > MAX_BYTES:
            break
        feeds = {name: filled(array, batch) for name, array in samples.items()}
        median = float(np.median(_times(run, feeds, each, 2)))
        if batch * 1e9 / median > found.per_s:
            found = Throughput(batch * 1e9 / median, batch)
    return found


def filled(array: npt.NDArray[Any], batch: int) -> npt.NDArray[Any]:
    """Return a batch of a size, of the samples in turn."""
    return np.ascontiguousarray(array[np.arange(batch) % len(array)])


def _times(run: Run, feeds: Feeds, seconds: float, warm_up: int) -> npt.NDArray[np.float64]:
    """Return nanoseconds of runs."""
    for _ in range(warm_up):
        run(feeds)
    times: list[int] = []
    end = time.perf_counter() + seconds
    fewest = FEWEST if warm_up == WARM_UP else 3
    while len(times) < fewest or (time.perf_counter() < end and len(times) < MOST):
        started = time.perf_counter_ns()
        run(feeds)
        times.append(time.perf_counter_ns() - started)
    return np.array(times, np.float64)
