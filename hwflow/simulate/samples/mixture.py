"""Made-up samples of many kinds, from the ports alone: uniform, ends, sparse, smooth, constant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.simulate.samples.ports import PortRange

F64 = npt.NDArray[np.float64]
Rng = np.random.Generator

BEYOND = 16
"""One in so many samples leaves the range of its port, by up to an eighth of it."""

TIES = 8
"""One in so many samples lies half way between the levels of a port that rounds."""


def levels(rng: Rng, port: PortRange, count: int) -> RawArray:
    """Return the levels of samples, batch first; kinds take turns, so that any first few differ.

    The first samples are zeros, all lowest, all highest, and those two beyond the range. A port of
    whole numbers alone gets none beyond it.
    """
    shape = port.lo.shape
    kinds = rng.permuted(np.resize(np.arange(len(KINDS)), count))
    found = np.stack([KINDS[kind](rng, port) for kind in kinds]) if count else np.empty((0, *shape))
    out = np.zeros_like(port.lo) if port.whole else _margin(port)
    first = np.array([port.zero, port.lo, port.hi, port.lo - out, port.hi + out][:count])
    inside = port.snapped(np.rint(found).astype(np.int64))
    inside[: len(first)] = first
    beyond = np.arange(count) % BEYOND == BEYOND - 1
    spread = port.lo - out + rng.random((int(beyond.sum()), *shape)) * _span(port, 2 * out)
    some = rng.random(spread.shape) < rng.random((len(spread), *[1] * len(shape)))
    inside[beyond] = np.where(some, np.rint(spread).astype(np.int64), inside[beyond])
    return inside


def fractions(rng: Rng, port: PortRange, count: int) -> F64:
    """Return how far off their levels the numbers of samples lie, in steps; half of them on it."""
    shape = (count, *port.lo.shape)
    found = np.zeros(shape)
    if port.whole:
        return found
    number = np.arange(count)
    off = (number % 2 == 1) & (number > 4)
    found[off] = rng.uniform(-0.45, 0.45, (int(off.sum()), *shape[1:]))
    if not port.host:
        ties = number % TIES == TIES - 3
        found[ties] = rng.choice((-0.5, 0.5), (int(ties.sum()), *shape[1:]))
    return found


def _span(port: PortRange, more: RawArray) -> F64:
    return (port.hi - port.lo).astype(np.float64) + more


def _margin(port: PortRange) -> RawArray:
    return np.asarray(np.maximum((port.hi - port.lo) // 8, 1))


def uniform(rng: Rng, port: PortRange) -> F64:
    """Return any levels."""
    return np.asarray(rng.integers(port.lo, port.hi, endpoint=True), np.float64)


def small(rng: Rng, port: PortRange) -> F64:
    """Return levels in a part of the range, around zero or another level."""
    size = _span(port, np.zeros_like(port.lo)) * 2.0 ** -rng.uniform(0, 6)
    middle = port.zero if rng.random() < 0.5 else uniform(rng, port)
    return np.asarray(middle + size * rng.uniform(-0.5, 0.5, size.shape))


def ends(rng: Rng, port: PortRange) -> F64:
    """Return both ends, one more often than the other."""
    return np.where(rng.random(port.lo.shape) < rng.random(), port.lo, port.hi).astype(np.float64)


def sparse(rng: Rng, port: PortRange) -> F64:
    """Return zeros with some other levels."""
    some = rng.random(port.lo.shape) < 2.0 ** -rng.uniform(1, 6)
    return np.where(some, uniform(rng, port), port.zero)


def hot(rng: Rng, port: PortRange) -> F64:
    """Return zeros, or one end, with a single element at an end."""
    found = np.array((port.zero, port.lo, port.hi)[rng.choice(3, p=(0.6, 0.2, 0.2))], np.float64)
    place = rng.integers(found.size)
    found.flat[place] = (port.lo, port.hi)[rng.integers(2)].flat[place]
    return found


def constant(rng: Rng, port: PortRange) -> F64:
    """Return the same share of its range for every element."""
    return np.asarray(port.lo + rng.random() * _span(port, np.zeros_like(port.lo)))


def smooth(rng: Rng, port: PortRange) -> F64:
    """Return a sum of waves along every axis with some noise, as images and signals are."""
    shape = port.lo.shape
    total = rng.normal(size=shape[-1]) * 0.5 + rng.normal(0, 0.1, shape)
    for axis, length in enumerate(shape):
        place = np.arange(length).reshape(-1, *[1] * (len(shape) - 1 - axis)) / max(length, 2)
        for cycles in (0.5, 1.0, 2.0):
            wave = np.sin(2 * np.pi * (cycles * place + rng.random()))
            total = total + wave * rng.normal() / cycles
    share = 0.5 + total / max(2 * float(np.abs(total).max()), 1e-9)
    return np.asarray(port.lo + share * _span(port, np.zeros_like(port.lo)))


KINDS: tuple[Callable[[Rng, PortRange], F64], ...] = (
    uniform, uniform, small, ends, sparse, hot, constant, smooth,
)  # fmt: skip
"""How a sample is drawn; each as often as it stands here."""
