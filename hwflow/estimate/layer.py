"""What a layer costs: the entry points that operators build their ``cost`` from.

Every function is pure and returns a ``Cost``: csynth figures, what logic synthesis leaves of
them, cycles and the initiation interval, each with an interval. The relations are in
``products``, ``fabric``, ``schedule`` and ``resource``, the intervals in ``spread``;
``docs/estimates.md`` says how well they meet reality.

Shapes are without the batch axis, channels last. With io_stream one position (all its channels)
passes per step, so hardware grows with the channels and time with the positions.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

import numpy as np
import numpy.typing as npt

from hwflow.estimate import fabric as fabric
from hwflow.estimate import products as products
from hwflow.estimate.device import MULTIPLIER_STAGES, fabric_of
from hwflow.estimate.liveness import live_channels
from hwflow.estimate.matvec import input_bits, product_core, unrolled_cost
from hwflow.estimate.memories import LUT_MEMORY_BITS, bram_blocks
from hwflow.estimate.schedule import adder_levels, stages_of
from hwflow.estimate.spread import (
    POOL,
    SIMPLE,
    SOFTMAX,
    make_cost,
    per_position,
    repeated,
    side_by_side,
    with_luts,
)
from hwflow.fixed import FixedType, Overflow, RawArray, Rounding
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType


def free_cost() -> Cost:
    """Return the cost of what is only another view of the same wires (Reshape, Flatten)."""
    return Cost()


def matvec_cost(
    weight: RawArray,
    x: TensorType,
    accum_t: FixedType,
    out_t: FixedType,
    *,
    target: Target,
    strategy: str = "latency",
    reuse_factor: int = 1,
    bias: RawArray | None = None,
    weight_t: FixedType | None = None,
    positions: int = 1,
    xnor: bool = False,
    read: npt.NDArray[np.bool_] | None = None,
) -> Cost:
    """Return the cost of a constant matrix times a vector (Dense).

    Args:
        weight: integer constants of shape ``(n_in, n_out)``.
        x: the vector in its last axis; its channels repeat when fewer than ``n_in``. Inputs
            whose range is a single value cost nothing.
        accum_t: accumulator type.
        out_t: result type; a cast with rounding or saturation takes logic.
        target: backend, io type, part and clock.
        strategy: ``latency``, ``resource`` or ``distributed_arithmetic``.
        reuse_factor: multiplications per multiplier, at least 1.
        bias: integer constants of shape ``(n_out,)``.
        weight_t: declared type of the weights; the narrowest integers by default.
        positions: vectors that one instance works through, one after the other.
        xnor: products are XNORs of sign bits (latency strategy).
        read: results that are read by anything, of shape ``(n_out,)``; all by default.
    """
    gathers = target.streams and positions == 1
    cost = product_core(
        weight, x, accum_t, target=target, strategy=strategy, reuse_factor=reuse_factor,
        bias=bias, weight_t=weight_t, gathers=float(gathers), xnor=xnor, read=read,
    )  # fmt: skip
    if gathers:
        cost = gathered(cost, weight.shape[0] * x.dtype.width, strategy)
    results = weight.shape[1] if read is None else int(read.sum())
    return repeated(with_luts(cost, results * fabric.lut_narrowing(out_t)), positions)


def gathered(cost: Cost, bits: int, strategy: str) -> Cost:
    """Return the cost of a streamed product that waits for its whole input, here one beat of it.

    It starts anew when it is through: II = latency, which is that of the product, a beat and 1.5
    cycles (unrolled, 22 layers of seven repositories) or 6 (resource, 21 layers of seven).
    """
    resource = strategy == "resource" and cost.ii.value > 1
    registers = make_cost(SIMPLE, lut=0.0, ff=0.0 if resource else float(bits), cycles=0.0)
    wait = Estimate.spread(1.0 + (4.5 if resource else 1.5), (0.5, 2.0))
    busy = cost.latency_cycles + wait
    return replace(side_by_side(cost, registers), ii=busy, latency_cycles=busy)


def scale_cost(scale: RawArray, x: TensorType, out_t: FixedType, *, target: Target) -> Cost:
    """Return the cost of a constant factor and offset per channel (batch normalisation).

    Args:
        scale: integer constants of shape ``(channels,)``.
        x: what is scaled, ``(..., channels)``.
        out_t: result type.
        target: backend, io type, part and clock.
    """
    factors = np.broadcast_to(scale, (x.channels,)).astype(np.int64).reshape(-1, 1)
    bits = input_bits(x, x.channels)
    found = products.count_products(factors, bits, None, target.backend, fabric_of(target).ports)
    found = replace(found, sum_adders=x.channels)
    width = x.dtype.width + int(products.constant_bits(factors).max(initial=1))
    cost = unrolled_cost(found, factors, bits, accum_bits=width, target=target, reuse_factor=1)
    return per_position(with_luts(cost, x.channels * fabric.lut_narrowing(out_t)), x, target)


def product_cost(a: TensorType, b: TensorType, *, target: Target) -> Cost:
    """Return the cost of an elementwise product of two variable tensors of the same shape."""
    parts = fabric_of(target)
    blocks = products.dsp_per_multiplier(a.dtype.width, b.dtype.width, parts.ports)
    in_lut = 0.0 if blocks else fabric.LUT_PER_PRODUCT_BIT * a.dtype.width * b.dtype.width
    channels = a.channels
    slow = blocks and parts.multiplier_ns > parts.usable_ns
    cycles = float(MULTIPLIER_STAGES if slow else 1)
    cost = make_cost(
        SIMPLE, lut=(in_lut + 10.0) * channels, ff=channels * a.dtype.width * cycles,
        dsp=float(blocks * channels), cycles=cycles,
    )  # fmt: skip
    return per_position(cost, a, target)


def elementwise_cost(x: TensorType, out_t: FixedType, *, target: Target) -> Cost:
    """Return the cost of one comparison, addition or cast per element.

    Serves relu, clip, Quant as a cast, Add and Sub (``input`` is then the wider operand).
    """
    parts = fabric_of(target)
    levels = 1 + (out_t.rounding is not Rounding.TRN) + (out_t.overflow is not Overflow.WRAP)
    delays = [parts.adder_ns] * levels
    channels = live_channels(x, target)
    luts = fabric.lut_cast(x.dtype.width, out_t) * channels
    if target.streams:
        delays = [parts.fifo_ns, *delays, parts.fifo_ns]
        luts += fabric.STREAM_LUT + fabric.LUT_PER_STREAMED_BIT * out_t.width * x.channels
    cycles = stages_of(delays, parts.usable_ns)
    held = cycles * channels * (x.dtype.width + out_t.width) / (2 if target.streams else 1)
    cost = make_cost(
        SIMPLE, lut=luts, ff=held + (fabric.STREAM_FF if target.streams else 0.0), cycles=cycles
    )
    return per_position(cost, x, target)


def sum_cost(
    total: TensorType, out_t: FixedType, terms: int, *, target: Target, divides: bool = False
) -> Cost:
    """Return the cost of the sum of several activations of one shape, or of their mean.

    Args:
        total: the exact sum.
        out_t: result type.
        terms: number of activations.
        target: backend, io type, part and clock.
        divides: whether it divides by other than a power of two, as average pooling does.
    """
    width, channels = total.dtype.width, total.channels
    per_bit = fabric.LUT_PER_ADDER_BIT * (terms - 1) + (8.0 if divides else 0.0)
    luts = (per_bit * width + fabric.lut_narrowing(out_t)) * channels
    parts = fabric_of(target)
    cycles = stages_of([parts.adder_ns] * adder_levels(terms), parts.usable_ns)
    cost = make_cost(SIMPLE, lut=luts, ff=width * channels * cycles, cycles=cycles)
    return per_position(cost, total, target)


def table_cost(x: TensorType, table_size: int, table_bits: int, *, target: Target) -> Cost:
    """Return the cost of one table look-up per element (sigmoid, tanh, softplus...).

    Two elements share the two ports of one block RAM copy of the table; tables under 1024 bits
    are made of LUTs (6-input LUTs hold 64 bits each).
    """
    bits = table_size * table_bits
    copies = ceil(x.channels / 2)
    in_bram = bits > LUT_MEMORY_BITS
    bram = copies * bram_blocks(table_bits, table_size) if in_bram else 0
    luts = 30.0 * x.channels + (0 if in_bram else x.channels * bits / 64)
    cost = make_cost(SIMPLE, lut=luts, ff=10.0 * x.channels, bram=float(bram), cycles=2.0)
    return per_position(cost, x, target)


def softmax_cost(
    x: TensorType, table_size: int, table_bits: int, *, target: Target, turns: int = 1
) -> Cost:
    """Return the cost of softmax over the last axis, exponential and inverse by table.

    DSP: one product per class at II 1, or for ``turns`` classes. BRAM: Vivado ``ceil(m/2) + 1``
    tables for ``m`` products, Vitis about ``n + 2``, at most 8 when it streams (31 reports). One
    after the other: the maximum, a difference, a table, the sum, a table and a product; flip-flops
    are 13 per class and cycle (9 to 17 in nine layers of six repositories).
    """
    n, parts = x.channels, fabric_of(target)
    blocks = bram_blocks(table_bits, table_size)
    products_at_once = ceil(n / turns)
    tables = ceil(products_at_once / 2) + 1
    if target.backend == "Vitis":
        tables = min(n, 8) if target.streams else n + 2
    tree = adder_levels(n)
    # comparing and choosing takes twice an adder
    maximum = [2 * parts.adder_ns] * tree + [parts.adder_ns]
    total = [parts.table_ns, *[parts.adder_ns] * tree]
    slow = parts.multiplier_ns > parts.usable_ns
    product = [parts.usable_ns] * MULTIPLIER_STAGES if slow else [parts.multiplier_ns]
    last = [parts.table_ns, *product]
    chains = (maximum, total, last)
    cycles = sum(stages_of(chain, parts.usable_ns) for chain in chains) + len(chains) - 1.0
    cost = make_cost(
        SOFTMAX, lut=fabric.SOFTMAX_LUT[target.backend, target.streams] * n, ff=13.0 * n * cycles,
        dsp=float(products_at_once * (1 if table_bits <= products.DSP_WIDTH else 2)),
        bram=float(blocks * tables), cycles=cycles,
    )  # fmt: skip
    if target.streams:
        busy = Estimate.spread(cycles + 2.0, (0.5, 4.0))
        cost = replace(cost, ii=busy, latency_cycles=busy)
    more = Estimate.exact(turns - 1.0)
    cost = replace(cost, ii=cost.ii + more, latency_cycles=cost.latency_cycles + more)
    return repeated(cost, prod(x.shape[:-1]))


def is_power_of_two(number: int) -> bool:
    """Return whether dividing by a number only moves the binary point."""
    return number & (number - 1) == 0


def pool_cost(
    x: TensorType,
    out_shape: tuple[int, ...],
    window: tuple[int, ...],
    *,
    target: Target,
    average: bool = False,
) -> Cost:
    """Return the cost of max or average pooling; global pooling has the whole map as window.

    Args:
        x: padded feature map, ``(..., channels)``.
        out_shape: shape of the result, ``(..., channels)``.
        window: extent along each spatial axis.
        target: backend, io type, part and clock.
        average: sums and divides instead of comparing.
    """
    width, channels, parts = x.dtype.width, x.channels, fabric_of(target)
    divide = width * 8.0 if average and not is_power_of_two(prod(window)) else 0.0
    whole = window == x.shape[:-1] and target.streams
    operations = 1 if whole else max(prod(window) - 1, 1)
    compared = fabric.LUT_PER_COMPARED_BIT * width
    if average:
        compared = fabric.LUT_PER_ADDER_BIT * width
    elif not target.streams:
        one, per_bit = fabric.PARALLEL_COMPARISON[target.backend]
        compared = one + per_bit * width
    tree = [2 * parts.adder_ns] * adder_levels(prod(window))
    if not target.streams:
        luts = (operations * compared + divide) * prod(out_shape)
        cycles = stages_of(tree, parts.usable_ns)
        return make_cost(POOL, lut=luts, ff=width * prod(out_shape) * cycles, cycles=cycles)
    if whole:  # a stream has one running result for each channel
        tree, held = tree[:1], width * channels
    else:
        held = prod(window) * width * channels
    cuts = stages_of([parts.fifo_ns, *tree, parts.fifo_ns], parts.usable_ns)
    lines = 0.0 if whole else fabric.line_buffer_luts(x.shape, window, width)
    luts = 150.0 + (operations * (compared + fabric.LUT_PER_COMPARISON) + divide) * channels + lines
    steps = float(prod(x.shape[:-1]) + 3)
    registers = held * (fabric.WINDOW_COPIES + fabric.WINDOW_PER_CUT * cuts)
    return make_cost(POOL, lut=luts, ff=registers, cycles=steps, ii=steps)


def move_cost(out: TensorType, *, target: Target) -> Cost:
    """Return the cost of moving data (Pad, Transpose, Concat): wires, or one pass of the stream.

    A streamed pass took 1.0 to 1.1 cycles per position and 200 to 400 LUTs in ten padding layers.
    """
    if not target.streams:
        return free_cost()
    steps = float(prod(out.shape[:-1]) + 3)
    luts = 150.0 + 1.2 * out.dtype.width * out.channels
    return make_cost(SIMPLE, lut=luts, ff=25.0, cycles=steps, ii=steps)
