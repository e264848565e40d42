"""What a layer costs: the entry points that operators build their ``cost`` from.

Every function is pure and returns a ``Cost``: csynth figures, what logic synthesis leaves of
them, cycles and the initiation interval, each with an interval. The relations are in
``products`` and ``fabric``, the intervals in ``spread``; ``docs/estimates.md`` says how well
they meet reality.

Shapes are without the batch axis, channels last. With io_stream one position (all its channels)
passes per step, so hardware grows with the channels and time with the positions.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

import numpy as np

from hwflow.estimate import fabric as fabric
from hwflow.estimate import products as products
from hwflow.estimate.matvec import gathered, input_bits, product_core, unrolled_cost
from hwflow.estimate.spread import (
    POOL,
    REUSED,
    SELECTION,
    SIMPLE,
    SOFTMAX,
    copied,
    make_cost,
    per_position,
    repeated,
    side_by_side,
    with_luts,
)
from hwflow.fixed import FixedType, RawArray
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
    positions: int = 1,
    xnor: bool = False,
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
        positions: vectors that one instance works through, one after the other.
        xnor: products are XNORs of sign bits (latency strategy).
    """
    cost = product_core(
        weight, x, accum_t.width, target=target, strategy=strategy, reuse_factor=reuse_factor,
        bias=bias, xnor=xnor,
    )  # fmt: skip
    if target.streams and positions == 1:
        cost = gathered(cost, weight.shape[0] * x.dtype.width, strategy)
    casts = weight.shape[1] * fabric.lut_narrowing(out_t)
    return repeated(with_luts(cost, casts), positions)


def conv_cost(
    weight: RawArray, x: TensorType, accum_t: FixedType, out_t: FixedType, *, target: Target,
    kernel: tuple[int, ...], out_positions: int, strategy: str = "latency", reuse_factor: int = 1,
    bias: RawArray | None = None, parallel: int = 1, groups: int = 1, xnor: bool = False,
) -> Cost:  # fmt: skip
    """Return the cost of a convolution: one matrix product, used once per output position.

    Args:
        weight: integer constants of shape ``(prod(kernel) * in_channels, out_channels)``, input
            channels fastest; grouped and depthwise convolutions give the block matrix with zeros.
        x: the padded feature map, ``(..., in_channels)``.
        accum_t: accumulator type.
        out_t: result type.
        target: backend, io type, part and clock.
        kernel: extent along each spatial axis.
        out_positions: output pixels.
        strategy: see ``matvec_cost``.
        reuse_factor: see ``matvec_cost``.
        bias: integer constants of shape ``(out_channels,)``.
        parallel: output pixels computed at once (hls4ml's parallelization factor, io_parallel).
        groups: number of groups; only ``1 / groups`` of the block matrix is stored.
        xnor: see ``matvec_cost``.
    """
    core = product_core(
        weight, x, accum_t.width, target=target, strategy=strategy, reuse_factor=reuse_factor,
        bias=bias, groups=groups, xnor=xnor,
    )  # fmt: skip
    core = with_luts(core, weight.shape[1] * fabric.lut_narrowing(out_t))
    if not target.streams:
        window_bits = prod(kernel) * x.channels * x.dtype.width
        return _parallel_conv(core, window_bits, out_positions, parallel)
    step = fabric.cycles_per_pixel(
        strategy, reuse_factor, weight.size // groups, core.ii.value, target.backend
    )
    return _streamed_conv(core, x, kernel, strategy, step)


def _streamed_conv(
    core: Cost, x: TensorType, kernel: tuple[int, ...], strategy: str, step: float
) -> Cost:
    """Return the cost of a product with line buffers and a window, ``step`` cycles a pixel."""
    width = x.dtype.width
    cycles = prod(x.shape[:-1]) * step
    spread = REUSED if strategy != "resource" and core.ii.value > 1 else SIMPLE
    lines = fabric.line_buffer_luts(x.shape, kernel, width)
    buffers = make_cost(spread, lut=300.0 + lines, ff=0.0, cycles=cycles, ii=cycles)
    # a window and the copy that the unrolled product keeps while the next pixel comes in
    held = prod(kernel) * x.channels * width * (1 if strategy == "resource" else 2)
    total = gathered(side_by_side(core, buffers), held, strategy)
    return replace(
        total, ii=buffers.ii, latency_cycles=buffers.latency_cycles + core.latency_cycles
    )


def _parallel_conv(core: Cost, window_bits: int, positions: int, parallel: int) -> Cost:
    """Return the cost of ``parallel`` products that take turns over all positions (io_parallel)."""
    steps = ceil(positions / parallel)
    luts = window_bits * fabric.lut_select(steps) * parallel
    selection = make_cost(SELECTION, lut=luts, ff=0.0, cycles=0.0)
    note = ("io_parallel convolutions are not calibrated",)
    return replace(repeated(side_by_side(copied(core, parallel), selection), steps), notes=note)


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
    found = products.count_products(factors, bits, None, target.backend)
    found = replace(found, sum_adders=x.channels)
    cost = unrolled_cost(found, factors, x.dtype.width, target, 1)
    return per_position(with_luts(cost, x.channels * fabric.lut_narrowing(out_t)), x, target)


def product_cost(a: TensorType, b: TensorType, *, target: Target) -> Cost:
    """Return the cost of an elementwise product of two variable tensors of the same shape."""
    blocks = products.dsp_per_multiplier(a.dtype.width, b.dtype.width)
    in_lut = 0.0 if blocks else fabric.LUT_PER_PRODUCT_BIT * a.dtype.width * b.dtype.width
    channels = a.channels
    cycles = 3.0 if blocks and fabric.is_7_series(target.part) else 1.0
    cost = make_cost(
        SIMPLE, lut=(in_lut + 10.0) * channels, ff=channels * a.dtype.width * cycles,
        dsp=float(blocks * channels), cycles=cycles,
    )  # fmt: skip
    return per_position(cost, a, target)


def elementwise_cost(x: TensorType, out_t: FixedType, *, target: Target) -> Cost:
    """Return the cost of one comparison, addition or cast per element.

    Serves relu, clip, Quant as a cast, Add and Sub (``input`` is then the wider operand).
    """
    luts = fabric.lut_cast(x.dtype.width, out_t) * x.channels
    registers = 20.0 + out_t.width * x.channels if target.streams else 0.0
    return per_position(make_cost(SIMPLE, lut=luts, ff=registers, cycles=0.0), x, target)


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
    cycles = float(fabric.adder_levels(terms) - 1)
    cost = make_cost(SIMPLE, lut=luts, ff=width * channels * cycles, cycles=cycles)
    return per_position(cost, total, target)


def table_cost(x: TensorType, table_size: int, table_bits: int, *, target: Target) -> Cost:
    """Return the cost of one table look-up per element (sigmoid, tanh, softplus...).

    Two elements share the two ports of one block RAM copy of the table; tables under 1024 bits
    are made of LUTs (6-input LUTs hold 64 bits each).
    """
    bits = table_size * table_bits
    copies = ceil(x.channels / 2)
    in_bram = bits > products.LUT_MEMORY_BITS
    bram = copies * products.bram_blocks(table_bits, table_size) if in_bram else 0
    luts = 30.0 * x.channels + (0 if in_bram else x.channels * bits / 64)
    cost = make_cost(SIMPLE, lut=luts, ff=10.0 * x.channels, bram=float(bram), cycles=2.0)
    return per_position(cost, x, target)


def softmax_cost(x: TensorType, table_size: int, table_bits: int, *, target: Target) -> Cost:
    """Return the cost of softmax over the last axis, exponential and inverse by table.

    DSP: one product per class at II 1. BRAM: Vivado ``ceil(n/2) + 1`` tables, Vitis about
    ``n + 2``, 2 or 5 when it streams (12 reports, 1024 x 18 tables). Cycles grow with the
    adder tree: 2 to 8 on UltraScale+, 6 to 20 on 7-series parts.
    """
    n = x.channels
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
    return repeated(cost, prod(x.shape[:-1]))


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
    width, channels = x.dtype.width, x.channels
    operations = max(prod(window) - 1, 1)
    per_channel = operations * fabric.LUT_PER_COMPARED_BIT * width + (width * 8.0 if average else 0)
    if not target.streams:
        luts = per_channel * prod(out_shape)
        cycles = float(fabric.adder_levels(prod(window)))
        return make_cost(POOL, lut=luts, ff=width * prod(out_shape), cycles=cycles)
    lines = fabric.line_buffer_luts(x.shape, window, width)
    steps = float(prod(x.shape[:-1]) + 3)
    registers = 2 * prod(window) * width * channels
    luts = 150.0 + per_channel * channels + lines
    return make_cost(POOL, lut=luts, ff=float(registers), cycles=steps, ii=steps)


def move_cost(out: TensorType, *, target: Target) -> Cost:
    """Return the cost of moving data (Pad, Transpose, Concat): wires, or one pass of the stream.

    A streamed pass took 1.0 to 1.1 cycles per position and 200 to 400 LUTs in ten padding layers.
    """
    if not target.streams:
        return free_cost()
    steps = float(prod(out.shape[:-1]) + 3)
    luts = 150.0 + 1.2 * out.dtype.width * out.channels
    return make_cost(SIMPLE, lut=luts, ff=25.0, cycles=steps, ii=steps)
