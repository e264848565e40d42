"""What an implementation costs in all: its lanes, the sum before them, and the turns they take."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from hwflow.estimate import fabric as fabric
from hwflow.estimate import products as products
from hwflow.estimate.device import fabric_of
from hwflow.estimate.schedule import adder_levels, cuts_of
from hwflow.estimate.spread import SIMPLE, make_cost, per_position
from hwflow.estimate.turns import one_turn, values_of
from hwflow.fixed import RawArray
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization.cost import (
    Lanes,
    chosen_lane,
    product_lanes,
    varying_lanes,
    width,
)

if TYPE_CHECKING:
    from hwflow.ops.requantization.plan import Plan


def sum_lanes(plan: Plan, target: Target, inputs: Sequence[TensorType]) -> Lanes:
    """Return the weighted sum of the operands of each row; nothing where there is one."""
    lanes = Lanes.of(np.zeros(plan.rows))
    for weight, x in zip(plan.weights or (), inputs, strict=bool(plan.weights)):
        lo, hi = (np.full(plan.rows, end) for end in x.bounds)
        lanes += product_lanes(weight, lo, hi, target)
    return lanes + _adders(plan, inputs, width(plan.lo, plan.hi)) if plan.weights else lanes


def shared_sum_lane(plan: Plan, inputs: Sequence[TensorType]) -> Lanes:
    """Return the weighted sum of the operands of any row, in one lane."""
    lanes = Lanes.of(np.zeros(1))
    for weight, x in zip(plan.weights or (), inputs, strict=bool(plan.weights)):
        lo, hi = (np.full(1, end) for end in x.bounds)
        widest = np.abs(weight).max(keepdims=True).reshape(1, 1)
        lanes += chosen_lane(int(products.constant_bits(widest).max()), plan.rows)
        lanes += varying_lanes(widest, lo, hi)
    bits = width(plan.lo.min(keepdims=True), plan.hi.max(keepdims=True))
    return lanes + _adders(plan, inputs, bits) if plan.weights else lanes


def _adders(plan: Plan, inputs: Sequence[TensorType], bits: RawArray) -> Lanes:
    luts = fabric.LUT_PER_ADDER_BIT * (len(inputs) - 1) * bits.astype(np.float64)
    return Lanes.of(luts, levels=float(adder_levels(len(inputs))))


def total(plan: Plan, target: Target, inputs: Sequence[TensorType], turns: int = 1) -> Cost:
    """Return the cost of all lanes of a tensor, and of the sum before them, for one turn.

    Streams have a lane per channel, which takes turns over positions; rows that are elements then
    share lanes, and their constants are memories.

    Args:
        plan: the implementation.
        target: backend, io type, part and clock.
        inputs: types of the operands.
        turns: values that a lane computes one after the other in io_parallel, or of one position.
    """
    lanes, copies = _lanes_of(plan, target, inputs, turns)
    return priced(lanes, copies, target, one_turn(inputs[0], turns, target))


def priced(lanes: Lanes, copies: float, target: Target, x: TensorType) -> Cost:
    """Return the cost of copies of lanes.

    Args:
        lanes: some lanes.
        copies: how many stand for one position (streams) or for all values.
        target: backend, io type, part and clock.
        x: type of the first operand, as far as it is worked on at once.
    """
    lut, dsp, bram = (copies * float(a.sum()) for a in (lanes.lut, lanes.dsp, lanes.bram))
    cuts = cuts_of(fabric_of(target), dsp > 0, ceil(lanes.levels))
    cycles = len(cuts) + (1.0 if bram else 0.0)
    ff = lanes.bits * x.channels * cycles + (20.0 if target.streams else 0.0)
    found = make_cost(SIMPLE, lut=lut, ff=ff, dsp=dsp, bram=bram, cycles=cycles)
    return per_position(found, x, target)


def copies_of(rows: int, x: TensorType) -> float:
    """Return the copies of the lanes of all rows at one position."""
    return x.channels / rows if rows in (1, x.channels) else 1 / prod(x.shape[:-1])


def _lanes_of(
    plan: Plan, target: Target, inputs: Sequence[TensorType], turns: int
) -> tuple[Lanes, float]:
    """Return lanes, and how many there are of them at one position (streams) or at all."""
    x = inputs[0]
    lanes = sum_lanes(plan, target, inputs) + plan.lanes(target)
    if turns == 1:
        return lanes, copies_of(plan.rows, x)
    values = np.arange(values_of(x, target)).reshape(turns, -1)
    rows = values % plan.rows
    if (rows == rows[0]).all() and plan.rows in (1, x.channels):
        return lanes.of_rows(rows[0]), 1.0
    shared = shared_sum_lane(plan, inputs) + plan.shared_lane(target)
    return shared, float(values.shape[1])
