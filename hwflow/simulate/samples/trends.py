"""Which way to go: a linear fit of each layer's sums to the inputs, however deep the layer.

Samples that a fit calls extreme reach ends of ranges that drawn ones never come near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.simulate.samples.ports import PortRange

F64 = npt.NDArray[np.float64]


def slopes(levels: Mapping[str, RawArray], sums: RawArray) -> dict[str, F64]:
    """Return how each sum grows with each input element, of every port.

    Args:
        levels: mantissas of samples, by input node.
        sums: sums of the same samples, one row each.

    Returns:
        By input node, shape ``(sums, elements)``: least squares where there are enough samples,
        else covariances.
    """
    inputs = np.concatenate([a.reshape(len(a), -1) for a in levels.values()], axis=1)
    x = inputs - inputs.mean(0)
    y = sums.astype(np.float64) - sums.mean(0)
    if len(x) > 2 * x.shape[1]:
        square = x.T @ x
        square += np.eye(len(square)) * (1e-6 * np.trace(square) / len(square) + 1)
        found = np.linalg.solve(square, x.T @ y).T
    else:
        found = (x.T @ y).T
    ends = np.cumsum([a[0].size for a in levels.values()])[:-1]
    return dict(zip(levels, np.split(found, ends, axis=1), strict=True))


def extremes(
    ports: Mapping[str, PortRange],
    levels: Mapping[str, RawArray],
    sums: Sequence[RawArray],
    rng: np.random.Generator,
    most: int,
) -> dict[str, RawArray]:
    """Return samples at which sums are expected to be least or greatest, or nearly so.

    Args:
        ports: ranges of the inputs, by node.
        levels: samples that were computed.
        sums: sums of these samples, of each layer, one row a sample.
        rng: chooses the sums, and the elements that stay as they were.
        most: samples to return at most.
    """
    share = max(most // (4 * len(sums)), 1) if sums else 0
    columns = [y[:, rng.permutation(y.shape[1])[:share]] for y in sums]
    if not columns:
        return {name: a[:0] for name, a in levels.items()}
    fit = slopes(levels, np.concatenate(columns, axis=1))
    count = sum(y.shape[1] for y in columns)
    others = rng.integers(len(next(iter(levels.values()))), size=2 * count)
    found = {}
    for name, slope in fit.items():
        port = ports[name]
        rising = np.concatenate([slope, -slope]).reshape(2 * count, *port.lo.shape) > 0
        whole = np.where(rising, port.hi, port.lo)
        strong = np.abs(slope) >= np.median(np.abs(slope), axis=1, keepdims=True)
        strong = np.concatenate([strong, strong]).reshape(rising.shape)
        part = np.where(strong, whole, levels[name][others])
        found[name] = np.concatenate([whole, part])[:most]
    return found
