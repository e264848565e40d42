"""What it costs to compute a layer's values in turns, with the hardware for a share of them.

A *lane* is the hardware for one value. In io_parallel the lanes of a layer take turns over all its
values, in streams over the channels of one pixel. Kernels: ``templates/ops/_turns.h.j2``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwflow.estimate import fabric as fabric
from hwflow.estimate.spread import REUSED, SIMPLE, make_cost, side_by_side
from hwflow.fixed import RawArray
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType


def values_of(x: TensorType, target: Target) -> int:
    """Return how many values lanes can share: all of a tensor, or the channels of a pixel."""
    return x.channels if target.streams else x.size


def channels_of_lanes(x: TensorType, turns: int, target: Target) -> RawArray:
    """Return the channels that each lane works on, shape ``(turns, lanes)``."""
    return (np.arange(values_of(x, target)) % x.channels).reshape(turns, -1)


def one_turn(x: TensorType, turns: int, target: Target) -> TensorType:
    """Return what is worked on in one turn, each lane with the range of all that it meets.

    Args:
        x: all values.
        turns: a divisor of ``values_of``.
        target: backend, io type, part and clock.
    """
    if turns == 1:
        return x
    channels = channels_of_lanes(x, turns, target)
    lo, hi = x.lo[channels].min(axis=0), x.hi[channels].max(axis=0)
    positions = x.shape[:-1] if target.streams else ()
    return TensorType((*positions, channels.shape[1]), x.dtype, lo, hi)


def in_turns(cost: Cost, turns: int, out: TensorType, read_bits: int, *, target: Target) -> Cost:
    """Return the cost of a layer from that of the lanes that take turns.

    Besides the lanes stand the choice of what a lane reads (``fabric.lut_select``), registers for
    the results of earlier turns, and a counter. A turn takes a cycle.

    Args:
        cost: the lanes', for ``one_turn``.
        turns: values of each lane.
        out: type of all results.
        read_bits: bits of what a lane reads in a turn, constants that depend on it included.
        target: backend, io type, part and clock.
    """
    if turns == 1:
        return cost
    values = values_of(out, target)
    lanes = values // turns
    choice = lanes * read_bits * fabric.lut_select(turns) + 2.0 * turns.bit_length()
    held = values * (out.dtype.width + (read_bits if target.streams else 0))
    around = make_cost(SIMPLE, lut=choice, ff=float(held + turns.bit_length()), cycles=0.0)
    more = cost.ii.scaled(turns - 1)
    wide = replace(
        side_by_side(cost, around), ii=cost.ii.scaled(turns),
        latency_cycles=cost.latency_cycles + more,
    )  # fmt: skip
    low, high = REUSED.ii
    return replace(wide, ii=Estimate(wide.ii.value, wide.ii.low * low, wide.ii.high * high))
