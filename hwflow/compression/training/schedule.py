"""What every training shares: the order of its samples, and how its steps get smaller."""

from __future__ import annotations

from math import cos, pi
from typing import Any

import numpy as np
import torch

LAST_RATE = 0.01
"""Part of the learning rate that is left at the end."""


def batches(size: int, batch: int, seed: int, epoch: int) -> tuple[Any, ...]:
    """Return which samples each step of an epoch takes, the same for the same epoch and seed."""
    order = np.random.default_rng([seed, epoch]).permutation(size)
    return tuple(torch.split(torch.from_numpy(order), batch))


def rate_at(done: float) -> float:
    """Return what the learning rate is multiplied with: half a cosine (Loshchilov, Hutter 2017).

    Args:
        done: part of the training that is done, 0 to 1.
    """
    return LAST_RATE + (1 - LAST_RATE) * (1 + cos(pi * done)) / 2
