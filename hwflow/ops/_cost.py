"""What a layer costs: the entry points that operators build their ``cost`` from.

Every function is pure and returns a ``Cost``: csynth figures, what logic synthesis leaves of
them, cycles and the initiation interval, each with an interval. The relations are in ``_products``
and ``_fabric``, the intervals in ``_spread``; ``docs/estimates.md`` says how well they meet reality.

Shapes are without the batch axis, channels last. With io_stream one position (all its channels)
passes per step, so hardware grows with the channels and time with the positions.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

import numpy as np

from hwflow.fixed import FixedType, RawArray
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType
from hwflow.ops import _fabric as fabric
from hwflow.ops import _products as products
from hwflow.ops._spread import (
    FF_SYNTH,
    POOL,
    REUSED,
    SELECTION,
    SIMPLE,
    SOFTMAX,
    UNROLLED,
    copied,
    make_cost,
    per_position,
    repeated,
    side_by_side,
    with_luts,
)


def free_cost() -> Cost:
    """Return the cost of what is only another view of the same wires (Reshape, Flatten)."""
    return Cost()


def matvec_cost(
    weight: RawArray,
    input: TensorType,
    accum_t: FixedType,
    out_t: FixedType,
    *,
    target: Target,
    strategy: str = "latency",
    reuse_factor: int = 1,
    bias: RawArray | None = None,
    positions: int = 1,
) -> Cost:
    """Return the cost of a constant matrix times a vector (Dense).

    Args:
        weight: integer constants of shape ``(n_in, n_out)``.
        input: the vector in its last axis; its channels repeat when fewer than ``n_in``. Inputs
            whose range is a single value cost nothing.
        accum_t: accumulator type.
        out_t: result type; a cast with rounding or saturation takes logic.
        target: backend, io type, part and clock.
        strategy: ``latency``, ``resource``, ``resource_unrolled`` or ``distributed_arithmetic``.
        reuse_factor: multiplications per multiplier, at least 1.
        bias: integer constants of shape ``(n_out,)``.
        positions: vectors that one instance works through, one after the other.
    """
    bits = _input_bits(input, weight.shape[0])
    if strategy == "resource" and reuse_factor > 1:
        cost = _resource(weight, int(bits.max(initial=1)), reuse_factor, target)
    else:
        found = products.count_products(weight, bits, bias, target.backend)
        if strategy == "distributed_arithmetic":
            found = products.shift_add_only(found, weight.shape[1], int(bits.max(initial=1)))
        cost = _unrolled(found, weight, accum_t.width, target, reuse_factor)
    if target.streams and positions == 1:
        cost = _gathered(cost, weight.shape[0] * input.dtype.width, strategy)
    casts = weight.shape[1] * fabric.lut_narrowing(out_t)
    return repeated(with_luts(cost, casts), positions)


def conv_cost(
    weight: RawArray,
    input: TensorType,
    accum_t: FixedType,
    out_t: FixedType,
    *,
    target: Target,
    kernel: tuple[int, ...],
    out_positions: int,
    strategy: str = "latency",
    reuse_factor: int = 1,
    bias: RawArray | None = None,
    parallel: int = 1,
    groups: int = 1,
) -> Cost:
    """Return the cost of a convolution: one matrix product, used once per output position.

    Args:
        weight: integer constants of shape ``(prod(kernel) * in_channels, out_channels)``, input
            channels fastest; grouped and depthwise convolutions give the block matrix with zeros.
        input: the padded feature map, ``(..., in_channels)``.
        accum_t: accumulator type.
        out_t: result type.
        target: backend, io type, part and clock.
        kernel: extent along each spatial axis.
        out_positions: output pixels.
        strategy: as for ``matvec_cost``.
        reuse_factor: as for ``matvec_cost``.
        bias: integer constants of shape ``(out_channels,)``.
        parallel: output pixels computed at once (hls4ml's parallelization factor, io_parallel).
        groups: number of groups; only ``1 / groups`` of the block matrix is stored.
    """
    block = _grouped(weight, groups)
    core = matvec_cost(
        block, input, accum_t, out_t, target=target, strategy=strategy, reuse_factor=reuse_factor,
        bias=bias if groups == 1 else None,
    )  # fmt: skip
    core = copied(core, groups)
    width = input.dtype.width
    if not target.streams:
        return _parallel_conv(core, prod(kernel) * input.channels * width, out_positions, parallel)
    window = prod(kernel) * input.channels * width
    lines = fabric.line_buffer_luts(input.shape, kernel, width)
    step = fabric.cycles_per_pixel(
        strategy, reuse_factor, int(block.size), core.ii.value, target.backend
    )
    cycles = prod(input.shape[:-1]) * step
    slow = make_cost(SIMPLE, lut=300.0 + lines, ff=float(window), cycles=cycles, ii=cycles)
    total = side_by_side(core, slow)
    return replace(total, ii=slow.ii, latency_cycles=slow.latency_cycles + core.latency_cycles)


def _parallel_conv(core: Cost, window_bits: int, positions: int, parallel: int) -> Cost:
    """Return the cost of ``parallel`` products that take turns over all positions (io_parallel)."""
    steps = ceil(positions / parallel)
    luts = window_bits * fabric.lut_select(steps) * parallel
    selection = make_cost(SELECTION, lut=luts, ff=0.0, cycles=0.0)
    note = ("io_parallel convolutions are not calibrated",)
    return replace(repeated(side_by_side(copied(core, parallel), selection), steps), notes=note)


def scale_cost(scale: RawArray, input: TensorType, out_t: FixedType, *, target: Target) -> Cost:
    """Return the cost of a constant factor and offset per channel (batch normalisation).

    Args:
        scale: integer constants of shape ``(channels,)``.
        input: what is scaled, ``(..., channels)``.
        out_t: result type.
        target: backend, io type, part and clock.
    """
    factors = np.broadcast_to(scale, (input.channels,)).astype(np.int64).reshape(-1, 1)
    bits = _input_bits(input, input.channels)
    found = products.count_products(factors, bits, None, target.backend)
    found = replace(found, sum_adders=input.channels)
    cost = _unrolled(found, factors, input.dtype.width, target, 1)
    return per_position(
        with_luts(cost, input.channels * fabric.lut_narrowing(out_t)), input, target
    )


def product_cost(a: TensorType, b: TensorType, *, target: Target) -> Cost:
    """Return the cost of an elementwise product of two variable tensors of the same shape."""
    blocks = products.dsp_per_multiplier(a.dtype.width, b.dtype.width)
    in_lut = 0.0 if blocks else 1.1 * a.dtype.width * b.dtype.width
    channels = a.channels
    cycles = 3.0 if blocks and fabric.is_7_series(target.part) else 1.0
    cost = make_cost(
        SIMPLE, lut=(in_lut + 10.0) * channels, ff=channels * a.dtype.width * cycles,
        dsp=float(blocks * channels), cycles=cycles,
    )  # fmt: skip
    return per_position(cost, a, target)


def elementwise_cost(input: TensorType, out_t: FixedType, *, target: Target) -> Cost:
    """Return the cost of one comparison, addition or cast per element.

    Serves relu, clip, Quant as a cast, Add and Sub (``input`` is then the wider operand).
    """
    luts = fabric.lut_cast(input.dtype.width, out_t) * input.channels
    registers = 20.0 + out_t.width * input.channels if target.streams else 0.0
    return per_position(make_cost(SIMPLE, lut=luts, ff=registers, cycles=0.0), input, target)


def table_cost(input: TensorType, table_size: int, table_bits: int, *, target: Target) -> Cost:
    """Return the cost of one table look-up per element (sigmoid, tanh, softplus...).

    Two elements share the two ports of one block RAM copy of the table; tables under 1024 bits
    are made of LUTs (6-input LUTs hold 64 bits each).
    """
    bits = table_size * table_bits
    copies = ceil(input.channels / 2)
    in_bram = bits > products.LUT_MEMORY_BITS
    bram = copies * products.bram_blocks(table_bits, table_size) if in_bram else 0
    luts = 30.0 * input.channels + (0 if in_bram else input.channels * bits / 64)
    cost = make_cost(SIMPLE, lut=luts, ff=10.0 * input.channels, bram=float(bram), cycles=2.0)
    return per_position(cost, input, target)


def softmax_cost(input: TensorType, table_size: int, table_bits: int, *, target: Target) -> Cost:
    """Return the cost of softmax over the last axis, exponential and inverse by table.

    DSP: one product per class at II 1. BRAM: Vivado ``ceil(n/2) + 1`` tables, Vitis about
    ``n + 2``, 2 or 5 when it streams (12 reports, 1024 x 18 tables). Cycles grow with the
    adder tree: 2 to 8 on UltraScale+, 6 to 20 on 7-series parts.
    """
    n = input.channels
    old = fabric.is_7_series(target.part)
    blocks = products.bram_blocks(table_bits, table_size)
    tables = ceil(n / 2) + 1
    if target.backend == "Vitis":
        tables = 5 if target.streams else n + 2
    cycles = (6.0 + 2.0 * fabric.adder_levels(n)) if old else (1.0 + 0.7 * fabric.adder_levels(n))
    cost = make_cost(
        SOFTMAX, lut=130.0 * n, ff=(200.0 if old else 50.0) * n,
        dsp=float(n * (1 if table_bits <= products.DSP_WIDTH else 2)),
        bram=float(blocks * tables), cycles=cycles,
    )  # fmt: skip
    if target.streams:
        cost = replace(cost, ii=Estimate.spread(4.0, (0.5, 5.0)))
    return repeated(cost, prod(input.shape[:-1]))


def pool_cost(
    input: TensorType,
    out_shape: tuple[int, ...],
    window: tuple[int, ...],
    *,
    target: Target,
    average: bool = False,
) -> Cost:
    """Return the cost of max or average pooling; global pooling has the whole map as window.

    Args:
        input: padded feature map, ``(..., channels)``.
        out_shape: shape of the result, ``(..., channels)``.
        window: extent along each spatial axis.
        target: backend, io type, part and clock.
        average: sums and divides instead of comparing.
    """
    width, channels = input.dtype.width, input.channels
    operations = max(prod(window) - 1, 1)
    per_channel = operations * fabric.LUT_PER_COMPARED_BIT * width + (width * 8.0 if average else 0)
    if not target.streams:
        luts = per_channel * prod(out_shape)
        cycles = float(fabric.adder_levels(prod(window)))
        return make_cost(POOL, lut=luts, ff=width * prod(out_shape), cycles=cycles)
    lines = fabric.line_buffer_luts(input.shape, window, width)
    steps = float(prod(input.shape[:-1]) + 3)
    registers = 2 * prod(window) * width * channels
    return make_cost(
        POOL,
        lut=150.0 + per_channel * channels + lines,
        ff=float(registers),
        cycles=steps,
        ii=steps,
    )


def move_cost(out: TensorType, *, target: Target) -> Cost:
    """Return the cost of moving data (Pad, Transpose, Concat): wires, or one pass of the stream.

    A streamed pass took 1.0 to 1.1 cycles per position and 200 to 400 LUTs in ten padding layers.
    """
    if not target.streams:
        return free_cost()
    steps = float(prod(out.shape[:-1]) + 3)
    luts = 150.0 + 1.2 * out.dtype.width * out.channels
    return make_cost(SIMPLE, lut=luts, ff=25.0, cycles=steps, ii=steps)


def _input_bits(input: TensorType, n_in: int) -> RawArray:
    """Return the bits each input really has, from its range; 0 where it never changes."""
    largest = np.maximum(np.abs(input.lo), np.abs(input.hi + (input.lo < 0)))
    bits = np.ceil(np.log2(largest.astype(np.float64) + 1.0)).astype(np.int64) + (input.lo < 0)
    bits = np.where(input.lo == input.hi, 0, np.minimum(bits, input.dtype.width))
    return np.resize(bits, n_in)


def _grouped(weight: RawArray, groups: int) -> RawArray:
    """Return the block of the first group of a block-diagonal matrix, of average density."""
    if groups == 1:
        return weight
    columns = weight.shape[1] // groups
    first = weight[:, :columns]
    live = first.any(axis=1)
    wanted = weight.shape[0] // groups
    rows = np.flatnonzero(live)[:wanted]
    return np.asarray(first[rows] if rows.size else first[:1])


def _unrolled(
    found: products.Products,
    weight: RawArray,
    accum_bits: int,
    target: Target,
    reuse_factor: int,
) -> Cost:
    n_out = weight.shape[1]
    fan_in = int((weight != 0).sum(axis=0).max(initial=0)) + 1
    depth = fabric.cycles_unrolled(fan_in, found, target)
    ff = fabric.ff_unrolled(found, n_out, accum_bits, fan_in, depth, target.part)
    luts = fabric.lut_unrolled(found, n_out, accum_bits)
    if reuse_factor == 1:
        return make_cost(UNROLLED, lut=luts, ff=ff, dsp=found.dsp_products, cycles=depth)
    shared = products.dsp_reused(found, reuse_factor)
    turns = ceil(found.dsp_products / shared) if shared else 1
    cycles = depth + turns
    ff += fabric.FF_PER_SHARED_PRODUCT * (found.dsp_products - shared)
    ii = min(float(reuse_factor), cycles + 1)
    return make_cost(REUSED, lut=luts, ff=ff, dsp=shared, cycles=cycles, ii=ii)


def _gathered(cost: Cost, input_bits: int, strategy: str) -> Cost:
    """Return the cost with the registers that gather a streamed input; it arrives in steps.

    A streamed resource layer waits for its input: II = RF + 7 with one step, up to 2 RF with many.
    """
    resource = strategy == "resource" and cost.ii.value > 1
    copies = fabric.STREAM_COPIES if resource else 1.0
    registers = Estimate.spread(copies * input_bits, SIMPLE.ff)
    wait = Estimate(6.0, 0.0, cost.ii.value) if resource else Estimate()
    return replace(
        cost,
        ff=cost.ff + registers,
        ff_synth=cost.ff_synth + registers.scaled(FF_SYNTH),
        ii=cost.ii + wait,
        latency_cycles=cost.latency_cycles + wait,
    )


def _resource(weight: RawArray, input_bits: int, reuse_factor: int, target: Target) -> Cost:
    n_in, n_out = weight.shape
    weight_bits = int(products.constant_bits(weight).max(initial=1))
    return fabric.resource_cost(n_in, n_out, input_bits, weight_bits, reuse_factor, target.part)
