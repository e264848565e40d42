"""What a convolution costs: a matrix product, and what brings each window to it.

Shapes are without the batch axis, channels last, as in ``hwflow.estimate.layer``.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

from hwflow.estimate import fabric as fabric
from hwflow.estimate.matvec import product_core
from hwflow.estimate.resource import WINDOW_SHARE
from hwflow.estimate.spread import (
    REUSED,
    SELECTION,
    SIMPLE,
    copied,
    make_cost,
    side_by_side,
    with_luts,
)
from hwflow.fixed import FixedType, RawArray
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType


def conv_cost(
    weight: RawArray, x: TensorType, accum_t: FixedType, out_t: FixedType, *, target: Target,
    kernel: tuple[int, ...], out_positions: int, strategy: str = "latency", reuse_factor: int = 1,
    bias: RawArray | None = None, weight_t: FixedType | None = None, parallel: int = 1,
    groups: int = 1, xnor: bool = False,
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
        weight_t: see ``matvec_cost``.
        parallel: output pixels computed at once (hls4ml's parallelization factor, io_parallel).
        groups: number of groups; only ``1 / groups`` of the block matrix is stored.
        xnor: see ``matvec_cost``.
    """
    core = product_core(
        weight, x, accum_t, target=target, strategy=strategy, reuse_factor=reuse_factor, bias=bias,
        weight_t=weight_t, groups=groups, gathers=WINDOW_SHARE * target.streams, xnor=xnor,
    )  # fmt: skip
    core = with_luts(core, weight.shape[1] * fabric.lut_narrowing(out_t))
    if not target.streams:
        window_bits = prod(kernel) * x.channels * x.dtype.width
        result = out_positions * weight.shape[1] * out_t.width
        bits = (window_bits, x.size * x.dtype.width, result)
        steps = ceil(out_positions / parallel)
        return _parallel_conv(core, bits, steps, parallel, target.backend)
    timing = (core.ii.value, core.latency_cycles.value)
    step = fabric.cycles_per_pixel(strategy, reuse_factor, weight.size // groups, timing, target)
    return _streamed_conv(core, x, kernel, strategy, step)


def _streamed_conv(
    core: Cost, x: TensorType, kernel: tuple[int, ...], strategy: str, step: float
) -> Cost:
    """Return the cost of a product with line buffers and a window, ``step`` cycles a pixel."""
    width = x.dtype.width
    cycles = prod(x.shape[:-1]) * step
    resource = strategy == "resource" and core.ii.value > 1
    spread = REUSED if not resource and core.ii.value > 1 else SIMPLE
    lines = fabric.line_buffer_luts(x.shape, kernel, width)
    # a window and the copy that the unrolled product keeps while the next pixel comes in
    held = 0 if resource else 2 * prod(kernel) * x.channels * width
    luts = lines
    if not resource:
        bits = prod(kernel) * x.channels * width
        luts += fabric.WINDOW_LUT + fabric.LUT_PER_WINDOW_BIT * bits
    buffers = make_cost(spread, lut=luts, ff=float(held), cycles=cycles, ii=cycles)
    total = side_by_side(core, buffers)
    return replace(
        total, ii=buffers.ii, latency_cycles=buffers.latency_cycles + core.latency_cycles
    )


def _parallel_conv(
    core: Cost, bits: tuple[int, int, int], steps: int, parallel: int, backend: str
) -> Cost:
    """Return the cost of ``parallel`` products that take turns over all positions (io_parallel).

    hls4ml's loop over partitions (``nnet_conv2d_latency.h``) is a stage of a dataflow that keeps
    its whole input and result. With Vitis HLS it starts anew 3 cycles after the last product (four
    layers of one repository), with Vivado HLS at once; that selects every bit of the result, which
    it writes through a pointer (two layers of another).

    Args:
        core: cost of one product.
        bits: widths of a window, of the whole input and of the whole result, added up.
        steps: turns.
        parallel: products side by side.
        backend: ``"Vivado"`` or ``"Vitis"``.
    """
    window, whole, result = bits
    pointer = fabric.LUT_PER_POINTED_BIT * result if backend == "Vivado" and steps > 1 else 0.0
    luts = window * fabric.lut_select(steps) * parallel + pointer
    selection = make_cost(SELECTION, lut=luts, ff=float(whole + result), cycles=0.0)
    cost = side_by_side(copied(core, parallel), selection)
    last = Estimate.spread(1.0, SELECTION.cycles)
    if backend == "Vitis":
        last = core.latency_cycles + Estimate.spread(3.0, SELECTION.cycles)
    turns = Estimate.spread(core.ii.value * steps, SELECTION.ii)
    busy = turns + last if backend == "Vitis" else turns
    notes = (*core.notes, fabric.FEW_PARALLEL)
    return replace(cost, ii=busy, latency_cycles=turns + last, notes=notes)
