"""Relations for look-up tables and streamed cycles; ``products`` has those for multipliers.

The constants are fitted on public csynth reports; ``docs/estimates.md`` names the reports and
gives the error of each relation on repositories that were left out of the fit. Widths are in bits,
results are csynth figures for one instance of the hardware.
"""

from __future__ import annotations

from math import ceil

from hwflow.estimate.products import Products
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.op import Target

LUT_PER_ADDER_BIT = 1.35
"""csynth LUTs per bit of an adder; 1.3 to 1.44 in eleven repositories, four tool versions."""

SHIFT_ADD_WEIGHT = 0.7
"""Adders inside a constant are narrower than the sum of operand widths by about this factor."""

OUTPUT_WEIGHT = 0.5
"""Bits of result cast per accumulator bit, in adder bits."""

MUX_LUT = ((32, 176.0), (64, 296.0), (128, 696.0), (256, 1385.0))
"""LUTs of the accumulator multiplexer of one multiplier, by largest number of outputs."""

MUX_OF_TWO_LUT = 41.0
"""LUTs that choose one of two accumulators for a multiplier."""

SHARED_PRODUCT_BITS = 1.1
"""Flip-flops per accumulator bit of a product that waits while others use its multiplier (latency
strategy, RF > 1; twelve layers of one repository, 16 to 20 for 16 bits)."""

LUT_PER_PRODUCT_BIT = 1.1
"""LUTs per bit of an array multiplier (width times width) that is not in a DSP."""

LUT_PER_COMPARED_BIT = 3.5
"""LUTs per bit to compare two values and keep one (pooling)."""

PARALLEL_COMPARISON = {"Vivado": (8.0, 1.4), "Vitis": (17.0, 1.4)}
"""LUTs to compare two values and keep one in io_parallel, and those per bit: 30 with Vivado HLS
2020.1 and 39 with Vitis HLS 2024.1 for 16 bits (two networks of hls4ml's own tests with each), 25
with Vitis HLS 2022.2 for 6 bits."""

LUT_PER_COMPARISON = 28.0
"""LUTs more for every comparison of a streamed pooling (20 layers of six repositories)."""

WINDOW_COPIES, WINDOW_PER_CUT = 1.7, 0.9
"""Flip-flops per bit of a streamed pooling's window, and for every stage that it takes."""

LUT_PER_POINTED_BIT = 58.0
"""LUTs per bit of an io_parallel convolution's result in Vivado HLS, where it takes several turns:
52 and 82 (two layers of one repository)."""

FEW_PARALLEL = "io_parallel convolutions are extrapolated from six layers of two repositories"

FIRST_SLOW_TOOL = "vitis 2022.2"
"""The version from which Vitis HLS takes three cycles a pixel."""

WINDOW_LUT, LUT_PER_WINDOW_BIT = 550.0, 0.8
"""LUTs around the product of a streamed convolution (latency strategy), and per bit of its window
(eleven layers of four repositories)."""

STREAM_LUT, LUT_PER_STREAMED_BIT, STREAM_FF = 100.0, 1.2, 18.0
"""LUTs and flip-flops of a streamed loop, and LUTs per bit that it passes on (relus of nine
repositories: 107 and 47 a channel for 16 bits with Vivado HLS, 40 in Vitis HLS)."""

SOFTMAX_LUT = {
    ("Vivado", True): 270.0,
    ("Vivado", False): 140.0,
    ("Vitis", True): 140.0,
    ("Vitis", False): 91.0,
}
"""LUTs per class of a softmax, by back end and whether it streams (22 layers)."""

WIDE_LUT_PER_BIT = 1.25
"""LUTs per bit times bit of a multiplier with an operand of more than 18 bits, besides its DSP
blocks: 420 for 28 x 12 and 240 for 24 x 8 in Vivado HLS (eleven layers of one repository)."""

CHAIN_PRODUCTS = 4096
"""Nonzero products from which Vitis HLS adds in a chain of two-term steps, not in a tree.

Two layers of ArgyKokk/hls4ml_MLP_estimator with 5876 and 6839 took 48 and 192 cycles; six with up
to 2648 took 3 to 6.
"""

CHAIN_FF = 1.6
"""Flip-flops per bit of all terms where Vitis HLS adds in a chain (the same two layers)."""


def lut_unrolled(products: Products, n_out: int, accum_bits: int) -> float:
    """Return the LUTs of an unrolled constant matrix product, in adder bits times a constant."""
    sums = products.sum_adders * accum_bits + OUTPUT_WEIGHT * n_out * accum_bits
    return LUT_PER_ADDER_BIT * (sums + SHIFT_ADD_WEIGHT * products.shift_add_bits)


def lut_resource(n_in: int, n_out: int, n: int, reuse_factor: int) -> float:
    """Return the LUTs of a resource-strategy product with RF > n_in.

    Input and output multiplexers, and for every multiplier the choice of its accumulator: of two
    at RF = 2 n_in, of all beyond. 811 of 871 layers of wa-hls4ml-search are within 5 %, 603
    within 1 %.
    """
    mux = next((lut for most, lut in MUX_LUT if n_out <= most), MUX_LUT[-1][1] * n_out / 256)
    if reuse_factor <= 2 * n_in:
        mux = MUX_OF_TWO_LUT
    return 4680.0 + 32.1 * n_in + 24.0 * n_out + n / reuse_factor * mux


def ff_resource(n_in: int, n_out: int, n: int, reuse_factor: int) -> float:
    """Return the flip-flops of a resource-strategy product: 6 % off on wa-hls4ml-search."""
    late = 2.4 * n_out if reuse_factor > 2 * n_in else 0.0
    return 128.0 + 13.7 * n_out + 10.2 * n / reuse_factor + late


def lut_cast(in_bits: int, out_t: FixedType) -> float:
    """Return the LUTs of a comparison and cast of one element (relu, clip, Quant).

    28 for 16 to 16 bits, truncating; 43 to 73 for 16 to 6 or 8 bits, rounding and saturating
    (relu layers of eight repositories).
    """
    luts = 0.75 * in_bits + out_t.width
    if out_t.rounding is not Rounding.TRN:
        luts += out_t.width + 7.0
    if out_t.overflow is not Overflow.WRAP:
        luts += 1.5 * in_bits
    return luts


def lut_narrowing(out_t: FixedType) -> float:
    """Return the LUTs of rounding and saturating one result; a plain cast is wires."""
    return lut_cast(out_t.width, out_t) - 1.75 * out_t.width


def lut_select(choices: int) -> float:
    """Return the LUTs per bit that choose one of several values: a 6-input LUT chooses of 4."""
    return (choices - 1) / 3.0


def line_buffer_luts(shape: tuple[int, ...], kernel: tuple[int, ...], bits: int) -> float:
    """Return the LUTs of the line buffers of a streamed window, as 32-bit shift registers.

    Args:
        shape: padded feature map, channels last.
        kernel: extent along each spatial axis.
        bits: width of an element.
    """
    lines = kernel[0] - 1 if len(kernel) > 1 else 0
    return lines * shape[-1] * bits * ceil(shape[-2] / 32) if lines else 0.0


def cycles_per_pixel(
    strategy: str, reuse_factor: int, n: int, core: tuple[float, float], target: Target
) -> float:
    """Return cycles per input pixel of a streamed convolution.

    Latency strategy at RF = 1: 1.0 (Vivado HLS, Vitis HLS 2022.1), and with later tools 3, or 5
    where the product takes three stages; else the II of the product and 2, RF at most. Resource
    strategy: what stands around the product takes 4.5 cycles with one multiplier and RF >= 100,
    else 9.5 (Vivado, 26 layers of seven repositories) or 5.5 (Vitis, 10 layers of two).

    Args:
        strategy: see ``matvec_cost``.
        reuse_factor: products of each multiplier.
        n: stored weights.
        core: II and cycles of the product.
        target: backend and tool.
    """
    ii, depth = core
    if strategy == "resource" and reuse_factor > 1:
        around = 4.5 if reuse_factor >= max(n, 100) else 9.5
        return reuse_factor + (5.5 if target.backend == "Vitis" else around)
    if reuse_factor > 1:
        return min(ii + 2.0, float(reuse_factor))
    slow = target.backend == "Vitis" and (not target.tool or target.tool >= FIRST_SLOW_TOOL)
    return max(2.0 * depth - 1.0, 3.0) if slow else 1.0
