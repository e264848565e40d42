"""A narrower student, made of the network itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwflow.compression.pruning.channels import Channels, channels_of
from hwflow.compression.pruning.surgery import without
from hwflow.ir.qonnx.model import QonnxModel

Floats = npt.NDArray[np.float64]


def shrunk(model: QonnxModel, share: float) -> QonnxModel:
    """Return a network with a part of the channels of each layer, inputs and outputs left out.

    The channels that stay are those of the greatest weights: the norm of what makes a channel times
    the norm of what reads it, which no scale between the two changes.

    Args:
        model: a float model, prepared; it is not changed.
        share: part of the channels that stay, more than 0; at least one of each layer does.
    """
    if share >= 1:
        return model
    found = channels_of(model)
    weight, free = _weights(found), set(found.free)
    leaving: set[int] = set()
    for use in found.uses.values():
        own = [c for c in dict.fromkeys(use.makes.tolist()) if c in free - leaving]
        count = len(own) - max(1, round(share * len(own)))
        # Channels of several layers (a residual sum) leave with the first that makes them.
        free -= set(own)
        leaving |= set(sorted(own, key=lambda c: (weight[c], c))[:count])
    return without(found, leaving)


def _weights(found: Channels) -> dict[int, float]:
    """Return how much each channel carries."""
    made: dict[int, float] = {}
    read: dict[int, float] = {}
    for use in found.uses.values():
        matrix = use.layer.matrix()
        rows = (matrix.reshape(-1, matrix.shape[2]) ** 2).sum(1)
        for channel, energy in zip(use.makes.tolist(), rows.tolist(), strict=True):
            made[channel] = made.get(channel, 0.0) + energy
        if use.depthwise:
            continue
        columns = (matrix[0].reshape(matrix.shape[1], len(use.reads), -1) ** 2).sum((0, 2))
        for channel, energy in zip(use.reads.tolist(), columns.tolist(), strict=True):
            read[channel] = read.get(channel, 0.0) + energy
    return {c: made[c] * read.get(c, 1.0) for c in made}
